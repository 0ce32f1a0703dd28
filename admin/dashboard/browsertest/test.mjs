// Clicks through the dashboard in Chromium: every page and action with JavaScript and
// without, live updates, both themes, a narrow and a wide screen, and what axe-core
// finds wrong for people with disabilities. TestInBrowser starts it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";

const { OPEN, LOCKED, TOKEN, CONTROL, EVENT, SCREENSHOTS } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const pages = {
  overview: "/",
  stores: "/stores",
  store: "/stores/1004",
  callbacks: "/callbacks",
  callback: "/callbacks/warehouse",
  drop: "/callbacks/warehouse/drop?state=dead",
  events: "/events",
  event: "/events/" + EVENT,
  deliveries: "/deliveries?callback=warehouse&state=dead",
  problem: "/nothing-here",
};

const browser = await chromium.launch({
  executablePath: process.argv[2],
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
});
let failed = false;
try {
  // Those that give orders come one after another, for each looks at what was ordered.
  const orders = async () => {
    await step("with JavaScript", withJavaScript);
    await step("without JavaScript", withoutJavaScript);
    await step("by keyboard", byKeyboard);
  };
  const looks = async () => {
    for (const [theme, width] of [["light", 1440], ["dark", 1440], ["light", 360], ["dark", 360]]) {
      await step(`every page, ${theme}, ${width} px`, () => everyPage(theme, width));
    }
    await step("log in and out", logInAndOut);
  };
  await Promise.all([orders(), looks()]);
  await step("live", live);
} finally {
  await browser.close();
}
process.exit(failed ? 1 : 0);

async function step(name, run) {
  const began = performance.now();
  try {
    await run();
  } catch (error) {
    failed = true;
    console.log("FAILED", name + ":", error.stack);
  }
  console.log(name, Math.round(performance.now() - began) + " ms");
}

