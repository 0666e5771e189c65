// What was dropped on the page or chosen in a dialog: files, and folders with all that is below.

import type { Chosen } from "../state/uploads.svelte";

export interface Dropped {
  chosen: Chosen[];
  /** Folders without anything in them. */
  empty: string[];
}

const fileOf = (entry: FileSystemFileEntry) => new Promise<File>((resolve, reject) => entry.file(resolve, reject));
const some = (reader: FileSystemDirectoryReader) => new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));

async function walk(entry: FileSystemEntry, found: Dropped): Promise<void> {
  const at = entry.fullPath.replace(/^\//, "");
  if (entry.isFile) {
    found.chosen.push({ file: await fileOf(entry as FileSystemFileEntry), at });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  let any = false;
  // A reader answers about a hundred at a time.
  for (let read = await some(reader); read.length; read = await some(reader)) {
    any = true;
    for (const below of read) await walk(below, found);
  }
  if (!any) found.empty.push(at);
}

/** Must be called within the event, for its data is gone afterwards. */
export async function dropped(data: DataTransfer): Promise<Dropped> {
  const entries = [...data.items].map(item => item.webkitGetAsEntry()).filter(entry => entry !== null);
  const plain = entries.length ? [] : [...data.files];
  const found: Dropped = { chosen: plain.map(file => ({ file, at: file.name })), empty: [] };
  for (const entry of entries) await walk(entry, found);
  return found;
}

/** Of a field, which may have asked for a folder. */
export const chosen = (list: FileList): Chosen[] => [...list].map(file => ({ file, at: file.webkitRelativePath || file.name }));
