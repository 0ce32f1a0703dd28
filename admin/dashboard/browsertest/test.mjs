// Clicks through the dashboard in Chromium: every page and action with JavaScript and
// without, live updates, the loss of contact, both themes, four widths, and what axe-core
// finds wrong for people with disabilities. TestInBrowser starts it. Each step has a shop
// of its own, so that steps run side by side.
import { chromium } from "playwright-core";

import { byKeyboard, logInAndOut, withJavaScript, withoutJavaScript } from "./clicks.mjs";
import { contactBroken, contactSilent, contactWithErrors, inTheBackground, restartWithLogin, tooManyPages } from "./contact.mjs";
import { ages, clicksWhileLive, liveLists, liveTroubles } from "./live.mjs";
import { charts, longWords, looks } from "./looks.mjs";
import { Visit } from "./visit.mjs";

const steps = {
  "with JavaScript": withJavaScript,
  "without JavaScript": withoutJavaScript,
  "looks, light, 1440 px": (visit) => looks(visit, "light", 1440),
  "looks, light, 360 px": (visit) => looks(visit, "light", 360),
  "looks, dark, 1440 px": (visit) => looks(visit, "dark", 1440),
  "looks, dark, 360 px": (visit) => looks(visit, "dark", 360),
  "long words and numbers": longWords,
  "log in and out": logInAndOut,
  "by keyboard": byKeyboard,
  "live lists": liveLists,
  "live troubles": liveTroubles,
  "clicks while live": clicksWhileLive,
  "ages": ages,
  "contact broken": contactBroken,
  "contact silent": contactSilent,
  "contact with errors": contactWithErrors,
  "restart with login": restartWithLogin,
  "too many pages": tooManyPages,
  "tab in the background": inTheBackground,
  "charts": charts,
};

const browser = await chromium.launch({
  executablePath: process.argv[2],
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
});
let failed = false;
try {
  const left = Object.entries(steps).filter(([name]) => name.includes(process.env.STEPS ?? ""));
  const work = async () => {
    for (let next; (next = left.shift());) await step(...next);
  };
  await Promise.all([work(), work(), work(), work()]);
} finally {
  await browser.close();
}
process.exit(failed ? 1 : 0);

async function step(name, run) {
  const began = performance.now();
  const visit = new Visit(browser);
  try {
    await run(visit);
    visit.mustNotComplain();
  } catch (error) {
    failed = true;
    console.log("FAILED", name + ":", error.stack);
  }
  await visit.end();
  console.log(name, Math.round(performance.now() - began) + " ms");
}
