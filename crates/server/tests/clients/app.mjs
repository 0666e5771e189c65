// The pages in a real browser, as people use them; the first assertion that fails ends it. HOLM_SCENARIO says what to do,
// HOLM_LINK, HOLM_ORIGIN, HOLM_SESSION and HOLM_SECRET (an app password) with what, HOLM_CHROMIUM where the browser is. With HOLM_SHOTS, a folder, each page
// looked at is put there as pictures: light, dark, and as wide as a phone.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { chromium } from "playwright-core";

const { HOLM_SCENARIO, HOLM_LINK, HOLM_ORIGIN, HOLM_SESSION, HOLM_SECRET, HOLM_CHROMIUM, HOLM_SHOTS } = process.env;
const axe = readFileSync(createRequire(`${process.cwd()}/`).resolve("axe-core/axe.min.js"), "utf8");
const PASSWORD = "three small boats at noon";
/** The most that the first page may load, in bytes of JavaScript as they come over the line. */
const BUDGET = 150 * 1024;

/** What went wrong in any page. */
const complaints = [];
const browser = await chromium.launch({ executablePath: HOLM_CHROMIUM, args: ["--no-sandbox", "--disable-quic"] });

/** A person's browser, with an authenticator that says yes to everything. What goes wrong in a page ends the test. */
async function visitor() {
  const context = await browser.newContext({ reducedMotion: "reduce", viewport: { width: 1280, height: 860 }, locale: "en-GB" });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const wrong = [];
  complaints.push(wrong);
  page.on("pageerror", error => wrong.push(`error: ${error}`));
  // What the server refuses is in the console too, and meant to be there.
  page.on("console", said => said.type() === "error" && !/Failed to load resource/.test(said.text()) && wrong.push(`console: ${said.text()}`));
  await page.exposeFunction("violated", (policy, what) => wrong.push(`policy: ${policy} ${what}`));
  await page.addInitScript(() => document.addEventListener("securitypolicyviolation", e => window.violated(e.violatedDirective, e.sample || e.blockedURI)));
  const devtools = await context.newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  const options = { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true };
  await devtools.send("WebAuthn.addVirtualAuthenticator", { options });
  return { context, page, wrong };
}

