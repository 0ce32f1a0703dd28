// How pages look, and what axe-core finds wrong.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

import { until } from "./visit.mjs";

const { SCREENSHOTS } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const addresses = (shop) => ({
  overview: "/",
  stores: "/stores",
  store: "/stores/1004",
  callbacks: "/callbacks",
  callback: "/callbacks/warehouse",
  drop: "/callbacks/warehouse/drop?state=dead",
  move: "/callbacks/old-crm/move?to=erp",
  events: "/events",
  event: "/events/" + shop.event,
  deliveries: "/deliveries?callback=warehouse&state=dead",
  problem: "/nothing-here",
});

// looks opens every page in every form. What a theme changes are colours only.
export async function looks(visit, colorScheme, width) {
  const shop = await visit.shop(), locked = await visit.shop("locked");
  const page = await visit.tab(shop.address, { colorScheme, viewport: { width, height: 800 }, reducedMotion: "reduce" });
  await page.addInitScript(axe);
  const options = colorScheme === "dark" ? { runOnly: ["color-contrast"] } : {};
  const look = async (name) => {
    await page.locator("footer").waitFor();
    await picture(page, `${name}-${width}-${colorScheme}`);
    await mustFit(page, name, width);
    if (await page.locator("details").count() > 0) {
      await page.locator("details").evaluateAll((all) => all.forEach((details) => { details.open = true; }));
      await picture(page, `${name}-open-${width}-${colorScheme}`);
      await mustFit(page, name + ", open", width);
    }
    const { violations } = await page.evaluate((given) => window.axe.run(document, { resultTypes: ["violations"], ...given }), options);
    const faults = violations.map((v) => `${v.id}: ${v.nodes.slice(0, 4).map((node) => `${node.html.slice(0, 160)} ${node.any.map((c) => c.message).join("; ")}`).join(" | ")}`);
    assert.deepEqual(faults, [], `${name}, ${colorScheme}, ${width} px`);
  };
  for (const [name, address] of Object.entries(addresses(shop))) {
    await page.goto(address);
    await look(name);
    if (name === "drop") await mustWarn(page);
  }
  if (colorScheme === "light") {
    await page.goto((await visit.shop("many")).address + "/callbacks");
    await look("callbacks-many");
  }
  await page.goto("/callbacks/erp");
  await page.getByRole("button", { name: "Send a test event" }).click();
  await page.locator(".notice").waitFor();
  await look("notice");
  await page.goto("/deliveries");
  await page.getByRole("button", { name: "Replay the selected" }).first().click();
  await page.locator(".notice.bad").waitFor();
  await look("notice-bad");
  await page.goto("/");
  await page.evaluate(() => {
    document.getElementById("lost").textContent = "No contact since 21:09 UTC. What you see is from then.";
    document.body.classList.add("stale");
  });
  await look("lost");
  await page.goto(locked.address + "/login");
  await look("login");
  await page.getByLabel("Token").fill("not it");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.locator(".notice.bad").waitFor();
  await look("login-wrong");
}

async function picture(page, name) {
  if (SCREENSHOTS) await page.screenshot({ path: path.join(SCREENSHOTS, name + ".png"), fullPage: true });
}

// mustWarn holds that what cannot be undone is red.
async function mustWarn(page) {
  const [danger, bad] = await page.evaluate(() => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = "var(--bad)";
    const colors = [getComputedStyle(document.querySelector(".danger")).color, getComputedStyle(probe).color];
    probe.remove();
    return colors;
  });
  assert.equal(danger, bad, "a dangerous button is not red");
}

// mustFit holds that a page needs no scrolling sideways, hides no cell, and breaks no
// number, state, type or time.
async function mustFit(page, name, width) {
  const faults = await page.evaluate(() => {
    const found = [];
    const beside = document.scrollingElement.scrollWidth - innerWidth;
    if (beside > 0) found.push(`${beside} px too wide`);
    const text = (element) => element.textContent.trim().slice(0, 60);
    if (beside > 0) {
      const wide = [...document.querySelectorAll("body *")].filter((element) => !element.closest(".scroll") && element.getBoundingClientRect().right > innerWidth + 1);
      for (const element of wide.filter((e) => !wide.some((other) => other !== e && e.contains(other)))) found.push(`too wide: ${element.tagName} ${element.className} ${text(element)}`);
    }
    for (const element of document.querySelectorAll("td.number, .state, .type, time[title], td time, .tiles dd")) {
      const range = document.createRange();
      range.selectNodeContents(element.querySelector("a, time") ?? element);
      const lines = new Set([...range.getClientRects()].filter((box) => box.width > 1).map((box) => Math.round(box.top / 8)));
      if (lines.size > 1) found.push("broken: " + text(element));
    }
    for (const cell of document.querySelectorAll("main [data-label]")) {
      if (!cell.checkVisibility() && !cell.querySelector(":scope > .none:only-child")) found.push("hidden: " + cell.dataset.label);
      const box = cell.getBoundingClientRect(), table = cell.closest("table").getBoundingClientRect();
      if (box.right > table.right + 1) found.push("outside of its table: " + text(cell));
      if (cell.scrollWidth > cell.clientWidth + 1) found.push("wider than its cell: " + text(cell));
    }
    return [...new Set(found)].slice(0, 12);
  });
  assert.deepEqual(faults, [], `${name} at ${width} px`);
}