// open gives a tab in which whatever the browser complains about is an error.
async function tab(options) {
  const context = await browser.newContext({ baseURL: OPEN, ...options });
  context.setDefaultTimeout(8000);
  const page = await context.newPage();
  const complaints = [];
  const allowed = /the server responded with a status of (404|401)/;
  page.on("console", (m) => m.type() === "error" && !allowed.test(m.text()) && complaints.push(m.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  const close = async () => {
    await context.close();
    assert.deepEqual(complaints, [], "the browser complained");
  };
  return { page, close };
}

async function ordered() {
  return (await fetch(CONTROL + "/orders")).json();
}

// act presses a button and checks what was ordered and said.
async function act(page, from, button, order, said) {
  await page.goto(from);
  await ordered();
  await page.getByRole("button", { name: button, exact: true }).click();
  const notice = page.locator(".notice");
  await notice.waitFor();
  assert.deepEqual(await ordered(), order, `${button} on ${from}`);
  assert.match(await notice.textContent(), said);
}

async function everyAction(page) {
  await act(page, "/stores/1001", "Poll now", ["poll 1001"], /Store 1001 is being polled/);
  await page.reload();
  assert.equal(await page.locator(".notice").count(), 0, "the notice was shown twice");
  assert.deepEqual(await ordered(), [], "reloading gave the order again");
  await act(page, "/stores/1001", "Reconcile", ["reconcile 1001"], /compared as a whole/);
  await act(page, "/stores/1001", "Pause", ["pause 1001"], /is paused/);
  await act(page, "/stores/1001", "Resume", ["resume 1001"], /polled again/);
  await act(page, "/callbacks/erp", "Send a test event", ["test erp"], /accepted the test event with 200/);
  await act(page, "/callbacks/erp", "Pause", ["pause erp"], /is paused/);
  await act(page, "/", "Resume erp", ["resume erp"], /delivered to again/);
  await act(page, "/callbacks/warehouse", "Replay all 61 dead", ["replay event= dead=true callback=warehouse"], /1 delivery became pending/);
  await act(page, "/events/" + EVENT, "Replay", [`replay event=${EVENT} dead=false callback=`], /became pending/);

  await page.goto("/events/" + EVENT);
  await page.getByLabel("Deliver again").selectOption("erp");
  await page.getByRole("button", { name: "Replay", exact: true }).click();
  await page.locator(".notice").waitFor();
  assert.deepEqual(await ordered(), [`replay event=${EVENT} dead=false callback=erp`]);

  await page.goto("/callbacks/old-crm");
  await page.getByLabel("Give the pending").selectOption("warehouse");
  await page.getByRole("button", { name: "Move" }).click();
  assert.match(await page.locator(".notice").textContent(), /7 deliveries moved from old-crm to warehouse/);
  assert.deepEqual(await ordered(), ["move old-crm to warehouse"]);

  await page.goto("/callbacks/warehouse");
  await page.getByRole("link", { name: "Drop the dead…" }).click();
  await page.getByRole("link", { name: "Keep them" }).click();
  await page.getByRole("link", { name: "Drop the dead…" }).click();
  assert.deepEqual(await ordered(), [], "dropped without being asked");
  await page.getByRole("button", { name: "Drop 61 dead" }).click();
  assert.match(await page.locator(".notice").textContent(), /3 dead of warehouse dropped for good/);
  assert.deepEqual(await ordered(), ["drop dead warehouse"]);

  await page.goto("/deliveries");
  const boxes = page.locator("tbody input[type=checkbox]");
  const ids = [await boxes.nth(0).getAttribute("value"), await boxes.nth(2).getAttribute("value")];
  await boxes.nth(0).check();
  await boxes.nth(2).check();
  await page.getByRole("button", { name: "Replay the selected" }).click();
  assert.match(await page.locator(".notice").textContent(), /2 deliveries became pending/);
  assert.deepEqual(await ordered(), ids.map((id) => `replay event=${id} dead=false callback=warehouse`));
}

// everyLink goes where a person goes.
async function everyLink(page) {
  const heading = async (text) => assert.match(await page.locator("h1").textContent(), text);
  const nav = page.getByRole("navigation", { name: "Pages" });
  await page.goto("/");
  await heading(/Overview/);
  await nav.getByRole("link", { name: "Stores" }).click();
  await heading(/Stores/);
  assert.equal(await page.locator("tbody tr").count(), 50);
  await page.getByRole("link", { name: "Next page" }).click();
  assert.equal(await page.locator("tbody tr").count(), 14);
  await page.getByLabel("Id, name or tag").fill("nordic");
  await page.getByLabel("State").selectOption("paused");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/find=nordic/);
  assert.match(await page.locator("main").textContent(), /0 stores match of 64/);
  await page.getByRole("link", { name: "Show all" }).click();
  await page.getByRole("link", { name: "1001", exact: true }).click();
  await heading(/Store 1001 Tea & Mugs <b>bold<\/b>/);
  await nav.getByRole("link", { name: "Callbacks" }).click();
  await page.getByRole("link", { name: "warehouse" }).first().click();
  await heading(/Callback warehouse/);
  await nav.getByRole("link", { name: "Events" }).click();
  assert.equal(await page.locator("tbody tr").count(), 50);
  await page.getByRole("link", { name: "Older" }).click();
  await page.getByRole("link", { name: "Newest" }).click();
  await page.getByLabel("Store").fill("1003");
  await page.getByLabel("Type").selectOption("order.updated");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/store=1003/);
  const kinds = await page.locator("tbody .type").allTextContents();
  assert.ok(kinds.length > 0 && kinds.every((kind) => kind === "order.updated"));
  await page.locator("tbody th a").first().click();
  await heading(/order.updated/);
  assert.match(await page.locator(".changes").textContent(), /AWAITING_PAYMENT\s*PAID/);
  assert.equal(await page.locator("pre").last().isVisible(), false);
  await page.getByText("Show the order", { exact: true }).click();
  assert.match(await page.locator("pre").last().innerText(), /"sku": "TEA-250"/);
  await nav.getByRole("link", { name: "Deliveries" }).click();
  assert.equal(await page.locator("tbody tr").count(), 50);
  await page.getByRole("link", { name: "Older" }).click();
  assert.equal(await page.locator("tbody tr").count(), 11);
}

