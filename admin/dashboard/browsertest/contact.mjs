// What a page says when it cannot learn what happens.
import assert from "node:assert/strict";

import { live, until } from "./visit.mjs";

const lost = /^No contact since \d\d:\d\d UTC\. What you see is from then\.$/;
// What the browser itself says of a connection that breaks, or of a refusal.
const broken = { allowed: /net::ERR|status of/ };

// within lets simulated time pass until something holds, and says how many seconds.
async function within(page, what, holds) {
  let passed = 0;
  await until(what, async () => {
    if (await holds()) return true;
    await page.clock.fastForward(1000);
    passed++;
    return false;
  }, 40000);
  return passed;
}

// onWire opens the overview behind a connection that can be cut and held.
async function onWire(visit) {
  const shop = await visit.shop();
  const wire = await visit.wire(shop);
  const page = await visit.tab(wire.address, broken);
  await page.clock.install();
  await page.goto("/");
  await live(page);
  return { shop, wire, page };
}

const barSays = (page, text) => async () => text.test(await page.locator("#lost").textContent());

async function mustLookStale(page) {
  assert.equal(await page.locator("#connection").textContent(), "Not live");
  assert.match(await page.title(), /^No contact · \(\d+\) Overview/);
  assert.equal(await page.getByRole("alert").filter({ hasText: "No contact" }).count(), 1, "the bar is no alert");
  const [filter, color] = await page.evaluate(() => [getComputedStyle(document.querySelector("main")).filter, getComputedStyle(document.getElementById("lost")).backgroundColor]);
  assert.equal(filter, "grayscale(1)", "what is old looks new");
  assert.equal(color, "rgb(168, 31, 25)", "the bar is not red");
}

async function mustBeBack(page) {
  await live(page);
  await until("the bar goes", barSays(page, /^$/));
  assert.match(await page.locator("#said").textContent(), /^Contact is back|^Changed/);
  assert.match(await page.title(), /^\(\d+\) Overview/);
  assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector("main")).filter), "none");
}

// The daemon was killed.
export async function contactBroken(visit) {
  const { shop, wire, page } = await onWire(visit);
  wire.cut();
  const passed = await within(page, "the page says that contact is lost", barSays(page, lost));
  assert.ok(passed >= 3 && passed <= 20, `it said so after ${passed} s`);
  await mustLookStale(page);
  const age = page.locator("#latest time").first();
  const before = await age.textContent();
  await page.clock.fastForward(300000);
  assert.notEqual(await age.textContent(), before, "ages stand still");
  await shop.happen(1001, "MEANWHILE");
  await wire.open();
  await within(page, "the page comes back", barSays(page, /^$/));
  await mustBeBack(page);
  await page.locator("#latest").getByText("MEANWHILE").waitFor();
  await shop.happen(1001, "AFTERWARDS");
  await within(page, "the page follows again", async () => (await page.locator("#latest").getByText("AFTERWARDS").count()) > 0);
}

// The daemon hangs: connections stay, and nothing comes.
export async function contactSilent(visit) {
  const { wire, page } = await onWire(visit);
  wire.hold(true);
  const passed = await within(page, "the page says that contact is lost", barSays(page, lost));
  assert.ok(passed >= 20 && passed <= 50, `it said so after ${passed} s`);
  await mustLookStale(page);
  wire.hold(false);
  await within(page, "the page comes back", barSays(page, /^$/));
  await mustBeBack(page);
}

export async function contactWithErrors(visit) {
  const shop = await visit.shop();
  const page = await visit.tab(shop.address, broken);
  await page.clock.install();
  await page.goto("/");
  await live(page);
  await shop.fail();
  await within(page, "the page says that there are errors", barSays(page, /^The daemon has answered with errors since/));
  await shop.mend();
  await within(page, "the page comes back", barSays(page, /^$/));
  await mustBeBack(page);
}

// A restart ends the sessions: the page asks for the token, and comes back.
export async function restartWithLogin(visit) {
  const wire = await visit.wire(await visit.shop("locked"));
  const page = await visit.tab(wire.address, broken);
  const enter = async () => {
    await page.getByLabel("Token").fill(process.env.TOKEN);
    await page.getByRole("button", { name: "Log in" }).click();
  };
  await page.goto("/stores?state=ok");
  await enter();
  await live(page);
  wire.cut();
  wire.to((await visit.shop("locked")).address);
  await wire.open();
  await page.waitForURL(wire.address + "/login?next=%2Fstores%3Fstate%3Dok");
  await enter();
  await page.waitForURL(wire.address + "/stores?state=ok");
  await live(page);
}

// All places are taken: the page says so, and still looks again.
export async function tooManyPages(visit) {
  const shop = await visit.shop();
  const listeners = await Promise.all(Array.from({ length: 32 }, () => fetch(shop.address + "/live?after=1")));
  const page = await visit.tab(shop.address, broken);
  await page.clock.install();
  await page.goto("/");
  await page.getByText("Not live: too many pages are open").waitFor();
  await shop.happen(1001, "STILL-SEEN");
  await within(page, "the page looks again", async () => (await page.locator("#latest").getByText("STILL-SEEN").count()) > 0);
  assert.equal(await page.locator("#lost").textContent(), "");
  await Promise.all(listeners.map((answer) => answer.body.cancel()));
  await within(page, "the page is live", async () => (await page.locator("#connection.live").count()) > 0);
}

// A browser has few connections: a page that nobody sees holds none.
export async function inTheBackground(visit) {
  const shop = await visit.shop();
  const page = await visit.tab(shop.address, broken);
  await page.clock.install();
  let open = 0, most = 0;
  const isLive = (request) => request.url().includes("/live");
  page.on("request", (request) => { if (isLive(request)) most = Math.max(most, ++open); });
  for (const end of ["requestfinished", "requestfailed"]) page.on(end, (request) => { if (isLive(request)) open--; });
  const hide = (hidden) => page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
  await page.goto("/");
  await live(page);
  for (let i = 0; i < 3; i++) {
    await hide(true);
    await until("nobody listens", () => open === 0);
    await hide(false);
    await until("the page listens again", () => open === 1);
  }
  await hide(true);
  await until("nobody listens", () => open === 0);
  const before = await page.title();
  await shop.suspend();
  await page.clock.fastForward(61000);
  await until("the title is right", async () => (await page.title()) !== before);
  assert.equal(open, 0, "the page listens unseen");
  await shop.happen(1001, "UNSEEN");
  await hide(false);
  await within(page, "the page looks again", async () => (await page.locator("#latest").getByText("UNSEEN").count()) > 0);
  await page.goto("/stores");
  await until("the page before has stopped", () => open <= 1);
  assert.equal(most, 1, "a page listened more than once at a time");
}