/** Nothing serious for axe in either theme, nothing against the policy; and a picture, where they are wanted. */
async function looked({ page, wrong }, name) {
  await page.waitForLoadState("networkidle");
  assert.deepEqual(wrong, [], name);
  for (const colorScheme of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme });
    if (HOLM_SHOTS) await page.screenshot({ path: `${HOLM_SHOTS}/${name}-${colorScheme}.png`, fullPage: true });
    await page.evaluate(axe);
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    const bad = found.violations.filter(v => ["serious", "critical"].includes(v.impact));
    assert.deepEqual(bad.map(v => `${v.id}: ${v.nodes.map(n => `${n.html} ${n.failureSummary}`).join(" | ")}`), [], `${name}, ${colorScheme}`);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name} is wider than a phone`);
  if (HOLM_SHOTS) await page.screenshot({ path: `${HOLM_SHOTS}/${name}-phone.png`, fullPage: true });
  await page.setViewportSize({ width: 1280, height: 860 });
  // What axe did to look is not the page's.
  wrong.length = 0;
}

/** A code of an authenticator app (RFC 6238), of so many steps from now. */
function code(secret, later = 0) {
  const bits = [...secret].map(c => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map(byte => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + later));
  const hash = createHmac("sha1", key).update(counter).digest();
  return String((hash.readUInt32BE(hash[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

const button = (page, name) => page.getByRole("button", { name, exact: true });
const title = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor();
const go = (page, name) => page.getByRole("navigation").getByRole("link", { name, exact: true }).click();
const dav = (person, secret, method, path, body, type = "application/octet-stream") =>
  fetch(`${HOLM_ORIGIN}/dav/files/${person}${path}`, { method, body, headers: { "Content-Type": type, Authorization: `Basic ${btoa(`${person}:${secret}`)}` } }).then(answer => answer.status);

async function signOut(page) {
  // The field of the name offers passkeys too, and this authenticator says yes to that at once.
  await page.evaluate(() => (PublicKeyCredential.isConditionalMediationAvailable = async () => false));
  await button(page, "Sign out").click();
  await title(page, "Sign in");
}

async function password(page, name, secret = PASSWORD) {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Password", { exact: true }).fill(secret);
  await button(page, "Sign in").click();
}

/** The first owner: in by the link with a passkey, codes on paper, a device, and all pages; out, and in again in every way. */
async function owner() {
  const ann = await visitor();
  const { page } = ann;
  let loaded = 0;
  page.on("response", async answer => {
    if (/\.js$/.test(answer.url())) loaded += Number(answer.headers()["content-length"] ?? Infinity);
  });
  const begun = Date.now();
  await page.goto(HOLM_LINK);
  await title(page, "Welcome home");
  console.log(`first page: ${loaded} bytes of JavaScript, ${Date.now() - begun} ms`);
  assert.ok(loaded > 0 && loaded < BUDGET, `${loaded} bytes of JavaScript`);
  await looked(ann, "welcome");

  await page.getByLabel("What should we call you?").fill("Ann Smith");
  await button(page, "Continue with a passkey").click();
  await page.getByText("Use small letters, digits, dots, dashes").waitFor();
  await page.getByLabel("What should we call you?").fill("ann");
  await button(page, "Continue with a passkey").click();
  await title(page, "A way back in");
  assert.equal(new URL(page.url()).hash, "", "the used token is not in the address any more");
  await looked(ann, "welcome-way-back");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await button(page, "Go on").click();
  await title(page, "Codes for a bad day");
  const codes = await page.locator(".sheet li").allTextContents();
  assert.ok(codes.length >= 8, "some codes");
  await looked(ann, "welcome-codes");
  await button(page, "I have kept them").click();
  await title(page, "Words for the worst day");
  await button(page, "Make the recovery kit").click();
  await page.locator(".sheet li").first().waitFor();
  const words = await page.locator(".sheet li").allTextContents();
  assert.equal(words.length, 24);
  await looked(ann, "welcome-kit");
  await button(page, "I have it on paper").click();
  assert.equal(await page.getByText(words.slice(0, 3).join(" ")).count(), 0, "the words are typed from paper, not from the screen");
  await page.getByLabel("Type the 24 words from the paper").fill(words.toReversed().join(" "));
  await button(page, "Prove that I have it").click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Type the 24 words from the paper").fill(words.map((word, n) => `${n + 1}. ${word}`).join("\n"));
  await looked(ann, "welcome-kit-typed");
  await button(page, "Prove that I have it").click();
  await title(page, "Connect your phone and computer");
  await page.getByLabel("What are you connecting?").fill("Laptop");
  await button(page, "Make a password for it").click();
  const secret = await page.getByRole("group", { name: "Password for Laptop" }).locator("code").nth(2).textContent();
  assert.equal(await dav("ann", secret, "PUT", "/letter.txt", "Dear Bob"), 201, "the password opens WebDAV at once");
  assert.equal(await dav("ann", secret, "MKCOL", "/photos"), 201);
  assert.equal(await dav("ann", secret, "PUT", "/photos/harbour.jpg", "x".repeat(240_000)), 201);
  assert.equal(await dav("ann", secret, "GET", "/letter.txt"), 200);
  await page.getByRole("img", { name: "QR code of the address" }).waitFor();
  await looked(ann, "welcome-connect");
  await button(page, "Go to your holm").click();

  await title(page, "Hello, ann");
  await page.getByText("letter.txt").first().waitFor();
  assert.equal(await page.getByText("recovery kit").count(), 0, "it was made, and kept");
  await looked(ann, "home");

  // By keyboard.
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await looked(ann, "keys");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").fill("sett");
  await looked(ann, "palette");
  await page.keyboard.press("Enter");
  await title(page, "Settings");

  const app = page.getByRole("region", { name: "Authenticator app" });
  await app.getByRole("button", { name: "Set up" }).click();
  const totp = await page.getByRole("dialog").locator("code").textContent();
  await looked(ann, "settings-authenticator");
  await page.getByLabel("The code that the app shows now").fill("000000");
  await button(page, "Turn on").click();
  await page.getByRole("alert").getByText("code is not right").waitFor();
  await page.getByLabel("The code that the app shows now").fill(code(totp));
  await button(page, "Turn on").click();
  await app.getByText("On", { exact: true }).waitFor();
  await page.getByRole("region", { name: "Recovery kit" }).getByText("its words were typed in once").waitFor();
  await looked(ann, "settings");

  await go(page, "People");
  await page.getByText("No invitation is waiting.").waitFor();
  await looked(ann, "people");
  const bob = await invited(ann);
  await shared(ann, bob, secret);

  // Out, and in again.
  await signOut(page);
  await looked(ann, "sign-in");
  assert.equal(await page.evaluate(() => fetch("/api/v1/me").then(a => a.status)), 401, "nobody is signed in");
  await button(page, "Sign in with a passkey").click();
  await title(page, "Hello, ann");
  await page.evaluate(() => (PublicKeyCredential.isConditionalMediationAvailable = async () => true));
  const offered = page.waitForResponse(answer => answer.url().endsWith("/session/passkey") && answer.status() === 200);
  await button(page, "Sign out").click();
  await offered;
  await title(page, "Hello, ann");
  await signOut(page);
  await password(page, "ann", "not this one");
  await page.getByText("not right").waitFor();
  await password(page, "ann");
  await title(page, "One more step");
  await looked(ann, "sign-in-second");
  await page.getByLabel("Code from your authenticator app").fill(code(totp, 1));
  await button(page, "Sign in").click();
  await title(page, "Hello, ann");
  await signOut(page);
  await password(page, "ann");
  await button(page, "Use a recovery code").click();
  await page.getByLabel("Recovery code").fill(codes[0]);
  await button(page, "Sign in").click();
  await title(page, "Hello, ann");
  await page.goto(`${HOLM_ORIGIN}/people`);
  await title(page, "People");
  await button(page, "Remove bob").click();
  await page.getByLabel("Type bob to go on").fill("bo");
  assert.ok(await button(page, "Remove for ever").isDisabled());
  await page.getByLabel("Type bob to go on").fill("bob");
  await looked(ann, "people-remove");
  await button(page, "Remove for ever").click();
  await page.getByText("bob does not live here any more.").waitFor();
  assert.equal(await button(page, "Remove bob").count() + await button(page, "Remove ann").count(), 0, "nobody removes themself");
  await page.goto(HOLM_LINK);
  await title(page, "This link opens nothing");
  assert.deepEqual(ann.wrong, []);
}

/** Somebody comes in by an invitation with a password, forgets it, and chooses another by a link. Answers their browser. */
async function invited(ann) {
  const { page } = ann;
  await button(page, "Invite somebody").click();
  await page.getByLabel("Whom is it for?").fill("Bob");
  await page.getByLabel("Room").fill("50");
  await button(page, "Make the link").click();
  await page.getByRole("img", { name: "QR code of the link" }).waitFor();
  await looked(ann, "people-invitation");
  const link = await page.getByRole("dialog").locator("code").textContent();
  await button(page, "Done").click();
  await page.getByRole("button", { name: "Take back the invitation for Bob" }).waitFor();

  const bob = await visitor();
  await bob.page.goto(link);
  await title(bob.page, "You are invited");
  await bob.page.getByText("You have 50 GB of room.").waitFor();
  await bob.page.getByLabel("What should we call you?").fill("bob");
  await button(bob.page, "Use a password instead").click();
  await bob.page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await looked(bob, "invitation");
  await button(bob.page, "Continue").click();
  await title(bob.page, "Make it safe");
  await looked(bob, "welcome-safe");
  await button(bob.page, "Later").click();
  await button(bob.page, "Go to your holm").click();
  await title(bob.page, "Hello, bob");
  assert.equal(await bob.page.getByRole("link", { name: "People" }).count(), 0, "people are the admin's");
  await bob.page.getByText("Add a second proof").waitFor();

  await page.reload();
  await page.getByRole("button", { name: "Link to a new password for bob" }).click();
  await button(page, "Make the link").click();
  await page.getByRole("img", { name: "QR code of the link" }).waitFor();
  const reset = await page.getByRole("dialog").locator("code").textContent();
  await button(page, "Done").click();
  await bob.page.goto(reset);
  await title(bob.page, "Choose a new password");
  await looked(bob, "reset");
  await bob.page.getByLabel("New password").fill(`${PASSWORD} again`);
  await button(bob.page, "Use this password").click();
  await title(bob.page, "The new password is yours");
  await bob.page.getByRole("link", { name: "Sign in" }).click();
  await password(bob.page, "bob", `${PASSWORD} again`);
  await title(bob.page, "Hello, bob");
  assert.deepEqual(bob.wrong, []);
  return bob;
}

/** Something shared, taken back, given again; a device that has no access any more. */
async function shared(ann, bob, secret) {
  const { page } = ann;
  await go(page, "Access");
  await page.getByRole("heading", { name: "Laptop" }).waitFor();
  await button(page, "Share with a person").click();
  await page.getByLabel("Their name").fill("bob");
  await page.getByLabel("Folder", { exact: true }).fill("/photos");
  await page.getByLabel("What for (may be empty)").fill("our summer");
  await looked(ann, "access-share");
  await button(page, "Share").click();
  await page.getByText("May read: /photos").waitFor();
  await looked(ann, "access");
  await page.getByRole("button", { name: "End access of bob" }).click();
  await button(page, "Undo").click();
  await page.getByText("May read: /photos").waitFor();
  await page.getByText("For: our summer").waitFor();

  await page.getByLabel("File or folder").fill("/letter.txt");
  await button(page, "Show").click();
  await page.getByText("/photos/harbour.jpg").waitFor({ state: "detached" });
  await page.locator("li").filter({ hasText: "Laptop" }).filter({ hasText: "read /letter.txt" }).waitFor();

  await page.getByRole("button", { name: "End access of Laptop" }).click();
  await page.getByText("1 more that had access before").or(page.getByText("2 more that had access before")).waitFor();
  // What was believed a moment ago is for a second.
  await new Promise(passed => setTimeout(passed, 1_500));
  assert.equal(await dav("ann", secret, "GET", "/letter.txt"), 401, "the password opens nothing any more");
  assert.deepEqual(ann.wrong, []);
  await bob.context.close();
}

/** A session whose proof is old: what opens a door asks once more who is there, and then goes on. */
async function stepUp() {
  const ann = await visitor();
  const { page } = ann;
  // As of a page over TLS: that of this machine may keep it too.
  const url = HOLM_ORIGIN.replace("http:", "https:");
  await ann.context.addCookies([{ name: "__Host-holm", value: HOLM_SESSION, url, secure: true, httpOnly: true, sameSite: "Lax" }]);
  await page.goto(`${HOLM_ORIGIN}/connect`);
  await page.getByLabel("What are you connecting?").fill("Phone");
  await button(page, "Make a password for it").click();
  const dialog = page.getByRole("dialog", { name: "Is it you?" });
  await looked(ann, "proof");
  await page.keyboard.press("Escape");
  await page.getByRole("alert").getByText("Prove who you are").waitFor();
  await button(page, "Make a password for it").click();
  await dialog.getByLabel("Password").fill("wrong");
  await button(page, "It is me").click();
  await dialog.getByText("That is not right").waitFor();
  await dialog.getByLabel("Password").fill(PASSWORD);
  await button(page, "It is me").click();
  await page.getByRole("heading", { name: "Password for Phone" }).waitFor();
  await looked(ann, "connect");
  const secret = await page.getByRole("group", { name: "Password for Phone" }).locator("code").nth(2).textContent();
  assert.equal(await dav("ann", secret, "PUT", "/a", "b"), 201);
  assert.deepEqual(ann.wrong, []);
}

/** Apps ask to be let in: one of a site's, for a folder and to read only; one that gets nothing; and a device with a code. */
async function allow() {
  const ann = await visitor();
  const { page } = ann;
  const site = createServer((_, answer) => answer.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>app</title>back"));
  await new Promise(ready => site.listen(0, "127.0.0.1", ready));
  const callback = `http://127.0.0.1:${site.address().port}/cb`;
  const json = { method: "POST", headers: { "Content-Type": "application/json" } };
  const register = metadata => fetch(`${HOLM_ORIGIN}/oauth/register`, { ...json, body: JSON.stringify({ token_endpoint_auth_method: "none", ...metadata }) }).then(a => a.json());
  const send = (path, form) => fetch(`${HOLM_ORIGIN}${path}`, { method: "POST", body: new URLSearchParams(form) }).then(a => a.json());
  const { client_id } = await register({ redirect_uris: [callback], client_name: "Photo Frame" });
  const verifier = "v".repeat(43);
  const code_challenge = createHash("sha256").update(verifier).digest("base64url");
  const asks = scope => `${HOLM_ORIGIN}/oauth/authorize?${new URLSearchParams({ response_type: "code", client_id, redirect_uri: callback, code_challenge, code_challenge_method: "S256", scope, state: "s" })}`;

  // Nobody is signed in yet: that comes first, and the request waits.
  await page.goto(asks("files:rw openid"));
  await title(page, "Sign in");
  await password(page, "ann");
  await title(page, "Let Photo Frame in?");
  await page.getByText("The answer goes to a program on this device.").waitFor();
  await page.getByText("read, add, change and delete all your files").waitFor();
  assert.equal(await page.getByLabel("For how long").inputValue(), "90");
  await looked(ann, "allow");
  await page.getByLabel("Only let it read").check();
  await page.getByText("read all your files", { exact: true }).waitFor();
  await page.getByLabel("Only in this folder").fill("/photos/My trip");
  // The rest by keyboard.
  await button(page, "Allow").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(`${callback}?**`);
  const back = new URL(page.url()).searchParams;
  assert.deepEqual([back.get("state"), back.get("iss")], ["s", HOLM_ORIGIN]);
  const tokens = await send("/oauth/token", { grant_type: "authorization_code", client_id, code: back.get("code"), code_verifier: verifier });
  assert.equal(tokens.scope, "files:r:/photos/My%20trip openid");

  await page.goto(asks("notes:rw"));
  await title(page, "Let Photo Frame in?");
  await page.getByText("You let it in before.").waitFor();
  await button(page, "Do not allow").click();
  await page.waitForURL(`${callback}?**`);
  assert.equal(new URL(page.url()).searchParams.get("error"), "access_denied");

  // A storage app of another site, whose name looks like one that is known.
  const storage = new URLSearchParams({ response_type: "token", redirect_uri: "https://xn--80ak6aa92e.com/", scope: "notes:rw", client_id: "x" });
  await page.goto(`${HOLM_ORIGIN}/oauth/authorize?${storage}`);
  await page.getByText("https://xn--80ak6aa92e.com", { exact: true }).waitFor();
  await page.getByText("This name reads").waitFor();
  await looked(ann, "allow-storage");

  const device = await register({ redirect_uris: [], client_name: "Television", grant_types: ["urn:ietf:params:oauth:grant-type:device_code"] });
  const codes = await send("/oauth/device_authorization", { client_id: device.client_id, scope: "files:r:/photos" });
  await page.goto(codes.verification_uri);
  await title(page, "Connect a device");
  await looked(ann, "device");
  await page.getByLabel("Code").fill("BBBB-BBBB");
  await button(page, "Go on").click();
  await page.getByRole("alert").getByText("No device waits").waitFor();
  await page.getByLabel("Code").fill(codes.user_code);
  await button(page, "Go on").click();
  await title(page, "Let Television in?");
  await page.getByText("Go on only if you have that device before you").waitFor();
  await looked(ann, "allow-device");
  await button(page, "Allow").click();
  await title(page, "It is let in");
  const got = await send("/oauth/token", { grant_type: "urn:ietf:params:oauth:grant-type:device_code", client_id: device.client_id, device_code: codes.device_code });
  assert.equal(got.scope, "files:r:/photos");
  await page.getByRole("link", { name: "See who has access" }).click();
  await page.getByRole("heading", { name: "Television" }).waitFor();
  await page.getByRole("heading", { name: "Photo Frame" }).waitFor();
  await looked(ann, "access-apps");
  assert.deepEqual(ann.wrong, []);
  site.close();
  site.closeAllConnections();
}

