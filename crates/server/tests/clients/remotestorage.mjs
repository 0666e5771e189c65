// remoteStorage as apps speak it: remotestorage.js in a browser, on pages of another site than holm, on several devices of one
// person. HOLM_SCENARIO says what to do, HOLM_ORIGIN and HOLM_SESSION with what, HOLM_TOKEN is another app's, to look with,
// HOLM_LIBRARY says which release of the library, HOLM_APP where the example app is, HOLM_CHROMIUM the browser. A line on standard output asks the test for something.
// With HOLM_SHOTS, a folder, the example is put there as pictures.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { chromium } from "playwright-core";

const { HOLM_SCENARIO, HOLM_ORIGIN, HOLM_SESSION, HOLM_TOKEN, HOLM_LIBRARY, HOLM_APP, HOLM_CHROMIUM, HOLM_SHOTS } = process.env;
const find = createRequire(`${process.cwd()}/`).resolve;
const axe = readFileSync(find("axe-core/axe.min.js"), "utf8");
const ADDRESS = `ann@${new URL(HOLM_ORIGIN).host}`;
const PATIENCE = 20_000;

/** An app as developers write it: a client for its folder, whose events and errors are kept. */
function begin() {
  const rs = new window.RemoteStorage({ cache: true, changeEvents: { local: true, window: false, remote: true, conflict: true } });
  rs.access.claim("notes", "rw");
  rs.caching.enable("/notes/");
  rs.setSyncInterval(2_000);
  const [client, open] = [rs.scope("/notes/"), rs.scope("/public/notes/")];
  Object.assign(window, { rs, client, open, events: [], errors: [] });
  client.on("change", ({ origin, relativePath, oldValue, newValue }) => window.events.push({ origin, relativePath, oldValue, newValue }));
  rs.on("error", error => window.errors.push(error?.name ?? String(error)));
}
const PAGE = `<!doctype html><title>App</title><script src="library.js"></script><script>(${begin})()</script>`;

