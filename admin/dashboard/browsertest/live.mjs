// What a page does while things happen.
import assert from "node:assert/strict";

import { live, refreshes, until } from "./visit.mjs";

const objects = (page) => page.locator("#latest tbody th").allTextContents();
const names = (from, n) => Array.from({ length: n }, (_, i) => `${from}-${i + 1}`);

export async function liveLists(visit) {
  const shop = await visit.shop();
  const page = await visit.tab(shop.address);
  await page.goto("/");
  await page.evaluate(() => { window.notReloaded = true; });
  await live(page);
  await shop.happen(1001, "LIVE-1");
  await page.locator("#latest tr.new").getByText("LIVE-1").waitFor();
  assert.equal((await objects(page)).length, 15, "the list grew");

  // However much happens, the page looks every 2 seconds only.
  const often = refreshes(page);
  for (const object of names("A", 25)) {
    await shop.happen(1001, object);
    await page.waitForTimeout(100);
  }
  assert.ok(often.count <= 3, `in a few seconds the page looked ${often.count} times`);

  // A burst: all of the list is new.
  const burst = names("B", 45);
  await shop.happen(1002, ...burst.slice(0, 30));
  await shop.happen(1001, ...burst.slice(30));
  await until("the burst shows", async () => (await objects(page)).join() === burst.slice(-15).reverse().join());

  // What is open stays open, and a focus on what goes away stays near.
  await page.locator("summary").first().click();
  await page.locator("#latest tbody tr").last().locator("th a").focus();
  await shop.happen(1001, ...names("C", 3));
  await page.locator("#latest").getByText("C-3").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.closest("tr")?.parentElement.closest("#latest") !== undefined && document.activeElement.tagName), "A", "the focus was lost");
  assert.ok(await page.locator("details").first().evaluate((details) => details.open), "the figures were closed");
  assert.ok(await page.locator("#total canvas").count() > 0, "the charts are gone");
  assert.ok(await page.evaluate(() => window.notReloaded), "the page was loaded again");

  // A list that is filtered stays so.
  await page.goto("/events?store=1003");
  await live(page);
  await shop.happen(1001, "OTHER");
  await shop.happen(1003, "MINE");
  await page.locator("#latest").getByText("MINE").waitFor();
  assert.equal(await page.locator("#latest").getByText("OTHER").count(), 0, "the filter is gone");
  await page.goto("/events?store=1001&object=NEVER-SEEN");
  await page.getByText("No event matches").waitFor();
  await live(page);
  await shop.happen(1001, "NEVER-SEEN");
  await page.locator("#latest").getByText("NEVER-SEEN").first().waitFor();

  // What does not follow does not say so.
  for (const address of ["/events?after=40", "/deliveries"]) {
    await page.goto(address);
    assert.match(await page.locator("#connection").textContent(), /^As of/, address);
  }
}

export async function liveTroubles(visit) {
  const shop = await visit.shop();
  const page = await visit.tab(shop.address);
  await page.goto("/");
  await live(page);
  const troubles = async () => Number(/^\((\d+)\) Overview/.exec(await page.title())[1]);
  const before = await troubles();
  const link = page.locator("#store-list").getByRole("link", { name: "1004" });
  await link.focus();
  // Somebody reads the line of store 1008.
  await page.evaluate(() => {
    const text = document.querySelector("#store-list .why");
    getSelection().selectAllChildren(text);
  });
  const selected = await page.evaluate(() => String(getSelection()));
  assert.ok(selected.length > 10);
  await shop.suspend();
  await page.locator("#status").getByText("the subscription ended").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "1004", "the focus was lost");
  assert.equal(await page.evaluate(() => String(getSelection())), selected, "the selection was lost");
  assert.match(await page.locator("#said").textContent(), /^Changed: store 1002: Ecwid refuses it: 402/, "nobody hears of it");
  assert.equal(await troubles(), before + 1, "the title does not count");
  await page.evaluate(() => getSelection().removeAllRanges());
  await shop.happen(1001, "X");
  await page.locator("#store-list").getByRole("link", { name: "1002" }).waitFor();

  await page.goto("/stores/1001");
  await live(page);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await page.waitForEvent("load"); // a page that comes back from the browser's memory is old

  // The daemon was upgraded meanwhile: the page needs what it was made for.
  await live(page);
  await page.evaluate(() => { document.querySelector("link[href*='dashboard.css']").setAttribute("href", "/assets/dashboard.css?before"); });
  await Promise.all([page.waitForEvent("load"), shop.happen(1001, "Y")]);
}

export async function clicksWhileLive(visit) {
  const shop = await visit.shop();
  const page = await visit.tab(shop.address);
  // The pages' clock stands still but for what is let pass, so that nothing takes longer for
  // them on a machine that is busy.
  const now = Date.now();
  await page.clock.install({ time: now });
  await page.clock.pauseAt(now + 3600 * 1000);
  const seen = refreshes(page);
  const refreshed = async (object, ticks) => {
    const before = seen.count;
    await shop.happen(1002, object);
    await until("the page is taken anew", async () => { await page.clock.runFor(ticks); return seen.count > before; });
  };
  for (const [address, name, ordered] of [["/stores/1002", "Pause", "pause 1002"], ["/callbacks/erp", "Pause", "pause erp"], ["/", "Resume mailer", "resume mailer"]]) {
    await page.goto(address);
    await live(page);
    const button = page.getByRole("button", { name, exact: true });
    await button.evaluate((element) => { window.button = element; });
    await refreshed("A", 100);
    await page.clock.runFor(5000); // the pointer rests
    assert.ok(await page.evaluate(() => window.button.isConnected), `${name} was replaced`);
    // Long pressed, while the page wants to be brought up to date.
    await button.hover();
    await page.mouse.down();
    if (address === "/stores/1002") await shop.suspend();
    await refreshed("B", 1);
    await page.clock.runFor(1000);
    await page.mouse.up();
    await page.locator(".notice").waitFor();
    assert.deepEqual(await shop.ordered(), [ordered]);
  }
}

export async function ages(visit) {
  const shop = await visit.shop();
  const page = await visit.tab(shop.address);
  await page.clock.install();
  for (const address of ["/events?after=100", "/deliveries"]) { // which no refresh changes
    await page.goto(address);
    const age = page.locator("time[title]").last();
    await age.evaluate((time) => { time.dateTime = new Date(document.body.dataset.now - 84 * 60 * 1000).toISOString(); });
    await page.clock.fastForward(1000);
    assert.equal(await age.textContent(), "1 h ago", address);
    await page.clock.fastForward(3 * 3600 * 1000);
    assert.equal(await age.textContent(), "4 h ago", address);
    await page.clock.fastForward(48 * 3600 * 1000);
    assert.equal(await age.textContent(), "2 d ago", address);
  }
}