/** Ann's browser, signed in, with a device of hers that speaks WebDAV. */
async function files() {
  const ann = await visitor();
  const { page } = ann;
  const url = HOLM_ORIGIN.replace("http:", "https:");
  await ann.context.addCookies([{ name: "__Host-holm", value: HOLM_SESSION, url, secure: true, httpOnly: true, sameSite: "Lax" }]);
  const put = async (path, body) => assert.ok([201, 204].includes(await dav("ann", HOLM_SECRET, "PUT", path, body)), path);
  const folder = async path => assert.equal(await dav("ann", HOLM_SECRET, "MKCOL", path), 201, path);
  return { ann, page, put, folder };
}

const row = (page, name) => page.locator("[role=grid] [role=row], [role=grid] .tile").filter({ has: page.getByRole("link", { name, exact: true, includeHidden: true }) });
const names = page => page.locator("[role=grid] a").allTextContents();
const there = (page, name) => row(page, name).first().waitFor();
const gone = (page, name) => row(page, name).first().waitFor({ state: "detached" });
const at = (page, name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();

/** A picture of a sea and a sun (PNG, RFC 2083), of so many pixels. */
function png(width, height) {
  const crc = bytes => {
    let c = ~0;
    for (const b of bytes) for (let k = 0, x = (c ^ b) & 255; k < 9; k++) k < 8 ? (x = x & 1 ? (x >>> 1) ^ 0xedb88320 : x >>> 1) : (c = (c >>> 8) ^ x);
    return ~c >>> 0;
  };
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const out = Buffer.alloc(8 + body.length);
    out.writeUInt32BE(data.length);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), 4 + body.length);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const lines = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const sun = Math.hypot(x - width * 0.7, y - height * 0.3) < height * 0.12;
      const sea = y > height * 0.6;
      const colour = sun ? [255, 214, 120] : sea ? [24, 90 + ((x + y) % 17), 110 + (y % 60)] : [250 - (y * 90) / height, 190 - (y * 40) / height, 150 + (y * 60) / height];
      lines.set(colour, y * (1 + 3 * width) + 1 + 3 * x);
    }
  }
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk("IHDR", head), chunk("IDAT", deflateSync(lines)), chunk("IEND", Buffer.alloc(0))]);
}