async function withJavaScript() {
  const { page, close } = await tab({ viewport: { width: 1280, height: 900 } });
  await everyLink(page);
  await everyAction(page);
  await page.goto("/");
  await page.locator("#total canvas").first().waitFor();
  assert.equal(await page.locator("#total canvas").count(), 2);
  await page.goto("/callbacks");
  assert.equal(await page.locator("canvas").count(), 4, "erp and warehouse had attempts");
  await page.goto("/deliveries");
  await page.getByLabel("Select all on this page").check();
  assert.equal(await page.locator("tbody input:checked").count(), 50);
  await close();
}

async function withoutJavaScript() {
  const { page, close } = await tab({ javaScriptEnabled: false });
  await everyLink(page);
  await everyAction(page);
  await page.goto("/");
  await page.getByText("Figures as a table").click();
  assert.equal(await page.locator("[data-figures] tbody tr").count(), 48);
  assert.ok(await page.locator("[data-figures] tbody tr").last().isVisible());
  await close();
}

async function byKeyboard() {
  const { page, close } = await tab({ viewport: { width: 1280, height: 900 } });
  await page.goto("/");
  await page.keyboard.press("Tab");
  const skip = page.getByRole("link", { name: "Skip to the content" });
  assert.ok(await skip.evaluate((link) => link === document.activeElement && link.getBoundingClientRect().top >= 0));
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
  await page.keyboard.press("Tab");
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, "solid", "the focus cannot be seen");
  await page.getByRole("button", { name: "Resume mailer" }).focus();
  await page.keyboard.press("Enter");
  await page.locator(".notice").waitFor();
  assert.deepEqual(await ordered(), ["resume mailer"]);
  await page.goto("/callbacks/mailer");
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.locator(".notice").waitFor();
  await ordered();
  await close();
}

async function live() {
  const { page, close } = await tab({ viewport: { width: 1280, height: 900 } });
  await page.goto("/");
  await page.evaluate(() => { window.notReloaded = true; });
  await page.locator("#connection.live").waitFor();
  await fetch(CONTROL + "/event?store=1001&object=LIVE-1", { method: "POST" });
  await page.locator("#latest tr").first().getByText("LIVE-1").waitFor();
  assert.equal(await page.locator("#latest tr").count(), 15, "the list grew");
  const link = page.locator("#store-list").getByRole("link", { name: "1004" });
  await link.focus();
  await fetch(CONTROL + "/suspend", { method: "POST" });
  await page.locator("#status").getByText("the subscription ended").waitFor();
  await page.locator("#store-list").getByText("1002", { exact: true }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "1004", "the focus was lost");
  assert.ok(await page.evaluate(() => window.notReloaded), "the page was loaded again");
  await close();
}

async function logInAndOut() {
  const { page, close } = await tab({ baseURL: LOCKED });
  await page.goto("/stores?state=ok");
  assert.match(page.url(), /\/login\?next=/);
  await page.getByLabel("Token").fill("not it");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("That is not the token").waitFor();
  await page.getByLabel("Token").fill(TOKEN);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL(LOCKED + "/stores?state=ok");
  await page.locator("#connection.live").waitFor();
  const [session] = await page.context().cookies();
  assert.ok(session.httpOnly && session.sameSite === "Strict" && !session.value.includes(TOKEN));
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL(LOCKED + "/login");
  await page.goto("/");
  assert.equal(page.url(), LOCKED + "/login");
  await close();
}

async function everyPage(colorScheme, width) {
  const { page, close } = await tab({ colorScheme, viewport: { width, height: 800 }, reducedMotion: "reduce" });
  for (const [name, address] of Object.entries({ ...pages, login: LOCKED + "/login" })) {
    await page.goto(address);
    await page.locator("h1").waitFor();
    const beside = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
    assert.ok(beside <= 0, `${name} is ${beside} px too wide at ${width} px`);
    if (SCREENSHOTS) await page.screenshot({ path: path.join(SCREENSHOTS, `${name}-${width}-${colorScheme}.png`), fullPage: true });
    if (width === 360) continue; // the same elements
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
    const faults = violations.map((v) => `${v.id}: ${v.nodes.slice(0, 4).map((node) => `${node.html.slice(0, 160)} ${node.any.map((c) => c.message).join("; ")}`).join(" | ")}`);
    assert.deepEqual(faults, [], `${name}, ${colorScheme}, ${width} px`);
  }
  await close();
}
