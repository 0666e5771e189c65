// An app that asks to be let in, by npm's oauth4webapi, which checks each answer against its standard: every way there is to get a
// token, and what can be done with one. The person says yes by the API, as the page does. HOLM_ORIGIN is the server, HOLM_SESSION a
// session of ann's whose proof is fresh.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import * as oauth from "oauth4webapi";

const { HOLM_ORIGIN, HOLM_SESSION } = process.env;
const plain = { [oauth.allowInsecureRequests]: true };
const issuer = new URL(HOLM_ORIGIN);

let asked = "";
const cookies = () => `__Host-holm=${HOLM_SESSION}; __Host-holm-asked=${asked}`;
const remember = answer => (asked = /__Host-holm-asked=([^;]+)/.exec(answer.headers.get("set-cookie") ?? "")?.[1] ?? asked);

async function api(path, body) {
  const init = { method: "POST", headers: { Cookie: cookies(), "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(`${HOLM_ORIGIN}/api/v1/app-requests/${path}`, init);
  remember(answer);
  assert.equal(answer.status, 200, `${path}: ${await answer.clone().text()}`);
  return answer.json();
}

/** What the person does at the address that an app sends them to; answers where they are sent back to. */
async function person(address) {
  const sent = await fetch(address, { redirect: "manual", headers: { Cookie: cookies() } });
  assert.equal(sent.status, 303, await sent.clone().text());
  remember(sent);
  const ticket = sent.headers.get("location").split("#")[1];
  const shown = await api("look", { ticket });
  const { to } = await api("allow", { ticket, scopes: shown.scopes.map(s => s.scope), days: 90 });
  return { shown, back: new URL(to) };
}

/** The app's own server: its description, and where answers go. */
const site = createServer((request, answer) => {
  const at = `http://localhost:${site.address().port}`;
  const document = { client_id: `${at}/client.json`, client_name: "Notebook", redirect_uris: [`${at}/cb`], tos_uri: "https://localhost/terms" };
  if (request.url === "/client.json") return answer.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(document));
  if (request.url === "/other.json") return answer.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(document));
  if (request.url === "/moved.json") return answer.writeHead(302, { Location: "/client.json" }).end();
  if (request.url === "/large.json") return answer.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ ...document, x: "x".repeat(6_000) }));
  answer.writeHead(404).end();
});
await new Promise(ready => site.listen(0, "localhost", ready));
const at = `http://localhost:${site.address().port}`;

const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...plain }));
const oidc = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, plain));
assert.deepEqual(as, oidc);
for (const path of ["/dav", "/rs", "/api/v1", ""]) {
  const resource = new URL(`${HOLM_ORIGIN}${path}`);
  const found = await oauth.resourceDiscoveryRequest(resource, plain);
  if (path) assert.equal((await oauth.processResourceDiscoveryResponse(resource, found)).authorization_servers[0], HOLM_ORIGIN);
}
assert.equal((await fetch(`${HOLM_ORIGIN}/.well-known/oauth-protected-resource/elsewhere`)).status, 404);

async function codeFlow(client, authentication, { redirect, scope, push = false, dpop, resource, nonce }) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const params = new URLSearchParams({ client_id: client.client_id, redirect_uri: redirect, response_type: "code", scope, state });
  params.set("code_challenge", await oauth.calculatePKCECodeChallenge(verifier));
  params.set("code_challenge_method", "S256");
  if (resource) params.set("resource", resource);
  if (nonce) params.set("nonce", nonce);
  const address = new URL(as.authorization_endpoint);
  if (push) {
    const pushed = await oauth.processPushedAuthorizationResponse(as, client, await oauth.pushedAuthorizationRequest(as, client, authentication, params, { DPoP: dpop, ...plain }));
    address.search = new URLSearchParams({ client_id: client.client_id, request_uri: pushed.request_uri });
  } else {
    address.search = params;
  }
  const { shown, back } = await person(address);
  if (push) assert.equal((await fetch(address, { redirect: "manual" })).status, 400, "what was pushed is used once");
  const checked = oauth.validateAuthResponse(as, client, back, state);
  const answer = await oauth.authorizationCodeGrantRequest(as, client, authentication, checked, redirect, verifier, { DPoP: dpop, ...plain });
  const options = nonce ? { expectedNonce: nonce, requireIdToken: true } : {};
  return { shown, tokens: await oauth.processAuthorizationCodeResponse(as, client, answer, options), answer };
}

const put = (tokens, path, dpop) => oauth.protectedResourceRequest(tokens.access_token, "PUT", new URL(`${HOLM_ORIGIN}/dav/files/ann${path}`), undefined, "x", { DPoP: dpop, ...plain });
async function status(work) {
  try {
    return (await work).status;
  } catch (error) {
    if (error instanceof oauth.WWWAuthenticateChallengeError) return error.response.status;
    throw error;
  }
}
const refresh = async (client, authentication, tokens, dpop) =>
  oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, { DPoP: dpop, ...plain }));