export async function longWords(visit) {
  const shop = await visit.shop("long");
  const page = await visit.tab(shop.address);
  const callback = "DonaudampfschifffahrtDonaudampfschifffahrtDonaudampfschifffahrt";
  const all = Object.entries({
    ...addresses(shop), store: "/stores/900000001004", callback: "/callbacks/" + callback, drop: `/callbacks/${callback}/drop?state=dead`,
    deliveries: `/deliveries?callback=${callback}&state=dead`,
  });
  for (const [name, address] of all) {
    await page.goto(address);
    for (const width of [360, 768, 1024, 1440]) {
      await page.setViewportSize({ width, height: 800 });
      await picture(page, `long-${name}-${width}`);
      await mustFit(page, "long " + name, width);
    }
  }
}

// charts holds what they show against the tables that they are drawn from.
export async function charts(visit) {
  const shop = await visit.shop();
  const page = await visit.tab(shop.address, { colorScheme: "light" });
  await page.goto("/");
  const events = page.locator("#total figure").first();
  await events.locator("canvas").waitFor();
  assert.equal(await page.locator("#total canvas").count(), 2);
  await page.getByText("Counted since").waitFor();

  // What the pointer is at is said as the table has it, and so are the times in which
  // nobody counted.
  const at = async (figure, part) => {
    await figure.scrollIntoViewIfNeeded();
    const box = await figure.locator(".u-over").boundingBox();
    await page.mouse.move(box.x + box.width * part, box.y + box.height / 2);
    await figure.locator(".at:not(:empty)").waitFor();
    return figure.locator(".at").textContent();
  };
  const row = (table, clock) => page.locator(`[data-figures="${table}"] tbody tr`, { hasText: clock }).first().locator("td").allTextContents();
  const said = await at(events, 0.6);
  const counts = await row("total", said.slice(0, 5));
  assert.equal(said.slice(5), `: ${counts[0]} created, ${counts[1]} updated, ${counts[2]} deleted`);
  assert.match(await at(events, 0.01), /: not counted$/);

  // Bars stand on top of each other: what is seen of each colour is as high as its count.
  const pixels = (color, of = events) => of.evaluate((figure, name) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = `var(${name})`;
    const wanted = getComputedStyle(probe).color.match(/\d+/g).map(Number);
    probe.remove();
    const canvas = figure.querySelector("canvas");
    if (!canvas) return 0; // it is being drawn anew
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let n = 0;
    for (let i = 0; i < data.length; i += 4) if (wanted.every((value, c) => Math.abs(data[i + c] - value) < 6) && data[i + 3] > 250) n++;
    return n;
  }, color);
  const sums = await page.locator("[data-figures=total] tbody").evaluate((body) => [0, 1].map((i) => [...body.rows].reduce((sum, r) => sum + Number(r.cells[i + 1].dataset.value ?? 0), 0)));
  const drawn = await pixels("--series-2") / await pixels("--series-1");
  const counted = sums[1] / sums[0];
  assert.ok(Math.abs(drawn / counted - 1) < 0.2, `bars of ${counted} times the height are ${drawn} times as high`);

  await page.emulateMedia({ colorScheme: "dark" });
  await until("the chart has the colours of the other theme", async () => (await pixels("--series-1")) > 100);
  const before = await events.locator("canvas").evaluate((canvas) => canvas.clientWidth);
  await page.setViewportSize({ width: 500, height: 800 });
  await page.waitForFunction((width) => document.querySelector("#total canvas").clientWidth < width, before);

  await page.goto("/callbacks");
  assert.equal(await page.locator("canvas").count(), 4, "erp and warehouse had attempts");
  const times = page.locator("#day-erp figure").nth(1);
  const slow = await at(times, 0.5);
  const [, , , median, p95] = await row("day-erp", slow.slice(0, 5));
  const [, high, low] = slow.match(/: ([\d.]+) s 95 % within, ([\d.]+) s median/).map(Number);
  assert.deepEqual([Math.round(low * 1000) + " ms", Math.round(high * 1000) + " ms"], [median, p95]);

  // Soon after a start there is one period, which no line goes through.
  await page.goto((await visit.shop("young")).address + "/callbacks/erp");
  for (const [figure, color] of [[0, "--series-2"], [1, "--series-1"], [1, "--series-3"]]) {
    await until("a period alone is seen", async () => (await pixels(color, page.locator("#day-erp figure").nth(figure))) > 2);
  }
}
