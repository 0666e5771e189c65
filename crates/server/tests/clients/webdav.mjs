// npm's webdav against a holm; the first assertion that fails ends it. HOLM_URL and HOLM_SECRET say where and as whom.

import assert from "node:assert/strict";
import { createClient } from "webdav";

const url = process.env.HOLM_URL;
const client = createClient(url, { username: "ann", password: process.env.HOLM_SECRET });
const refused = (status, call) => assert.rejects(call, e => e.status === status || assert.fail(`${e.status} and not ${status}: ${e}`));
const text = path => client.getFileContents(path, { format: "text" });
async function drain(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

// Folders, and listings deep and shallow.
await client.createDirectory("/a/b/c", { recursive: true });
await refused(405, client.createDirectory("/a"));
await refused(409, client.createDirectory("/none/d"));
await refused(403, client.getDirectoryContents("/", { deep: true }));
assert.deepEqual((await client.getDirectoryContents("/")).map(e => [e.filename, e.type]), [["/a", "directory"]]);

// Contents, whole, streamed and in part.
assert.equal(await client.putFileContents("/f", "first"), true);
assert.equal(await client.putFileContents("/f", "second", { overwrite: false }), false);
assert.equal(await text("/f"), "first");
const large = Buffer.from(Uint32Array.from({ length: 750_000 }, (_, n) => Math.imul(n, 2_654_435_761)).buffer);
assert.equal(await client.putFileContents("/large", large, { contentLength: large.length }), true);
assert.ok(large.equals(await drain(client.createReadStream("/large"))));
assert.ok(large.subarray(1_000_000, 1_000_010).equals(await drain(client.createReadStream("/large", { range: { start: 1_000_000, end: 1_000_009 } }))));
await new Promise((done, failed) => {
  const stream = client.createWriteStream("/streamed", {}, done).on("error", failed);
  stream.write(large.subarray(0, 1_500_000));
  stream.end(large.subarray(1_500_000));
});
assert.ok(large.equals(Buffer.from(await client.getFileContents("/streamed"))));
await client.partialUpdateFileContents("/f", 1, 3, "IRS");
assert.equal(await text("/f"), "fIRSt");
await client.partialUpdateFileContents("/large", 2_000_000, 2_000_003, "PART");
large.write("PART", 2_000_000);
assert.ok(large.equals(Buffer.from(await client.getFileContents("/large"))));

// What is told of a file.
const stat = await client.stat("/f");
assert.deepEqual([stat.basename, stat.type, stat.size], ["f", "file", 5]);
assert.ok(Math.abs(Date.parse(stat.lastmod) - Date.now()) < 60_000, stat.lastmod);
await refused(404, client.stat("/none"));
assert.equal(await client.exists("/none"), false);

// Conditions in headers of one's own.
const put = (content, headers) => client.putFileContents("/f", content, { headers });
await put("third", { "If-Match": `"${stat.etag}"` });
await refused(412, put("fourth", { "If-Match": `"${stat.etag}"` }));
await refused(412, put("fourth", { "If-None-Match": "*" }));
assert.equal(await text("/f"), "third");

// Names.
for (const name of ["with space", "100%", "a+b", "c#d", "ü-äöß", "q?x", "%20", "semi;&amp<>\"'", "日本", "e\u0301"]) {
  await client.putFileContents(`/a/${name}`, name);
  assert.equal((await client.stat(`/a/${name}`)).basename, name);
  await client.moveFile(`/a/${name}`, `/a/b/moved ${name}`);
  await client.copyFile(`/a/b/moved ${name}`, `/a/b/c/${name}`);
  assert.equal(await client.exists(`/a/${name}`), false, name);
  assert.ok((await client.getDirectoryContents("/a/b/c")).some(e => e.basename === name), name);
  assert.equal(await text(`/a/b/c/${name}`), name);
}

// COPY and MOVE of what is there, and of folders.
await refused(412, client.copyFile("/f", "/large", { overwrite: false }));
await refused(412, client.moveFile("/f", "/large", { overwrite: false }));
await client.copyFile("/a", "/whole");
assert.equal((await client.getDirectoryContents("/whole/b/c")).length, 10);
await client.copyFile("/a", "/shallow", { shallow: true });
assert.deepEqual(await client.getDirectoryContents("/shallow"), []);

// Locks. The client writes a body even where it means to refresh, unless it is told not to.
const lock = await client.lock("/f");
await refused(423, put("x"));
await refused(423, client.lock("/f"));
await put("locked", { If: `(<${lock.token}>)` });
assert.equal((await client.lock("/f", { refreshToken: `(<${lock.token}>)`, data: "" })).token, lock.token);
await refused(423, client.deleteFile("/f"));
await client.unlock("/f", lock.token);
await put("free");

// Quota is told to whoever names it (RFC 4331); this client asks for all properties only.
assert.equal(await client.getQuota(), null);
const named = '<propfind xmlns="DAV:"><prop><quota-used-bytes/><quota-available-bytes/></prop></propfind>';
const { used, available } = await client.getQuota({ data: named });
assert.equal(used + available, 100 * 1024 * 1024);
assert.ok(used > 2 * large.length, `${used}`);

const { compliance } = await client.getDAVCompliance("/");
assert.ok(compliance.includes("2") && compliance.includes("sabredav-partialupdate"), compliance);
for (const path of ["/a", "/whole", "/shallow", "/f", "/large", "/streamed"]) await client.deleteFile(path);
assert.deepEqual(await client.getDirectoryContents("/"), []);
await refused(401, createClient(url, { username: "ann", password: "wrong" }).getDirectoryContents("/"));
