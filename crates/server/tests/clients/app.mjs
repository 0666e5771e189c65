// The pages in a real browser, as people use them; the first assertion that fails ends it. HOLM_SCENARIO says what to do,
// HOLM_LINK, HOLM_ORIGIN and HOLM_SESSION with what, HOLM_CHROMIUM where the browser is. With HOLM_SHOTS, a folder, each page
// looked at is put there as pictures: light, dark, and as wide as a phone.

import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const { HOLM_SCENARIO, HOLM_LINK, HOLM_ORIGIN, HOLM_SESSION, HOLM_CHROMIUM, HOLM_SHOTS } = process.env;
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
const dav = (person, secret, method, path, body) =>
  fetch(`${HOLM_ORIGIN}/dav/files/${person}${path}`, { method, body, headers: { Authorization: `Basic ${btoa(`${person}:${secret}`)}` } }).then(answer => answer.status);

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

try {
  await { owner, stepUp, allow }[HOLM_SCENARIO]();
} catch (error) {
  // What a page complained of comes first: the rest may follow from it.
  console.log(complaints);
  throw error;
}
if (HOLM_SHOTS) console.log(readdirSync(HOLM_SHOTS).length, "pictures in", HOLM_SHOTS);
await browser.close();
