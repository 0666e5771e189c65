// What whoever holds a link can do with it: over WebDAV, at the address that opening it told.

import { Problem } from "../api/send";
import { text } from "../text";

export interface Held {
  name: string;
  folder: boolean;
  href: string;
  type: string | null;
  size: number;
  modified: string;
}

const DAV = "DAV:";

/** What a request answered; told as it goes, where it sends much. */
function ask(method: string, address: string, headers: Record<string, string>, body?: Blob, progress?: (sent: number) => void): Promise<XMLHttpRequest> {
  return new Promise((resolve, reject) => {
    // Its parser is the one that Trusted Types allow for XML.
    const request = new XMLHttpRequest();
    request.open(method, address);
    Object.entries(headers).forEach(([name, value]) => request.setRequestHeader(name, value));
    request.upload.onprogress = event => progress?.(event.loaded);
    request.onload = () => resolve(request);
    request.onerror = () => reject(new Problem("unreachable", text.problem.unreachable));
    request.send(body);
  });
}

const refused = (status: number) => new Problem("link", status === 404 ? text.link.gone : status === 507 ? text.link.full : text.problem.answer(status));

/** What is in a folder, by the address where it is. */
export async function list(address: string): Promise<Held[]> {
  const answer = await ask("PROPFIND", address, { Depth: "1" });
  if (answer.status !== 207 || !answer.responseXML) throw refused(answer.status);
  const own = new URL(address, location.origin).pathname.replace(/\/$/, "");
  const all = [...answer.responseXML.getElementsByTagNameNS(DAV, "response")].map(response => {
    const value = (name: string) => response.getElementsByTagNameNS(DAV, name)[0]?.textContent ?? "";
    const href = new URL(value("href"), location.origin).pathname;
    const folder = response.getElementsByTagNameNS(DAV, "collection").length > 0;
    const name = decodeURIComponent(href.replace(/\/$/, "").split("/").pop() ?? "");
    return { name, folder, href, type: value("getcontenttype") || null, size: Number(value("getcontentlength")), modified: new Date(value("getlastmodified")).toISOString() };
  });
  const below = all.filter(held => held.href.replace(/\/$/, "") !== own);
  return below.sort((a, b) => Number(b.folder) - Number(a.folder) || a.name.localeCompare(b.name, text.language, { numeric: true }));
}

/** Puts a file beside what is there; where something is called so, under another name. */
export async function leave(address: string, file: File, password: string, progress: (sent: number) => void): Promise<void> {
  const dot = file.name.lastIndexOf(".");
  const [stem, ending] = dot > 0 ? [file.name.slice(0, dot), file.name.slice(dot)] : [file.name, ""];
  const headers: Record<string, string> = { "If-None-Match": "*" };
  // The browser's own proof is for reading alone.
  if (password) headers["Authorization"] = `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(`link:${password}`)))}`;
  if (file.type) headers["Content-Type"] = file.type;
  for (let n = 1; n < 100; n++) {
    const name = n === 1 ? file.name : `${stem} (${n})${ending}`;
    const { status } = await ask("PUT", address + encodeURIComponent(name), headers, file, progress);
    if (status === 201 || status === 204) return;
    // Whoever may only add is told that they may not change what is there.
    if (status !== 412 && status !== 403) throw refused(status);
  }
  throw refused(409);
}
