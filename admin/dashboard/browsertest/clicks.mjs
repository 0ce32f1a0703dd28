// Where a person clicks, with JavaScript and without.
import assert from "node:assert/strict";

import { live } from "./visit.mjs";

// act presses a button and checks what was ordered and said.
async function act(page, shop, from, button, order, said) {
  await page.goto(from);
  await shop.ordered();
  await page.getByRole("button", { name: button, exact: true }).click();
  const notice = page.locator(".notice");
  await notice.waitFor();
  assert.deepEqual(await shop.ordered(), order, `${button} on ${from}`);
  assert.match(await notice.textContent(), said);
  assert.equal(await page.evaluate(() => document.activeElement.className), "notice ok", "the notice has not the focus");
}

async function everyAction(page, shop) {
  await act(page, shop, "/stores/1001", "Poll now", ["poll 1001"], /Store 1001 is being polled/);
  await page.reload();
  assert.equal(await page.locator(".notice").count(), 0, "the notice was shown twice");
  assert.deepEqual(await shop.ordered(), [], "reloading gave the order again");
  await act(page, shop, "/stores/1001", "Reconcile", ["reconcile 1001"], /compared as a whole/);
  await act(page, shop, "/stores/1001", "Pause", ["pause 1001"], /is paused/);
  await act(page, shop, "/stores/1001", "Resume", ["resume 1001"], /polled again/);
  await act(page, shop, "/callbacks/erp", "Send a test event", ["test erp"], /accepted the test event with 200/);
  await act(page, shop, "/callbacks/erp", "Pause", ["pause erp"], /is paused/);
  await act(page, shop, "/", "Resume erp", ["resume erp"], /delivered to again/);
  await page.goto("/callbacks/warehouse");
  await page.getByRole("link", { name: "Replay all 61 dead…" }).click();
  await act(page, shop, page.url(), "Replay 61 dead", ["replay event= dead=true callback=warehouse"], /1 delivery became pending/);
  await act(page, shop, "/events/" + shop.event, "Replay", [`replay event=${shop.event} dead=false callback=`], /became pending/);

  await page.goto("/events/" + shop.event);
  await page.getByLabel("Deliver again").selectOption("erp");
  await page.getByRole("button", { name: "Replay", exact: true }).click();
  await page.locator(".notice").waitFor();
  assert.deepEqual(await shop.ordered(), [`replay event=${shop.event} dead=false callback=erp`]);

  await page.goto("/callbacks/old-crm");
  await page.getByLabel("Give the pending").selectOption("warehouse");
  await page.getByRole("button", { name: "Move…" }).click();
  assert.deepEqual(await shop.ordered(), [], "moved without being asked");
  await page.getByRole("button", { name: "Move 7 deliveries to warehouse" }).click();
  assert.match(await page.locator(".notice").textContent(), /7 deliveries moved from old-crm to warehouse/);
  assert.deepEqual(await shop.ordered(), ["move old-crm to warehouse"]);

  await page.goto("/callbacks/warehouse");
  await page.getByRole("link", { name: "Drop the dead…" }).click();
  await page.getByRole("link", { name: "Keep them" }).click();
  await page.getByRole("link", { name: "Drop the dead…" }).click();
  assert.deepEqual(await shop.ordered(), [], "dropped without being asked");
  await page.getByRole("button", { name: "Drop 61 dead" }).click();
  assert.match(await page.locator(".notice").textContent(), /3 dead of warehouse dropped for good/);
  assert.deepEqual(await shop.ordered(), ["drop dead warehouse"]);

  await page.goto("/deliveries");
  const boxes = page.locator("tbody input[type=checkbox]");
  const ids = [await boxes.nth(0).getAttribute("value"), await boxes.nth(2).getAttribute("value")];
  await boxes.nth(0).check();
  await boxes.nth(2).check();
  await page.getByRole("button", { name: "Replay the selected" }).first().click();
  assert.match(await page.locator(".notice").textContent(), /2 deliveries became pending/);
  assert.deepEqual(await shop.ordered(), ids.map((id) => `replay event=${id} dead=false callback=warehouse`));
}

// everyLink goes where a person goes.
async function everyLink(page) {
  const heading = async (text) => assert.match(await page.locator("h1").textContent(), text);
  // The last row comes last, also of a page that is still being read.
  const rows = async (n) => {
    await page.locator("tbody tr").nth(n - 1).waitFor();
    await page.locator("footer").waitFor();
    assert.equal(await page.locator("tbody tr").count(), n);
  };
  const nav = page.getByRole("navigation", { name: "Pages" });
  await page.goto("/");
  await heading(/Overview/);
  await nav.getByRole("link", { name: "Stores" }).click();
  await heading(/Stores/);
  await rows(50);
  await page.getByRole("link", { name: "Next page" }).click();
  await rows(14);
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
  await rows(50);
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
  await rows(50);
  await page.getByRole("link", { name: "Older" }).click();
  await rows(11);
  await page.getByRole("link", { name: "Newer" }).click();
  await rows(50);
}

export async function withJavaScript(visit) {
  const shop = await visit.shop();
  const page = await visit.tab(shop.address);
  await everyLink(page);
  await everyAction(page, shop);
  await page.goto("/deliveries");
  const all = page.getByLabel("Select all on this page");
  await page.setViewportSize({ width: 360, height: 800 });
  await all.check();
  assert.equal(await page.locator("tbody input:checked").count(), 50);
  assert.deepEqual(await page.locator("[data-selection] span").allTextContents(), ["50 selected", "50 selected"]);
  await page.locator("tbody input").nth(3).uncheck();
  assert.deepEqual(await all.evaluate((box) => [box.checked, box.indeterminate]), [false, true], "not all are selected");
  await all.check();
  await all.uncheck();
  assert.equal(await page.locator("tbody input:checked").count(), 0);
}

export async function withoutJavaScript(visit) {
  const shop = await visit.shop();
  const page = await visit.tab(shop.address, { javaScriptEnabled: false });
  await everyLink(page);
  await everyAction(page, shop);
  await page.goto("/");
  assert.match(await page.locator("#connection").textContent(), /^As of \d\d:\d\d UTC$/);
  await page.getByText("Figures as a table").click();
  await page.locator("[data-figures] tbody tr").nth(47).waitFor();
  assert.equal(await page.locator("[data-figures] tbody tr").count(), 48);
}

export async function byKeyboard(visit) {
  const shop = await visit.shop();
  const page = await visit.tab(shop.address);
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
  await page.locator(".notice:focus").waitFor();
  assert.deepEqual(await shop.ordered(), ["resume mailer"]);
}

export async function logInAndOut(visit) {
  const { address } = await visit.shop("locked");
  const page = await visit.tab(address);
  await page.goto("/stores?state=ok");
  assert.match(page.url(), /\/login\?next=/);
  await page.getByLabel("Token").fill("not it");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByText("That is not the token").waitFor();
  await page.getByLabel("Token").fill(process.env.TOKEN);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.waitForURL(address + "/stores?state=ok");
  await live(page);
  const [session] = await page.context().cookies();
  assert.ok(session.httpOnly && session.sameSite === "Strict" && !session.value.includes(process.env.TOKEN));

  // What is open beside the page that logs out asks for the token too.
  const beside = await page.context().newPage();
  await beside.goto("/callbacks/erp");
  await live(beside);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.waitForURL(address + "/login");
  await beside.waitForURL(address + "/login?next=%2Fcallbacks%2Ferp");
  await page.goto("/");
  assert.equal(page.url(), address + "/login");
}
