// What is done with files from any page: one call, what it says, and how it is undone.

import { files } from "../api/calls";
import type { FileChange, FileChanged, Item, Place } from "../api/types";
import { notices } from "../state/notices.svelte";
import { text } from "../text";
import { folder } from "./folder.svelte";
import { freeName, join, nameOf, parentOf } from "./paths";

const t = text.files;
/** Changes in one request. */
const TOGETHER = 1_000;
/** What Ctrl-Z takes back, the last first. */
const undoable: FileChange[][] = [];

async function made(changes: FileChange[]): Promise<FileChanged[]> {
  const done: FileChanged[] = [];
  for (let n = 0; n < changes.length; n += TOGETHER) done.push(...(await files.change(changes.slice(n, n + TOGETHER))));
  return done;
}

/** What the changes did to the folders that are shown. */
function seen(changes: FileChange[], done: FileChanged[]): Place[] {
  return changes.flatMap((change, n) => {
    const came = done[n];
    if (!came || came.problem) return [];
    const left = change.do === "move" ? change.from : change.do === "delete" ? change.path : null;
    const gone: Place[] = left ? [{ path: left, item: null }] : [];
    return came.path && came.item ? [...gone, { path: came.path, item: came.item }] : gone;
  });
}

/** Makes changes, shows them and says what came of them. Answers those that were made. */
export async function change(changes: FileChange[], said: (n: number) => string, quiet = false): Promise<FileChanged[]> {
  if (!changes.length) return [];
  const done = await made(changes).catch(error => notices.fail(error));
  if (!done) return [];
  folder.apply(seen(changes, done));
  const good = done.filter(one => !one.problem);
  const [bad] = done.filter(one => one.problem);
  // The last that was done is the first to be undone.
  const undo = good.flatMap(one => (one.undo ? [one.undo] : [])).reverse();
  if (undo.length) undoable.push(undo);
  if (good.length && !quiet) notices.say(said(good.length), undo.length ? () => takeBack(undo) : undefined);
  if (bad?.problem) notices.fail(new Error(t.not(done.length - good.length, bad.problem.detail)));
  return good;
}

async function takeBack(undo: FileChange[]): Promise<void> {
  const at = undoable.indexOf(undo);
  if (at >= 0) undoable.splice(at, 1);
  const done = await made(undo);
  folder.apply(seen(undo, done));
  const bad = done.filter(one => one.problem);
  if (bad[0]?.problem) throw new Error(t.not(bad.length, bad[0].problem.detail));
  notices.say(t.done.undo);
}

export async function undoLast(): Promise<void> {
  const undo = undoable.at(-1);
  if (!undo) return notices.say(t.nothingToUndo);
  await takeBack(undo).catch(error => notices.fail(error));
}

export const remove = (paths: string[]) => change(paths.map(path => ({ do: "delete", path })), t.done.delete);

export const rename = (path: string, name: string) => change([{ do: "move", from: path, to: join(parentOf(path), name) }], () => t.renamed(name));

export const makeFolder = (path: string) => change([{ do: "make-folder", path }], () => t.made(nameOf(path)));

/** Takes things to a folder. A copy beside its like gets a name of its own; nothing else is written over. */
export function take(how: "move" | "copy", paths: string[], to: string): Promise<FileChanged[]> {
  const taken = new Set(to === folder.path ? folder.members.map(member => member.name) : []);
  const target = (path: string) => {
    const name = nameOf(path);
    const own = how === "copy" && taken.has(name) ? freeName(name, other => taken.has(other)) : name;
    taken.add(own);
    return join(to, own);
  };
  const going = paths.filter(path => how === "copy" || parentOf(path) !== to);
  const where = to === "/" ? t.top : nameOf(to);
  return change(going.map(path => ({ do: how, from: path, to: target(path) })), n => t.done[how](n, where));
}

/** Why something can not be called so; nothing, where it can. */
export function nameTrouble(name: string, taken: (name: string) => boolean): string {
  if (!name || name === "." || name === ".." || name.includes("/") || new TextEncoder().encode(name).length > 255) return t.badName;
  return taken(name) ? t.taken : "";
}

function keep(address: string): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = "";
  link.click();
}

/** A file as it is; anything else as a zip. */
export function download(at: string, items: Item[]): void {
  const [one] = items;
  if (items.length === 1 && one?.kind === "file") return keep(files.content(join(at, one.name), { download: true }));
  const address = items.length === 1 && one ? files.archive(join(at, one.name), []) : files.archive(at, items.map(item => item.name));
  if (address.length > 7_500) notices.fail(new Error(t.tooMany));
  else keep(address);
}
