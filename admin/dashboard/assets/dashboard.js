// Keeps a page up to date: new events are put into its list as they come, and the parts
// that are marked data-refresh are taken from the page anew. Everything works without it.
"use strict";

(() => {
  const after = document.body.dataset.liveAfter;
  if (after !== undefined) follow(after);
  document.querySelectorAll("form[data-select]").forEach(addSelectAll);

  // follow listens while the page is seen: a browser keeps only a few connections.
  function follow(place) {
    const connection = document.getElementById("connection");
    const say = (text) => {
      if (connection.textContent !== text) connection.textContent = text;
      connection.classList.toggle("live", text === "Live");
    };
    let source, again;
    const listen = () => {
      clearTimeout(again);
      source = new EventSource("/live?after=" + place);
      source.addEventListener("open", () => say("Live"));
      source.addEventListener("events", (message) => { place = message.lastEventId; addRows(message.data); refresh(); });
      source.addEventListener("status", (message) => { place = message.lastEventId; refresh(); });
      source.addEventListener("tick", (message) => { place = message.lastEventId; say("Live"); refresh(); });
      source.addEventListener("error", () => {
        say("Not live");
        if (source.readyState === EventSource.CLOSED) again = setTimeout(listen, 30000);
      });
    };
    const stop = () => { clearTimeout(again); source.close(); };
    document.addEventListener("visibilitychange", () => (document.hidden ? stop() : listen()));
    addEventListener("pagehide", stop);
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
    listen();
  }

  // addRows puts the rows of new events above the others.
  function addRows(html) {
    const latest = document.getElementById("latest");
    if (!latest) return;
    const template = document.createElement("template");
    template.innerHTML = html;
    const rows = [...template.content.querySelectorAll("tr")].filter((row) => !document.getElementById(row.id));
    rows.forEach((row) => row.classList.add("new"));
    latest.prepend(...rows);
    const most = Math.max(15, Number(latest.dataset.most));
    while (latest.rows.length > most) latest.rows[latest.rows.length - 1].remove();
    document.querySelectorAll(".empty").forEach((hint) => hint.remove());
  }

  // refresh takes the marked parts anew, at most every 2 seconds, and the slow ones at
  // most once a minute.
  let refreshed = 0, slow = Date.now(), planned;
  function refresh() {
    if (planned || !document.querySelector("[data-refresh]")) return;
    planned = setTimeout(async () => {
      try {
        await take();
      } catch {
        // The connection says that it is not live; the next message tries again.
      }
      refreshed = Date.now();
      planned = undefined;
    }, Math.max(0, refreshed + 2000 - Date.now()));
  }

  async function take() {
    const answer = await fetch(location.href, { redirect: "error" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const withSlow = Date.now() - slow > 60000;
    if (withSlow) slow = Date.now();
    document.querySelectorAll("[data-refresh]").forEach((part) => {
      const next = fresh.getElementById(part.id);
      if (!next || (part.dataset.refresh === "slow" && !withSlow)) return;
      if (part.dataset.refresh === "slow") keepOpen(part, next);
      else if (part.innerHTML === next.innerHTML) return;
      replace(part, next);
    });
    const times = new Map([...fresh.querySelectorAll("time[title]")].map((time) => [time.dateTime, time.textContent]));
    document.querySelectorAll("time[title]").forEach((time) => {
      const text = times.get(time.dateTime);
      if (text && text !== time.textContent) time.textContent = text;
    });
  }

  function keepOpen(part, next) {
    const open = [...part.querySelectorAll("details")].map((details) => details.open);
    next.querySelectorAll("details").forEach((details, i) => { details.open = open[i] === true; });
  }

  // replace leaves the focus on the link or button that had it, by its text.
  function replace(part, next) {
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const adopted = document.adoptNode(next);
    part.replaceWith(adopted);
    document.dispatchEvent(new CustomEvent("figures", { detail: adopted }));
    if (!focused) return;
    const key = (element) => element.tagName + element.textContent + (element.getAttribute("href") ?? element.form?.getAttribute("action") ?? "");
    const same = [...adopted.querySelectorAll("a, button, summary")].find((element) => key(element) === key(focused));
    same?.focus({ preventScroll: true });
  }

  // addSelectAll puts a box into the head of a table that ticks those of its rows.
  function addSelectAll(form) {
    const boxes = [...form.querySelectorAll("input[type=checkbox]")];
    const head = form.querySelector("thead th");
    if (!head || boxes.length === 0) return;
    const all = document.createElement("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", "Select all on this page");
    all.addEventListener("change", () => boxes.forEach((box) => { box.checked = all.checked; }));
    form.addEventListener("change", () => {
      const ticked = boxes.filter((box) => box.checked).length;
      all.checked = ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
    });
    head.replaceChildren(all);
  }
})();