/** The site that the app is from. */
const TYPES = { ".html": "text/html", ".js": "text/javascript" };
const site = createServer((request, response) => {
  const path = new URL(request.url, "http://localhost").pathname;
  const files = { "/": null, "/library.js": HOLM_LIBRARY && find(HOLM_LIBRARY) };
  const file = HOLM_APP ? join(HOLM_APP, path === "/" ? "index.html" : path) : files[path];
  try {
    response.setHeader("Content-Type", TYPES[path.match(/\.\w+$/)?.[0] ?? ".html"] ?? "text/plain");
    response.end(file ? readFileSync(file) : PAGE);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise(listens => site.listen(0, "127.0.0.1", listens));
const APP = `http://localhost:${site.address().port}/`;

const browser = await chromium.launch({ executablePath: HOLM_CHROMIUM, args: ["--no-sandbox", "--disable-quic"] });

/** One more device: a browser that has never seen the app. */
async function device(options = {}) {
  const context = await browser.newContext({ reducedMotion: "reduce", viewport: { width: 1280, height: 860 }, ...options });
  // Somebody who is signed in to holm on it. As of a page over TLS: that of this machine may keep it too.
  await context.addCookies([{ name: "__Host-holm", value: HOLM_SESSION, url: HOLM_ORIGIN.replace("http:", "https:"), secure: true, httpOnly: true, sameSite: "Lax" }]);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const wrong = [];
  // Without a network the library leaves rejections to nobody.
  page.on("pageerror", error => /Failed to fetch/.test(String(error)) || wrong.push(String(error)));
  await page.goto(APP);
  return { context, page, wrong };
}

/** What the storage itself says. */
const storage = (method, path, token = HOLM_TOKEN) => fetch(`${HOLM_ORIGIN}/rs/ann${path}`, { method, headers: token ? { Authorization: `Bearer ${token}` } : {} });
const kept = async path => (await storage("GET", path)).text();
const names = async path => Object.keys((await (await storage("GET", path)).json()).items).sort();

async function until(what, holds) {
  for (const began = Date.now(); ; ) {
    const last = await holds();
    if (last) return last;
    if (Date.now() - began > PATIENCE) throw new Error(`waited in vain until ${what}`);
    await new Promise(passed => setTimeout(passed, 100));
  }
}

/** The app asks, holm shows who asks for what, and the person answers. */
async function connect({ page }, answer = "Allow") {
  if (HOLM_APP) {
    await page.getByRole("banner").getByRole("button").click();
    await page.getByLabel("Your address").fill(ADDRESS);
    await page.getByRole("dialog").getByRole("button", { name: "Connect", exact: true }).click();
  } else {
    await page.evaluate(address => void rs.connect(address), ADDRESS);
  }
  await page.getByRole("heading", { level: 1, name: /^Let .+ in\?$/ }).waitFor();
  // Who asks, in full.
  await page.getByText(new URL(APP).origin, { exact: true }).waitFor();
  await page.getByRole("button", { name: answer, exact: true }).click();
  await page.waitForURL(url => url.href.startsWith(APP));
  await until("the app knows", () => page.evaluate(wanted => rs.remote.connected === wanted, answer === "Allow"));
}

const write = ({ page }, name, text) => page.evaluate(([name, text]) => window.client.storeFile("text/plain; charset=utf-8", name, text), [name, text]);
const read = ({ page }, name) => page.evaluate(name => window.client.getFile(name, false).then(file => file?.data), name);
const event = ({ page }, wanted) => page.evaluate(wanted => window.events.find(e => Object.entries(wanted).every(([key, value]) => e[key] === value)), wanted);

/** Two devices, through everything that a library does. */
async function library() {
  const [first, second] = [await device(), await device()];
  await connect(first, "Do not allow");
  await connect(first);
  await connect(second);

  await write(first, "shopping.txt", "milk");
  await until("the server has it", async () => (await kept("/notes/shopping.txt")) === "milk");
  await until("the other device has it", async () => (await read(second, "shopping.txt")) === "milk");
  await write(second, "shopping.txt", "milk, bread");
  await until("the first is told", () => event(first, { origin: "remote", relativePath: "shopping.txt", newValue: "milk, bread" }));

  // Names and contents of all kinds.
  const odd = "it's 5 % of é & \u{1f33f} [x]#?.txt";
  await write(second, odd, "\u{1f33f} é");
  await until("the other device has it", async () => (await read(first, odd)) === "\u{1f33f} é");
  // Both releases keep bytes as bytes only where the type says so.
  await first.page.evaluate(() => window.client.storeFile("application/octet-stream; charset=binary", "bytes/all", new Uint8Array(100_000).map((_, n) => n).buffer));
  const bytes = await until("they are whole", () => second.page.evaluate(async () => {
    const file = await window.client.getFile("bytes/all", false);
    return file?.data && Array.from(new Uint8Array(file.data));
  }));
  assert.ok(bytes.length === 100_000 && bytes.every((byte, n) => byte === n % 256));

  // Many at once lose none.
  await first.page.evaluate(() => Promise.all(Array.from({ length: 60 }, (_, n) => window.client.storeFile("text/plain", `many/${n}`, `${n}`))));
  await until("all are listed", async () => (await names("/notes/many/")).length === 60);
  await until("the other device has them", () => second.page.evaluate(async () => Object.keys(await window.client.getListing("many/", false)).length === 60));

  // Written on both at once: the server takes one, and the other is told.
  for (const { context } of [first, second]) await context.setOffline(true);
  await write(first, "shopping.txt", "by the first");
  await write(second, "shopping.txt", "by the second");
  await second.context.setOffline(false);
  await until("the server has one", async () => (await kept("/notes/shopping.txt")) === "by the second");
  await first.context.setOffline(false);
  const conflict = await until("the other is told", () => event(first, { origin: "conflict" }));
  assert.deepEqual([conflict.oldValue, conflict.newValue], ["by the first", "by the second"]);

  // Taken away, with the folder.
  await first.page.evaluate(() => window.client.getListing("many/", false).then(all => Promise.all(Object.keys(all).map(name => window.client.remove(`many/${name}`)))));
  await until("the folder is gone", async () => !(await names("/notes/")).includes("many/"));
  await until("elsewhere too", () => second.page.evaluate(async () => Object.keys((await window.client.getListing("many/", false)) ?? {}).length === 0));

  // Public: read by anybody, also by a page of another site.
  await first.page.evaluate(() => window.open.storeFile("text/html", "page.html", "<h1>Hello</h1>"));
  const url = await first.page.evaluate(() => window.open.getItemURL("page.html"));
  await until("it is there", async () => (await fetch(url)).ok);
  const answer = await fetch(url);
  assert.deepEqual([await answer.text(), answer.headers.get("content-security-policy")], ["<h1>Hello</h1>", "sandbox; default-src 'none'"]);
  assert.equal(await second.page.evaluate(url => fetch(url).then(a => a.text()), url), "<h1>Hello</h1>");
  assert.equal((await storage("GET", "/public/notes/", null)).status, 401);

  // Taken back: refused from then on, and what a device has stays on it.
  const errors = await first.page.evaluate(() => window.errors);
  assert.deepEqual(errors.filter(name => name !== "SyncError"), [], "nothing but that there was no network");
  console.log("revoke");
  await until("it is refused", async () => (await storage("GET", "/notes/")).status === 401);
  await until("the app is told", () => first.page.evaluate(() => window.errors.includes("Unauthorized")));
  assert.equal(await read(first, odd), "\u{1f33f} é");
  assert.deepEqual([first.wrong, second.wrong], [[], []]);
}

/** Nothing serious for axe in either theme, and no wider than a phone; with pictures, where they are wanted. */
async function looked({ page }, name) {
  for (const colorScheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme });
    if (HOLM_SHOTS) await page.screenshot({ path: `${HOLM_SHOTS}/${name}-${colorScheme}.png` });
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    const bad = found.violations.filter(v => ["serious", "critical"].includes(v.impact));
    assert.deepEqual(bad.map(v => `${v.id}: ${v.nodes.map(n => `${n.html} ${n.failureSummary}`).join(" | ")}`), [], `${name}, ${colorScheme}`);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} is wider than a phone`);
  if (HOLM_SHOTS) await page.screenshot({ path: `${HOLM_SHOTS}/${name}-phone.png` });
  await page.setViewportSize({ width: 1280, height: 860 });
}

const button = (page, name) => page.getByRole("button", { name, exact: true });
const note = (page, title) => page.getByRole("navigation").getByRole("button", { name: title });
const status = (page, text) => page.getByRole("status").getByText(text).waitFor();

async function jot({ page }, text) {
  await button(page, "New note").click();
  await page.getByRole("textbox", { name: "Note" }).fill(text);
}

/** The example app: alone, offline, on two devices, in conflict, and when it is shown the door. */
async function notes() {
  const first = await device();
  await looked(first, "notes-empty");
  await jot(first, "Groceries\nmilk\nbread");
  await jot(first, "Boats\nthree small ones, at noon");
  await note(first.page, "Groceries").click();
  await looked(first, "notes");
  // Without a network, from the start.
  await first.page.evaluate(() => navigator.serviceWorker.ready);
  await first.page.reload();
  await first.context.setOffline(true);
  await first.page.reload();
  await note(first.page, "Groceries").click();
  await jot(first, "Written on a train\nno network");
  await first.page.reload();
  await note(first.page, "Written on a train").waitFor();
  await first.context.setOffline(false);

  await button(first.page, "Connect").click();
  await first.page.getByLabel("Your address").fill(ADDRESS);
  await looked(first, "notes-connect");
  await button(first.page, "Cancel").click();
  await connect(first, "Do not allow");
  await status(first.page, "You did not allow it");
  await connect(first);
  await status(first.page, `In step with ${ADDRESS}`);
  await first.page.evaluate(() => rs.setSyncInterval(2_000));
  await until("the server has them", async () => (await names("/notes/")).length === 3);
  const file = (await names("/notes/"))[0];
  assert.equal(await kept(`/notes/${file}`), "Groceries\nmilk\nbread");

  const second = await device({ viewport: { width: 390, height: 800 } });
  await connect(second);
  await note(second.page, "Groceries").click();
  assert.equal(await second.page.getByRole("textbox", { name: "Note" }).inputValue(), "Groceries\nmilk\nbread");
  await second.page.getByRole("textbox", { name: "Note" }).fill("Groceries\nmilk, bread, tea");
  await until("the server has it", async () => (await kept(`/notes/${file}`)).endsWith("tea"));
  await note(first.page, "Groceries milk, bread, tea").waitFor();

  // Both without a network, the same note: neither is lost.
  await note(first.page, "Groceries").click();
  for (const { context } of [first, second]) await context.setOffline(true);
  await first.page.getByRole("textbox", { name: "Note" }).fill("Groceries\nfrom the first");
  await second.page.getByRole("textbox", { name: "Note" }).fill("Groceries\nfrom the second");
  await new Promise(passed => setTimeout(passed, 1_000));
  await second.context.setOffline(false);
  await until("the server has one", async () => (await kept(`/notes/${file}`)).endsWith("second"));
  await first.context.setOffline(false);
  await note(first.page, "Groceries (from this device) from the first").waitFor();
  await note(first.page, "Groceries from the second").waitFor();
  await until("both are kept", async () => (await names("/notes/")).length === 4);

  first.page.on("dialog", dialog => dialog.accept());
  await note(first.page, "Boats").click();
  await button(first.page, "Delete").click();
  await until("it is gone", async () => (await names("/notes/")).length === 3);

  console.log("revoke");
  await status(first.page, "No access to your storage any more");
  await jot(first, "Still mine");
  await button(first.page, "Connect again").waitFor();
  await looked(first, "notes-revoked");
  assert.deepEqual([first.wrong, second.wrong], [[], []]);
}

try {
  await { library, notes }[HOLM_SCENARIO]();
} finally {
  await browser.close();
  site.close();
}
