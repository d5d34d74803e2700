// Opens pages in a real Chromium as people would, and prints each failure. The exit status is 1 if there is any.
// usage: node pages.js CHROMIUM PAGE…
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const [browser, ...pages] = process.argv.slice(2);
const usual = 1280;
const widths = [400, usual, 1920];
const failures = [];
const words = (text) => text.replace(/\s+/g, " ").trim();

const quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const chromiumBrowser = await chromium.launch({ executablePath: browser, args: quiet, timeout: 0 });

async function open(file, options) {
  const context = await chromiumBrowser.newContext(options);
  // The caller of this script limits the time.
  context.setDefaultTimeout(0);
  const page = await context.newPage();
  const fail = (what) => failures.push(`${file} at ${options.viewport.width} px: ${what}`);
  page.on("console", (message) => fail(`the console says: ${message.text()}`));
  page.on("pageerror", (error) => fail(`an error: ${error}`));
  page.on("request", (request) => {
    if (!/^(file|data):/.test(request.url())) fail(`loads from the network: ${request.url()}`);
  });
  await page.goto(pathToFileURL(file).href);
  return { page, fail, close: () => context.close() };
}

async function appearance(file, width, colorScheme) {
  const { page, fail, close } = await open(file, { viewport: { width, height: 900 }, colorScheme });
  await page.evaluate(() => document.querySelectorAll("details").forEach((details) => (details.open = true)));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) fail(`${wide} px too wide`);
  // Colors depend on the scheme, and what covers what depends on the width, but not both on both.
  if (width === usual || colorScheme === "light") {
    await page.addScriptTag({ path: axe });
    const { violations } = await page.evaluate(() => window.axe.run());
    for (const { id, nodes } of violations) {
      fail(`${colorScheme}: ${id}: ${nodes[0].html.slice(0, 200)}; ${nodes[0].failureSummary}`);
    }
  }
  await close();
}

// At the end of a long table, its header is still there, and so is the first column of a wide one. Scores need no scrolling sideways.
async function tables(file, width) {
  const { page, fail, close } = await open(file, { viewport: { width, height: 900 } });
  const problems = await page.evaluate(() => {
    const found = [];
    for (const table of document.querySelectorAll(".scores, .heat")) {
      const box = table.parentElement;
      const last = table.querySelector("tbody tr:last-child > :last-child");
      if (table.matches(".scores") && table.scrollWidth > box.clientWidth) found.push(`scores are ${table.scrollWidth - box.clientWidth} px too wide`);
      last.scrollIntoView({ block: "end", inline: "end" });
      const head = table.querySelector("thead th").getBoundingClientRect();
      const first = last.parentElement.firstElementChild.getBoundingClientRect();
      const end = last.getBoundingClientRect();
      if (head.bottom < 10 || head.top < -1 || head.top > end.top) found.push(`the header of .${table.className} is at ${head.top} px`);
      if (first.left < -1) found.push(`the first column of .${table.className} is at ${first.left} px`);
      if (end.bottom > innerHeight + 1) found.push(`the last row of .${table.className} is at ${end.bottom} px`);
    }
    return found;
  });
  problems.forEach(fail);
  await close();
}

async function keyboard(file) {
  const { page, fail, close } = await open(file, { viewport: { width: 1280, height: 900 } });
  const figures = page.locator("figure.timeline");
  for (let at = 0; at < (await figures.count()); at++) {
    const figure = figures.nth(at);
    const explained = figure.locator(".explained");
    const stops = await figure.locator("svg [data-row][tabindex]").count();
    await figure.locator(":scope > .scroll").focus();
    await page.keyboard.press("Tab");
    const label = () => page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? "");
    const seen = new Set();
    for (let step = 0; step < stops; step++) {
      const now = await label();
      if (!now || !words(await explained.innerText()).includes(words(now))) fail(`mark ${step} of figure ${at} has no explanation: ${now}`);
      seen.add(await page.evaluate(() => document.activeElement.dataset.row));
      await page.keyboard.press("ArrowRight");
    }
    if (seen.size !== stops) fail(`the arrow keys reach ${seen.size} of ${stops} marks`);
    await page.keyboard.press("Home");
    const first = await page.evaluate(() => document.activeElement.dataset.row);
    if (first !== [...seen][0]) fail("the Home key does not lead to the first mark");
  }
  await close();
}

async function pointer(file) {
  const { page, fail, close } = await open(file, { viewport: { width: 1280, height: 900 } });
  const mark = page.locator("svg .member").first();
  if (await mark.count()) {
    await mark.hover({ force: true });
    const shown = await page.locator("figure.timeline", { has: mark }).first().locator(".explained").innerText();
    if (!shown.includes("requestApiKeyName")) fail(`the request is not shown as the broker logged it: ${shown}`);
  }
  await close();
}

async function withoutScript(file) {
  const { page, fail, close } = await open(file, { viewport: { width: 1280, height: 900 }, javaScriptEnabled: false });
  const figures = page.locator("figure.timeline");
  for (let at = 0; at < (await figures.count()); at++) {
    const summary = figures.nth(at).locator(".rows > summary");
    await summary.click();
    if (!(await figures.nth(at).locator("tbody tr").first().isVisible())) fail("without scripts, the table stays hidden");
  }
  await close();
}

async function printed(file) {
  const { page, fail, close } = await open(file, { viewport: { width: 1280, height: 900 } });
  await page.emulateMedia({ media: "print" });
  await page.setViewportSize({ width: 720, height: 900 });
  const cut = await page.evaluate(() =>
    [...document.querySelectorAll("figure.timeline svg")].filter((svg) => svg.getBoundingClientRect().right > 721).length);
  if (cut) fail(`${cut} figures are cut off on paper`);
  await close();
}

for (const file of pages) {
  for (const width of widths) for (const scheme of ["light", "dark"]) await appearance(file, width, scheme);
  for (const width of [1000, 1400]) await tables(file, width);
  await keyboard(file);
  await pointer(file);
  await withoutScript(file);
  await printed(file);
}
await chromiumBrowser.close();
for (const failure of failures) console.log(failure);
process.exit(failures.length ? 1 : 0);