/** A second of a plain tone (WAV). */
function wav() {
  const samples = Buffer.alloc(16_000);
  for (let n = 0; n < 8_000; n++) samples.writeInt16LE(Math.round(8_000 * Math.sin(n / 3)), 2 * n);
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + samples.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8_000, 24);
  head.writeUInt32LE(16_000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

const EVIL = "<script>window.ran = true</script><img src=x onerror='window.ran = true'>";

/** Files by keyboard, by hand and by dialog; undone, restored, previewed, changed from elsewhere. */
async function browse() {
  const { ann, page, put, folder } = await files();
  await page.goto(`${HOLM_ORIGIN}/files`);
  await page.getByText("Nothing is here yet.").waitFor();
  await looked(ann, "files-empty");
  for (const path of ["/Letters", "/Photos", "/Photos/Harbour"]) await folder(path);
  for (const n of [1, 2, 10]) await put(`/Photos/sea ${n}.png`, png(240, 180));
  await put("/Photos/drawing.svg", `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="120"><script>window.top.ran = true</script><rect width="200" height="120" fill="#0f6b66"/></svg>`);
  for (const text of ["Dear Bob,", "Dear Bob,\nthe boats", "Dear Bob,\nthe boats are in."]) await put("/Letters/bob.txt", text);
  await put("/Letters/plan.md", `# Summer\n\n- [x] boats\n- **sails** and [rope](javascript:alert(1))\n\n${EVIL}\n\n| what | when |\n|---|---|\n| sail | June |\n`);
  await put("/Letters/main.rs", 'fn main() {\n    println!("hello");\n}\n');
  await put("/tone.wav", wav());
  await put("/page.html", EVIL);
  // Live: what came by WebDAV is there without a reload.
  await there(page, "page.html");
  const began = Date.now();
  await put("/live.txt", "now");
  await there(page, "live.txt");
  console.log(`a change made elsewhere was seen after ${Date.now() - began} ms`);
  assert.ok(Date.now() - began < 1_000, "within a second");
  assert.deepEqual(await names(page), ["Letters", "Photos", "live.txt", "page.html", "tone.wav"]);
  await looked(ann, "files");

  // By keyboard alone.
  const grid = page.getByRole("grid");
  await grid.focus();
  await page.keyboard.press("n");
  await page.getByLabel("Name of the new folder").fill("Photos");
  await page.keyboard.press("Enter");
  await page.getByText("Something here is called so already.").waitFor();
  await page.getByLabel("Name of the new folder").fill("Work");
  await looked(ann, "files-new-folder");
  await page.keyboard.press("Enter");
  await there(page, "Work");
  await page.keyboard.press("F2");
  await page.getByLabel("New name").fill("Play");
  await page.keyboard.press("Enter");
  await there(page, "Play");
  await gone(page, "Work");
  await page.keyboard.press("End");
  await page.keyboard.press("Shift+ArrowUp");
  await page.getByText("2 selected").waitFor();
  await page.keyboard.press("Control+x");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  assert.equal(await page.locator("[role=row].at a").textContent(), "Photos");
  await page.keyboard.press("Enter");
  await at(page, "Photos");
  await there(page, "sea 10.png");
  await page.keyboard.press("Control+v");
  await there(page, "tone.wav");
  assert.deepEqual(await names(page), ["Harbour", "drawing.svg", "page.html", "sea 1.png", "sea 2.png", "sea 10.png", "tone.wav"], "numbers by their value");
  await page.keyboard.press("Control+z");
  await gone(page, "tone.wav");
  await page.keyboard.press("Control+a");
  await page.getByText("5 selected").waitFor();
  await page.keyboard.press("Delete");
  await page.getByText("Nothing is here yet.").waitFor();
  await button(page, "Undo").last().click();
  await there(page, "sea 2.png");
  await grid.focus();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Control+c");
  await page.keyboard.press("Control+v");
  await there(page, "sea 2 (2).png");
  await page.keyboard.press("Control+z");
  await gone(page, "sea 2 (2).png");
  await page.keyboard.press("v");
  await page.locator(".tile img").first().waitFor();
  await page.waitForFunction(() => [...document.querySelectorAll(".tile img")].every(img => img.complete && img.naturalWidth > 0));
  await looked(ann, "files-grid");
  await page.keyboard.press("v");
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await looked(ann, "files-keys");
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  await page.keyboard.type("SEA 1");
  await gone(page, "sea 2.png");
  assert.deepEqual(await names(page), ["sea 1.png", "sea 10.png"]);
  await page.keyboard.press("Escape");
  await page.keyboard.press("Backspace");
  await at(page, "Files");
  assert.equal(await page.locator("[role=row].at a").textContent(), "Photos", "whoever comes up stands on the folder");

  // Sorted.
  await button(page, "Sort by size").click();
  assert.deepEqual((await names(page)).slice(3), ["tone.wav", "page.html", "live.txt"]);
  await button(page, "Sort by size").click();
  await button(page, "Sort by name").click();

  // By hand: with Shift and Ctrl, dragged onto a folder and a step of the way.
  await row(page, "live.txt").locator(".modified").click();
  await row(page, "tone.wav").locator(".modified").click({ modifiers: ["Shift"] });
  await page.getByText("3 selected").waitFor();
  await row(page, "page.html").locator(".modified").click({ modifiers: ["Control"] });
  await page.getByText("2 selected").waitFor();
  await looked(ann, "files-selected");
  await row(page, "live.txt").locator(".modified").dragTo(row(page, "Play").locator(".name"));
  await page.getByText("2 items moved to Play.").waitFor();
  await gone(page, "live.txt");
  await page.getByRole("link", { name: "Play", exact: true }).click();
  await there(page, "live.txt");
  await row(page, "live.txt").locator(".modified").dragTo(page.getByRole("navigation", { name: "Where this is" }).getByRole("link", { name: "Files" }));
  await gone(page, "live.txt");
  await page.goBack();
  await there(page, "live.txt");
  await gone(page, "tone.wav");

  // By dialog.
  await row(page, "live.txt").locator(".modified").click();
  await button(page, "Move").click();
  const dialog = page.getByRole("dialog", { name: "Move to" });
  await dialog.getByRole("button", { name: "Letters" }).click();
  await dialog.getByText("No folders in here.").waitFor();
  await looked(ann, "files-move");
  await dialog.getByRole("button", { name: "Move here" }).click();
  await page.getByText("1 item moved to Letters.").waitFor();
  await gone(page, "live.txt");
  await previews(ann);
  await bin(ann);
  assert.equal(await page.evaluate(() => window.ran), undefined, "nothing that was put there ran");
  assert.deepEqual(ann.wrong, []);
}

/** Pictures, sound, text, Markdown, code; an earlier version looked at and brought back. */
async function previews(ann) {
  const { page } = ann;
  const close = () => page.keyboard.press("Escape");
  await page.getByRole("link", { name: "Photos", exact: true }).click();
  await page.getByRole("link", { name: "sea 2.png", exact: true }).click();
  const picture = page.getByRole("dialog").getByRole("img", { name: "sea 2.png" });
  await picture.waitFor();
  await page.waitForFunction(() => document.querySelector("dialog img").naturalWidth === 240);
  await looked(ann, "preview-picture");
  await page.keyboard.press("ArrowRight");
  await page.getByRole("dialog").getByRole("img", { name: "sea 10.png" }).waitFor();
  await close();
  await page.getByRole("link", { name: "drawing.svg", exact: true }).click();
  await page.waitForFunction(() => document.querySelector("dialog img")?.naturalWidth === 200);
  await close();
  await page.goto(`${HOLM_ORIGIN}/files/Letters`);
  await page.getByRole("link", { name: "plan.md", exact: true }).click();
  await page.getByRole("heading", { name: "Summer" }).waitFor();
  assert.equal(await page.locator(".markdown a").count(), 0, "no link that runs");
  assert.equal(await page.locator(".markdown img, .markdown script").count(), 0);
  await looked(ann, "preview-markdown");
  await button(page, "As text").click();
  await page.getByText("<script>window.ran").waitFor();
  await close();
  await page.getByRole("link", { name: "main.rs", exact: true }).click();
  await page.getByText('println!("hello")').waitFor();
  await close();

  await row(page, "bob.txt").locator(".modified").click();
  await button(page, "Details").click();
  const panel = page.getByRole("complementary", { name: "Details" });
  await panel.getByRole("button", { name: "Restore the version" }).nth(1).waitFor();
  await panel.getByText("Nobody but you").waitFor();
  await panel.getByText("changed").first().waitFor();
  await looked(ann, "files-details");
  await panel.getByRole("button", { name: "Look at the version" }).nth(1).click();
  await page.getByRole("dialog").getByText("Dear Bob,", { exact: true }).waitFor();
  await close();
  await panel.getByRole("button", { name: "Restore the version" }).nth(1).click();
  await page.getByText("The earlier version is back.").waitFor();
  assert.equal(await davText("/Letters/bob.txt"), "Dear Bob,");
  await button(page, "Undo").last().click();
  await page.getByText("Undone.").last().waitFor();
  assert.equal(await davText("/Letters/bob.txt"), "Dear Bob,\nthe boats are in.");
  await panel.getByRole("button", { name: "Close" }).click();
  await page.goto(`${HOLM_ORIGIN}/files/Play`);
  await page.getByRole("link", { name: "tone.wav", exact: true }).click();
  await page.waitForFunction(() => Math.abs((document.querySelector("dialog audio")?.duration ?? 0) - 1) < 0.1);
  await looked(ann, "preview-sound");
  await close();
  await page.goto(`${HOLM_ORIGIN}/files`);
  const [kept] = await Promise.all([page.waitForEvent("download"), (async () => {
    await row(page, "Photos").locator(".modified").click();
    await button(page, "Download").click();
  })()]);
  assert.equal(kept.suggestedFilename(), "Photos.zip");
}

const davText = path => fetch(`${HOLM_ORIGIN}/dav/files/ann${path}`, { headers: { Authorization: `Basic ${btoa(`ann:${HOLM_SECRET}`)}` } }).then(answer => answer.text());

/** The trash: one thing back, one gone for good, all of it. */
async function bin(ann) {
  const { page } = ann;
  await page.goto(`${HOLM_ORIGIN}/files/Photos`);
  await there(page, "sea 1.png");
  await page.getByRole("grid").focus();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  await page.getByText("Nothing is here yet.").waitFor();
  await go(page, "Trash");
  await title(page, "Trash");
  await page.getByText("sea 10.png").waitFor();
  await looked(ann, "trash");
  await page.getByRole("button", { name: "Restore sea 2.png" }).click();
  await page.getByText("1 item restored.").waitFor();
  await page.getByRole("button", { name: "Delete for good: sea 1.png" }).click();
  await page.getByText("sea 1.png is gone for good.").waitFor();
  await button(page, "Empty the trash").click();
  await looked(ann, "trash-empty");
  await page.getByRole("dialog").getByRole("button", { name: "Empty the trash" }).click();
  await page.getByText("The trash is empty.").first().waitFor();
  await page.goto(`${HOLM_ORIGIN}/files/Photos`);
  await there(page, "sea 2.png");
  assert.deepEqual(await names(page), ["sea 2.png"]);
}

/** Links to a folder to look at, and to one where others leave files; opened by somebody who has no account. */
async function share() {
  const { ann, page, put, folder } = await files();
  await folder("/Photos");
  await folder("/Inbox");
  await put("/Photos/sea.png", png(240, 180));
  await put("/Inbox/secret.txt", "not for others");
  await page.goto(`${HOLM_ORIGIN}/files`);
  await there(page, "Photos");
  const panel = page.getByRole("complementary", { name: "Details" });
  const made = async (name, may, password) => {
    await row(page, name).locator(".modified").click();
    if (!(await panel.isVisible())) await button(page, "Details").click();
    await panel.getByRole("button", { name: "Share by a link" }).click();
    if (may) await page.getByLabel(may).check();
    if (password) await page.getByLabel("Password (may be empty)").fill(password);
    await looked(ann, `files-link-${name}`);
    await button(page, "Make the link").click();
    const link = await page.getByRole("dialog").locator("code").textContent();
    await button(page, "Done").click();
    await panel.getByRole("button", { name: `End the link ${name}` }).waitFor();
    return HOLM_ORIGIN + new URL(link).pathname;
  };
  const look = await made("Photos");
  const drop = await made("Inbox", "leave files, and see none", "four grey gulls");

  const bob = await visitor();
  await bob.page.goto(look);
  await title(bob.page, "Photos");
  await bob.page.getByRole("link", { name: "sea.png" }).waitFor();
  await looked(bob, "link-folder");
  assert.equal(await bob.page.getByText("Drop files here").count(), 0);
  const [kept] = await Promise.all([bob.page.waitForEvent("download"), bob.page.getByRole("link", { name: "sea.png" }).click()]);
  assert.equal(kept.suggestedFilename(), "sea.png");
  await bob.page.goto(drop);
  await title(bob.page, "This link asks for its password");
  await looked(bob, "link-password");
  await bob.page.getByLabel("Password of the link").fill("four grey ducks");
  await button(bob.page, "Open").click();
  await bob.page.getByRole("alert").getByText("password").waitFor();
  await bob.page.getByLabel("Password of the link").fill("four grey gulls");
  await button(bob.page, "Open").click();
  await bob.page.getByText("Only whoever gave you this link will see them.").waitFor();
  for (const text of ["one", "two"]) {
    await bob.page.getByLabel("Choose files").last().setInputFiles({ name: "note.txt", mimeType: "text/plain", buffer: Buffer.from(text) });
    await bob.page.getByText("It is there.").nth(text === "one" ? 0 : 1).waitFor();
  }
  assert.equal(await bob.page.getByText("secret.txt").count(), 0, "what is there is not for others");
  await looked(bob, "link-drop");
  assert.deepEqual([await davText("/Inbox/note.txt"), await davText("/Inbox/note%20(2).txt")], ["one", "two"], "nothing is written over");
  await row(page, "Photos").locator(".modified").click();
  await panel.getByRole("button", { name: "End the link Photos" }).click();
  await page.getByText("The link leads nowhere any more.").waitFor();
  await new Promise(passed => setTimeout(passed, 1_500));
  await bob.page.goto(look);
  await title(bob.page, "This link leads nowhere");
  await looked(bob, "link-nowhere");
  assert.deepEqual([ann.wrong, bob.wrong], [[], []]);
}

/** Files brought in: chosen, dropped, a folder; paused; over a lost network; gone on with after a reload. */
async function upload() {
  const { ann, page } = await files();
  await page.goto(`${HOLM_ORIGIN}/files`);
  await page.getByText("Nothing is here yet.").waitFor();
  const chosen = page.getByLabel("Upload files");
  await chosen.setInputFiles([{ name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("hello") }, { name: "none", mimeType: "", buffer: Buffer.alloc(0) }]);
  await there(page, "a.txt");
  await there(page, "none");
  await page.getByText("All files are there.").waitFor();
  assert.equal(await davText("/a.txt"), "hello");
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["dropped"], "d.txt", { type: "text/plain" }));
    const over = type => document.querySelector(".files").dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    over("dragover");
    over("drop");
  });
  await there(page, "d.txt");
  const dir = mkdtempSync(join(tmpdir(), "holm-"));
  mkdirSync(join(dir, "trip", "day 1"), { recursive: true });
  writeFileSync(join(dir, "trip", "list.txt"), "sails");
  writeFileSync(join(dir, "trip", "day 1", "note.txt"), "wind");
  await page.getByLabel("Upload a folder").setInputFiles(join(dir, "trip"));
  await there(page, "trip");
  await page.getByText("All files are there.").waitFor();
  assert.equal(await davText("/trip/day%201/note.txt"), "wind");

  // A large one, held back so that there is time to look: 96 MiB at some 30 MB a second.
  const large = join(dir, "large.bin");
  const bytes = Buffer.alloc(96 << 20);
  for (let n = 0; n < bytes.length; n += 4) bytes.writeUInt32LE((n * 2_654_435_761) >>> 0, n);
  writeFileSync(large, bytes);
  const devtools = await ann.context.newCDPSession(page);
  const network = (offline, speed) => devtools.send("Network.emulateNetworkConditions", { offline, latency: 0, downloadThroughput: -1, uploadThroughput: speed });
  await devtools.send("Network.enable");
  await network(false, 12 << 20);
  const offsets = [];
  page.on("request", request => request.method() === "PATCH" && offsets.push(Number(request.headers()["upload-offset"])));
  await chosen.setInputFiles(large);
  const progress = page.getByRole("progressbar", { name: "How much of large.bin is there" });
  const reaches = share => page.waitForFunction(share => [...document.querySelectorAll("progress")].some(p => p.getAttribute("aria-label")?.includes("large.bin") && p.value >= share), share);
  await reaches(0.1);
  await looked(ann, "files-uploading");
  await page.getByRole("button", { name: "Pause large.bin" }).click();
  await page.getByText("Paused").waitFor();
  const held = await progress.evaluate(p => p.value);
  await new Promise(passed => setTimeout(passed, 600));
  assert.equal(await progress.evaluate(p => p.value), held, "nothing goes while it is paused");
  await page.getByRole("button", { name: "Go on with large.bin" }).click();
  await reaches(held + 0.05);
  await network(true, 0);
  await new Promise(passed => setTimeout(passed, 1_500));
  await network(false, 12 << 20);
  await reaches(0.55);
  page.once("dialog", dialog => dialog.accept());
  await page.reload();
  await page.getByText("Interrupted. Choose the file again to go on:").waitFor();
  await page.getByText("/large.bin").waitFor();
  await looked(ann, "files-interrupted");
  offsets.length = 0;
  await devtools.send("Network.enable");
  await network(false, -1);
  await chosen.setInputFiles(large);
  await page.getByText("All files are there.").waitFor();
  console.log(`after a reload the upload went on at ${offsets[0]} of ${bytes.length}`);
  assert.ok(offsets[0] > 32 << 20, `${offsets}`);
  await there(page, "large.bin");
  const back = await fetch(`${HOLM_ORIGIN}/dav/files/ann/large.bin`, { headers: { Authorization: `Basic ${btoa(`ann:${HOLM_SECRET}`)}` } });
  assert.ok(Buffer.from(await back.arrayBuffer()).equals(bytes), "byte for byte");
  rmSync(dir, { recursive: true });
  assert.deepEqual(ann.wrong, []);
}

