// Keeps a page up to date: when something happens, the parts marked data-refresh are
// taken from the page anew, node by node, so that focus, selection and clicks survive.
// Ages count by themselves. Everything works without it.
"use strict";

(() => {
  const second = 1000;
  const pause = (length) => new Promise((resolve) => setTimeout(resolve, length));
  const clock = () => Date.now();

  // Times

  // ahead is how far the server's clock is ahead of the browser's.
  let ahead = Number(document.body.dataset.now) - clock();
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

  // fromNow says the same as the function of the server that has this name.
  function fromNow(length) {
    const away = Math.round(Math.abs(length) / second);
    const unit = units.find(([least]) => away >= least);
    if (!unit) return "now";
    const text = Math.floor(away / unit[0]) + " " + unit[1];
    return length < 0 ? text + " ago" : "in " + text;
  }

  function showAges(root) {
    root.querySelectorAll("time[title]").forEach((time) => {
      const away = Date.parse(time.dateTime) - clock() - ahead;
      const text = "due" in time.dataset && away <= 0 ? "due" : fromNow(away);
      if (time.textContent !== text && !isSelected(time)) time.firstChild.nodeValue = text;
    });
  }

  // isSelected tells whether a person is selecting text there. What was selected long ago
  // holds nothing up.
  let selectedAt = 0;
  document.addEventListener("selectionchange", () => { selectedAt = clock(); });
  function isSelected(element) {
    const selection = getSelection();
    return !selection.isCollapsed && clock() - selectedAt < 30 * second && selection.containsNode(element, true);
  }

  // calm waits until a refresh cannot come between a person and what he is clicking.
  let pressedAt = 0, aimedAt = 0;
  addEventListener("pointerdown", () => { pressedAt = clock(); }, true);
  for (const kind of ["pointerup", "pointercancel"]) {
    addEventListener(kind, () => setTimeout(() => { pressedAt = 0; }, 300), true); // the click comes after
  }
  addEventListener("pointermove", (event) => { if (event.target.closest?.("a, button, summary")) aimedAt = clock(); }, true);
  async function calm() {
    const began = clock();
    while (clock() - pressedAt < 10 * second || (clock() - aimedAt < second / 2 && clock() - began < 3 * second)) await pause(100);
  }

  // Contact

  const connection = document.getElementById("connection");
  const bar = document.getElementById("lost");
  let title = document.title;
  let failure = null; // since when, and why, the page cannot be brought up to date
  let seenAt = clock() + ahead; // from when by the server's clock is what is shown

  const isLost = () => failure !== null && clock() - failure.since > 5 * second;

  function say(text) {
    if (connection.textContent !== text) connection.textContent = text;
    connection.classList.toggle("live", text === "Live");
  }

  function fail(why, since) {
    failure = { why, since: failure?.since ?? since };
    say("Not live");
    showContact();
  }

  function succeed() {
    const wasLost = bar.textContent !== "";
    failure = null;
    showContact();
    if (wasLost) tell("Contact is back.");
  }

  function showContact() {
    const lost = isLost();
    const text = lost ? `${failure.why} since ${stamp(seenAt)}. What you see is from then.` : "";
    if (bar.textContent !== text) bar.textContent = text;
    document.body.classList.toggle("stale", lost);
    const named = (lost ? "No contact · " : "") + title;
    if (document.title !== named) document.title = named;
  }

  // stamp has the date where it is not today's.
  function stamp(time) {
    const iso = new Date(time).toISOString(), today = new Date(clock() + ahead).toISOString();
    return (iso.slice(0, 10) === today.slice(0, 10) ? "" : iso.slice(0, 10) + " ") + iso.slice(11, 16) + " UTC";
  }

  // tell has a screen reader say what a person should not miss.
  function tell(text) {
    document.getElementById("said").textContent = text;
  }

  function logIn() {
    location.replace("/login?next=" + encodeURIComponent(location.pathname + location.search));
    return new Promise(() => {}); // this page is over
  }

  // Following

  let place = document.body.dataset.liveAfter; // of the last event that is known here
  let stream = null; // aborts listening
  let due = Infinity; // when the server must have said something

  // follow listens while the page is seen: a browser keeps only a few connections.
  async function follow() {
    for (;;) {
      while (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
      stream = new AbortController();
      due = clock() + 10 * second;
      let wait = 3 * second;
      try {
        wait = await listen(stream.signal);
      } catch {
        // Whether there is contact at all, refreshing tells.
      }
      due = Infinity;
      if (document.hidden) continue;
      refresh();
      await pause(wait);
    }
  }

  // listen returns when the stream has ended, and how long to wait for the next. Why it
  // has ended, a login for one, the refresh after it finds out.
  async function listen(signal) {
    const answer = await fetch("/live?after=" + place, { signal, redirect: "error" });
    if (answer.status === 503 && (await answer.text()).startsWith("Too many pages")) {
      say("Not live: too many pages are open");
      return 30 * second;
    }
    if (answer.ok) await hear(answer.body.pipeThrough(new TextDecoderStream()).getReader());
    say("Not live");
    return 3 * second;
  }

  async function hear(reader) {
    for (let text = ""; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const messages = (text + value).split("\n\n");
      text = messages.pop();
      messages.forEach(obey);
    }
  }

  function obey(message) {
    due = clock() + 25 * second;
    place = /^id: (\d+)$/m.exec(message)[1];
    if (failure === null) say("Live");
    if (failure !== null || /^event: changed$/m.test(message) || clock() - refreshedAt > 5 * second) refresh();
  }

  // Refreshing

  let refreshedAt = clock(), drawnAt = clock(), wanted = false, refreshing = false;

  // refresh takes the marked parts anew, at most every 2 seconds.
  async function refresh() {
    wanted = true;
    if (refreshing) return;
    refreshing = true;
    while (wanted) {
      await pause(Math.max(0, refreshedAt + 2 * second - clock()));
      wanted = false;
      refreshedAt = clock();
      await take();
    }
    refreshing = false;
  }

  async function take() {
    const began = clock();
    let answer, text;
    const limit = new AbortController();
    const late = setTimeout(() => limit.abort(), 15 * second);
    try {
      // The header says that nobody reads a notice there.
      answer = await fetch(location.href, { redirect: "manual", signal: limit.signal, headers: { "X-Refresh": "1" } });
      text = await answer.text();
    } catch {
      return fail("No contact", began);
    } finally {
      clearTimeout(late);
    }
    if (answer.type === "opaqueredirect") return logIn();
    if (answer.status === 404) return fail("This page has been gone", began - 5 * second);
    if (!answer.ok) return fail("The daemon has answered with errors", began);
    await calm();
    show(new DOMParser().parseFromString(text, "text/html"));
    succeed();
  }

  function show(fresh) {
    const assets = (page) => [...page.querySelectorAll("[src^='/assets/'], [href^='/assets/']")].map((e) => e.getAttribute("src") ?? e.getAttribute("href")).join();
    if (assets(fresh) !== assets(document)) return location.reload(); // another version of the program
    seenAt = Number(fresh.body.dataset.now);
    ahead = seenAt - clock();
    title = fresh.title;
    showAges(fresh);
    const before = states();
    const draw = clock() - drawnAt > 60 * second;
    if (draw) drawnAt = clock();
    document.querySelectorAll("[data-refresh]").forEach((part) => {
      const next = fresh.getElementById(part.id);
      if (!next || isSelected(part)) return;
      morph(part, next);
      if (draw) document.dispatchEvent(new CustomEvent("figures", { detail: part }));
    });
    tellChanges(before, states());
  }

  // morph makes a part what it is in the fresh page, and leaves alone what is the same.
  function morph(part, next) {
    giveIds(part);
    giveIds(next);
    const focused = part.contains(document.activeElement) ? document.activeElement : null;
    const row = [...part.querySelectorAll("tr")].indexOf(focused?.closest("tr"));
    Idiomorph.morph(part, next, {
      ignoreActiveValue: true,
      callbacks: {
        beforeNodeMorphed: (node) => !node.classList?.contains("charts"), // charts.js fills those
        beforeAttributeUpdated: (name, element) => !(name === "open" && element.tagName === "DETAILS"),
        afterNodeAdded: (node) => { if (node.tagName === "TR") node.classList.add("new"); },
      },
    });
    if (focused && document.activeElement !== focused) focusNear(part, row);
  }

  // giveIds names what a person can click, so that a button or link never turns into
  // another one under his hand.
  function giveIds(part) {
    part.querySelectorAll("a:not([id]), form:not([id])").forEach((element) => {
      element.id = element.parentElement.closest("[id]").id + "|" + (element.getAttribute("href") ?? element.getAttribute("action"));
    });
  }

  // focusNear takes the focus from what is gone to the row in its place, or else to the
  // heading above.
  function focusNear(part, row) {
    const rows = part.querySelectorAll("tr");
    const link = row < 0 ? null : rows[Math.min(row, rows.length - 1)]?.querySelector("a");
    const heading = part.closest("section")?.querySelector("h2") ?? document.getElementById("main");
    if (!link) heading.tabIndex = -1;
    (link ?? heading).focus({ preventScroll: true });
  }

  // states are what a person should not miss: by what they are about, the troubles of the
  // overview or the states on another page.
  function states() {
    const troubles = document.querySelector("[data-troubles]");
    if (troubles) {
      return new Map([...troubles.querySelectorAll("li")].map((item) => {
        const what = item.querySelector(".what").textContent;
        return [item.dataset.about + what.replace(/\d+/g, ""), what]; // without the numbers, which change all the time
      }));
    }
    return new Map([...document.querySelectorAll("[data-refresh] .state")].map((state) => {
      const name = state.closest("tr, article, section, main").querySelector("th[scope=row], h1, h2, h3").textContent.replace(state.textContent, "").trim();
      return [name + state.textContent, name + ": " + state.textContent];
    }));
  }

  function tellChanges(before, after) {
    const added = [...after].filter(([key]) => !before.has(key)).map(([, text]) => text);
    const over = [...before].filter(([key]) => !after.has(key)).length;
    const rest = added.length > 3 ? ` And ${added.length - 3} more.` : "";
    if (added.length > 0) tell("Changed: " + added.slice(0, 3).join(". ") + "." + rest);
    else if (over > 0 && document.querySelector("[data-troubles]")) tell(over === 1 ? "One trouble is over." : over + " troubles are over.");
  }

  // addSelectAll puts a box above a table that ticks those of its rows, and says how many
  // are ticked.
  function addSelectAll(form) {
    const boxes = [...form.querySelectorAll("input[type=checkbox]")];
    const places = document.querySelectorAll("[data-selection]");
    if (places.length === 0 || boxes.length === 0) return;
    const all = document.createElement("input");
    all.type = "checkbox";
    const label = document.createElement("label");
    label.append(all, " Select all on this page");
    const counts = [...places].map((place) => place.appendChild(document.createElement("span")));
    places[0].prepend(label);
    const show = () => {
      const ticked = boxes.filter((box) => box.checked).length;
      all.checked = ticked === boxes.length;
      all.indeterminate = ticked > 0 && ticked < boxes.length;
      counts.forEach((count) => { count.textContent = ticked + " selected"; });
    };
    all.addEventListener("change", () => { boxes.forEach((box) => { box.checked = all.checked; }); show(); });
    form.addEventListener("change", show);
    show();
  }
  document.querySelectorAll("form[data-select]").forEach(addSelectAll);
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  setInterval(() => { if (!document.hidden) showAges(document); }, second);
  if (place === undefined) return;

  document.addEventListener("visibilitychange", () => { if (document.hidden) stream?.abort(); });
  addEventListener("pagehide", () => stream?.abort());
  setInterval(() => {
    if (clock() > due) stream.abort();
    if (failure !== null) showContact();
  }, second);
  // Unseen, the page only keeps its title right.
  setInterval(() => { if (document.hidden) refresh(); }, 60 * second);
  follow();
})();