const scenarios = {
  /** Described by a document, pushed, bound to a key, and who is it? */
  async document() {
    const client = { client_id: `${at}/client.json` };
    const dpop = oauth.DPoP(client, await oauth.generateKeyPair("ES256", { extractable: false }));
    const nonce = oauth.generateRandomNonce();
    const { shown, tokens, answer } = await codeFlow(client, oauth.None(), { redirect: `${at}/cb`, scope: "openid profile files:rw", push: true, dpop, nonce });
    assert.equal(shown.name, "Notebook");
    assert.equal(shown.client, client.client_id);
    assert.equal(tokens.token_type, "dpop");
    await oauth.validateApplicationLevelSignature(as, answer, plain);
    const claims = oauth.getValidatedIdTokenClaims(tokens);
    assert.equal(claims.preferred_username, "ann");
    const told = await oauth.processUserInfoResponse(as, client, claims.sub, await oauth.userInfoRequest(as, client, tokens.access_token, { DPoP: dpop, ...plain }));
    assert.equal(told.name, "ann");
    assert.equal(await status(put(tokens, "/by-key", dpop)), 201);
    // Whoever has the token alone has nothing; nor has whoever has another key.
    assert.equal(await status(put(tokens, "/without")), 401);
    const other = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
    assert.equal(await status(put(tokens, "/other", other)), 401);
    await assert.rejects(refresh(client, oauth.None(), tokens, other), { error: "invalid_dpop_proof" });
    await assert.rejects(refresh(client, oauth.None(), tokens), { error: "invalid_dpop_proof" });
    const next = await refresh(client, oauth.None(), tokens, dpop);
    assert.equal(await status(put(next, "/by-key", dpop)), 204);
    for (const bad of ["other.json", "moved.json", "large.json", "missing.json"]) {
      const params = new URLSearchParams({ client_id: `${at}/${bad}`, redirect_uri: `${at}/cb`, response_type: "code", scope: "files:r" });
      const refused = await fetch(`${as.authorization_endpoint}?${params}`, { redirect: "manual" });
      assert.equal(refused.status, 400, bad);
      assert.match(await refused.text(), /invalid_client/, bad);
    }
  },

  /** Registered, without a secret; for one part of holm. */
  async registered() {
    const redirect = "http://127.0.0.1:49152/cb";
    const made = await oauth.dynamicClientRegistrationRequest(as, { redirect_uris: ["http://127.0.0.1/cb"], token_endpoint_auth_method: "none", client_name: "Tool" }, plain);
    const client = await oauth.processDynamicClientRegistrationResponse(made);
    const { tokens } = await codeFlow(client, oauth.None(), { redirect, scope: "files:rw", resource: `${HOLM_ORIGIN}/dav` });
    assert.equal(await status(put(tokens, "/tool")), 201);
    const second = await refresh(client, oauth.None(), tokens);
    assert.equal(await status(put(second, "/tool")), 204);
    const storage = await codeFlow(client, oauth.None(), { redirect, scope: "files:rw", resource: `${HOLM_ORIGIN}/rs/` });
    assert.equal(await status(put(storage.tokens, "/tool")), 403, "for another part");
  },

  /** Registered, with a secret: its tokens are looked at, and taken back. */
  async confidential() {
    const redirect = "https://app.example/cb";
    const made = await oauth.dynamicClientRegistrationRequest(as, { redirect_uris: [redirect] }, plain);
    const client = await oauth.processDynamicClientRegistrationResponse(made);
    const secret = oauth.ClientSecretBasic(client.client_secret);
    const { tokens } = await codeFlow(client, secret, { redirect, scope: "files:r cal" });
    const look = async token => oauth.processIntrospectionResponse(as, client, await oauth.introspectionRequest(as, client, secret, token, plain));
    assert.equal((await look(tokens.access_token)).scope, "files:r cal");
    await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, secret, tokens.refresh_token, plain));
    assert.equal((await look(tokens.access_token)).active, false);
    await assert.rejects(refresh(client, secret, tokens), { error: "invalid_grant" });
  },

  /** A television: it shows a code, the person types it. */
  async device() {
    const made = await oauth.dynamicClientRegistrationRequest(
      as,
      { redirect_uris: [], token_endpoint_auth_method: "none", grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"] },
      plain,
    );
    const client = await oauth.processDynamicClientRegistrationResponse(made);
    const begin = async () =>
      oauth.processDeviceAuthorizationResponse(as, client, await oauth.deviceAuthorizationRequest(as, client, oauth.None(), new URLSearchParams({ scope: "files:r" }), plain));
    const poll = async codes => oauth.processDeviceCodeResponse(as, client, await oauth.deviceCodeGrantRequest(as, client, oauth.None(), codes.device_code, plain));
    const codes = await begin();
    assert.match(codes.user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    await assert.rejects(poll(codes), { error: "authorization_pending" });
    await assert.rejects(poll(codes), { error: "slow_down" });
    const { ticket } = await api("device", { code: codes.user_code.toLowerCase().replace("-", "") });
    assert.equal((await api("look", { ticket })).device, true);
    assert.equal((await api("allow", { ticket, scopes: ["files:r"], days: 1 })).to, null);
    const tokens = await poll(codes);
    assert.equal(tokens.scope, "files:r");
    await assert.rejects(poll(codes), { error: "expired_token" });
    const denied = await begin();
    await api("deny", { ticket: (await api("device", { code: denied.user_code })).ticket });
    await assert.rejects(poll(denied), { error: "access_denied" });
    // Guessing: after a hundred wrong ones nothing more is looked at from here.
    const guess = () => oauth.deviceCodeGrantRequest(as, client, oauth.None(), oauth.generateRandomState(), plain);
    let last;
    for (let n = 0; n < 120 && last !== 429; n++) last = (await guess()).status;
    assert.equal(last, 429);
  },
};

for (const [name, scenario] of Object.entries(scenarios)) {
  await scenario();
  console.log(`${name}: ok`);
}
site.close();
site.closeAllConnections();