/** The most milliseconds until a folder of 10,000 shows, and that a page may be busy while one of 100,000 is scrolled. */
const SHOWS = 300;
const BUSY = 100;

/** Folders of 10,000 and of 100,000. */
async function many() {
  const { ann, page, put, folder } = await files();
  await put("/one.txt", "x");
  await folder("/ten");
  await folder("/hundred");
  await page.goto(`${HOLM_ORIGIN}/files`);
  await there(page, "ten");
  const fill = (path, count) => page.evaluate(async ([path, count]) => {
    for (let n = 0; n < count; n += 1_000) {
      const changes = Array.from({ length: 1_000 }, (_, m) => ({ do: "copy", from: "/one.txt", to: `${path}/file ${n + m}.txt` }));
      const answer = await fetch("/api/v1/files/changes", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ changes }) });
      if (!answer.ok) throw new Error(`${answer.status}`);
    }
  }, [path, count]);
  await fill("/ten", 10_000);
  await fill("/hundred", 100_000);
  await page.reload();
  await there(page, "ten");
  // Until the first rows are painted, and until all of them can be scrolled to; the best of three, for others use this machine.
  const shows = async () => page.evaluate(async () => {
    const began = performance.now();
    [...document.querySelectorAll("[role=grid] a")].find(a => a.textContent === "ten").click();
    const until = async done => {
      while (!done()) await new Promise(requestAnimationFrame);
      return performance.now() - began;
    };
    const first = await until(() => document.querySelector("[role=grid] a")?.textContent === "file 0.txt");
    return [first, await until(() => document.querySelector("[role=grid]").getAttribute("aria-rowcount") === "10000")];
  });
  const took = [];
  for (let n = 0; n < 3; n++) {
    took.push(await shows());
    await page.goBack();
    await there(page, "ten");
  }
  const [first, whole] = took.reduce((best, now) => [Math.min(best[0], now[0]), Math.min(best[1], now[1])]);
  console.log(`a folder of 10,000 shows after ${Math.round(first)} ms and is whole after ${Math.round(whole)} ms; at most ${SHOWS} ms to show`);
  assert.ok(first <= SHOWS, `${first} ms`);
  await page.getByRole("link", { name: "hundred", exact: true }).click();
  await page.waitForFunction(() => document.querySelector("[role=grid]").getAttribute("aria-rowcount") === "100000", undefined, { timeout: 60_000 });
  const busy = await page.evaluate(async () => {
    const long = [];
    new PerformanceObserver(list => long.push(...list.getEntries().map(e => e.duration))).observe({ type: "longtask" });
    const grid = document.querySelector("[role=grid]");
    for (let n = 0; n < 120; n++) {
      grid.scrollTop += n % 10 ? 900 : 35_000;
      await new Promise(requestAnimationFrame);
    }
    return long.sort((a, b) => b - a);
  });
  console.log(`while 100,000 are scrolled, 120 times, the longest tasks took ${busy.slice(0, 7).map(Math.round)} ms; 95 % are to be below ${BUSY} ms, for others use this machine`);
  assert.ok((busy[6] ?? 0) <= BUSY, `${busy} ms`);
  await page.getByRole("grid").focus();
  await page.keyboard.press("End");
  await there(page, "file 99999.txt");
  assert.ok((await page.locator("[role=grid] a").count()) < 100, "only what is in sight is there");
  await looked(ann, "files-many");
}

try {
  await { owner, stepUp, allow, browse, share, upload, many }[HOLM_SCENARIO]();
} catch (error) {
  // What a page complained of comes first: the rest may follow from it.
  console.log(complaints);
  throw error;
}
if (HOLM_SHOTS) console.log(readdirSync(HOLM_SHOTS).length, "pictures in", HOLM_SHOTS);
await browser.close();
