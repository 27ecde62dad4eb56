// Drives Debian's chromium with playwright-core: one JSON order a line on stdin, one JSON answer a line on stdout.
//
// Order: {"do", "page", …}; `page` is a number, and each has a profile of its own. Answer: {"ok": …} or {"error"}.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.env.NODE_PATH}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const browser = await chromium.launch({ executablePath: process.argv[2], args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const pages = new Map();

async function open({ page, width = 1280, dark = false, blind = false }) {
  const phone = width < 600;
  const context = await browser.newContext({
    viewport: { width, height: phone ? 844 : 860 }, colorScheme: dark ? "dark" : "light", isMobile: phone, hasTouch: phone,
    acceptDownloads: true, locale: "en-GB", timezoneId: "UTC", ignoreHTTPSErrors: blind, permissions: ["notifications", "clipboard-read", "clipboard-write"],
  });
  const opened = await context.newPage();
  opened.setDefaultTimeout(30_000);
  const said = [];
  opened.on("console", (message) => message.type() === "error" && said.push(message.text()));
  opened.on("pageerror", (error) => said.push(String(error.stack)));
  opened.on("request", (request) => said.push(`REQUEST ${request.url()}`));
  pages.set(page, { opened, said, cdp: await context.newCDPSession(opened) });
}

const does = {
  goto: ({ opened }, { url }) => opened.goto(url).then(() => null),
  reload: ({ opened }) => opened.reload().then(() => null),
  click: ({ opened }, { at }) => opened.locator(at).first().click().then(() => null),
  fill: ({ opened }, { at, text }) => opened.locator(at).first().fill(text).then(() => null),
  choose: ({ opened }, { at, text }) => opened.locator(at).first().selectOption(text).then(() => null),
  press: ({ opened }, { key }) => opened.keyboard.press(key).then(() => null),
  wait: ({ opened }, { at, text, state }) => opened.locator(at, text === undefined ? {} : { hasText: text }).first().waitFor({ state: state ?? "visible" }).then(() => null),
  text: ({ opened }, { at }) => opened.locator(at).first().innerText(),
  texts: ({ opened }, { at }) => opened.locator(at).allInnerTexts(),
  count: ({ opened }, { at }) => opened.locator(at).count(),
  run: ({ opened }, { script }) => opened.evaluate(script),
  cdp: ({ cdp }, { method, params }) => cdp.send(method, params),
  title: ({ opened }) => opened.title(),
  // A dialog stands in the middle of the window, and not of the page.
  shot: async ({ opened }, { file, whole }) => {
    const fullPage = Boolean(whole) && (await opened.locator("dialog[open]").count()) === 0;
    await opened.screenshot({ path: file, fullPage, animations: "disabled" });
    return null;
  },
  saved: async ({ opened }, { at }) => {
    const [download] = await Promise.all([opened.waitForEvent("download"), opened.locator(at).first().click()]);
    return { name: download.suggestedFilename(), text: readFileSync(await download.path(), "utf8") };
  },
  said: ({ said }) => said,
  violations: async ({ opened }) => {
    await opened.evaluate(axe);
    const { violations } = await opened.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    const bad = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    return bad.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.any.map((one) => one.message)}`).join("; ")}`);
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let answer;
  try {
    if (order.do === "open") answer = { ok: (await open(order)) ?? null };
    else answer = { ok: (await does[order.do](pages.get(order.page), order)) ?? null };
  } catch (error) {
    answer = { error: `${JSON.stringify(order).slice(0, 300)}: ${error.message}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
