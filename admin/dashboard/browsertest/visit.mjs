// What the steps of the test share: shops, tabs, and a wire that can be cut.
import assert from "node:assert/strict";
import net from "node:net";
import { setTimeout as pause } from "node:timers/promises";

const { SHOPS } = process.env;
export const wide = { width: 1280, height: 900 };

// A Visit of one step: the tabs that it opens, and what the browser complains about.
export class Visit {
  #browser;
  #contexts = [];
  #complaints = [];
  #wires = [];

  constructor(browser) {
    this.#browser = browser;
  }

  // shop opens a dashboard. Its kind is plain, locked by a token, long of words, many
  // callbacks, or young: just started.
  async shop(kind = "plain") {
    return new Shop(await order("", { kind }));
  }

  // wire leads to a shop.
  async wire(shop) {
    const wire = new Wire(shop.address);
    this.#wires.push(wire);
    await wire.open();
    return wire;
  }

  // tab opens a page in which whatever the browser complains about is an error, but for
  // what is allowed.
  async tab(baseURL, { allowed = /status of (401|404)/, ...options } = {}) {
    const context = await this.#browser.newContext({ baseURL, viewport: wide, ...options });
    this.#contexts.push(context);
    context.setDefaultTimeout(15000);
    const page = await context.newPage();
    page.on("console", (m) => m.type() === "error" && !allowed.test(m.text()) && this.#complaints.push(m.text()));
    page.on("pageerror", (error) => this.#complaints.push(error.stack));
    return page;
  }

  mustNotComplain() {
    assert.deepEqual(this.#complaints, [], "the browser complained");
  }

  async end() {
    await Promise.all(this.#contexts.map((context) => context.close()));
    this.#wires.forEach((wire) => wire.cut());
  }
}

class Shop {
  constructor({ id, address, event }) {
    Object.assign(this, { id, address, event });
  }

  // happen has a store sell.
  happen(store, ...objects) {
    return order(`/${this.id}/events`, { store, objects: objects.join() });
  }

  // suspend has Ecwid refuse store 1002; fail and mend have every page fail, or not.
  suspend() { return order(`/${this.id}/suspend`); }
  fail() { return order(`/${this.id}/fail`); }
  mend() { return order(`/${this.id}/mend`); }

  // ordered returns what was ordered since the last time.
  async ordered() {
    return (await fetch(`${SHOPS}/shops/${this.id}/orders`)).json();
  }
}

async function order(what, form = {}) {
  const answer = await fetch(`${SHOPS}/shops${what}`, { method: "POST", body: new URLSearchParams(form) });
  assert.ok(answer.ok, `${what}: ${answer.status}`);
  return what === "" ? answer.json() : undefined;
}

// A Wire leads to a server, and may be cut, or hold everything back.
class Wire {
  #server;
  #port = 0;
  #sockets = new Set();

  constructor(address) {
    this.to(address);
  }

  get address() { return "http://127.0.0.1:" + this.#port; }

  // to has the wire lead elsewhere from the next connection on.
  to(address) {
    this.target = Number(new URL(address).port);
  }

  open() {
    this.#server = net.createServer((near) => {
      const far = net.connect(this.target, "127.0.0.1");
      for (const [socket, other] of [[near, far], [far, near]]) {
        this.#sockets.add(socket);
        socket.on("data", (data) => other.write(data));
        socket.on("error", () => {}); // close follows
        socket.on("close", () => { this.#sockets.delete(socket); other.destroy(); });
        if (this.held) socket.pause();
      }
    });
    return new Promise((resolve) => this.#server.listen(this.#port, "127.0.0.1", () => {
      this.#port = this.#server.address().port;
      resolve();
    }));
  }

  cut() {
    this.#server.close();
    this.#sockets.forEach((socket) => socket.destroy());
  }

  hold(held) {
    this.held = held;
    this.#sockets.forEach((socket) => (held ? socket.pause() : socket.resume()));
  }
}

// until waits until something holds.
export async function until(what, holds, most = 15000) {
  for (const began = performance.now(); !(await holds()); await pause(50)) {
    assert.ok(performance.now() - began < most, "in vain: " + what);
  }
}

// live waits until a page says that it is live.
export const live = (page) => page.locator("#connection.live").waitFor();

// refreshes counts how often a page is brought up to date.
export function refreshes(page) {
  const seen = { count: 0 };
  page.on("requestfinished", (request) => { if (request.headers()["x-refresh"]) seen.count++; });
  return seen;
}
