// Paths in the tree, as the API has them: `/`, `/photos/a.jpg`; and the addresses at which pages show them.

export const ROOT = "/files";

export const join = (folder: string, name: string) => (folder === "/" ? `/${name}` : `${folder}/${name}`);
export const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);
export const parentOf = (path: string) => path.slice(0, path.lastIndexOf("/")) || "/";
export const isWithin = (path: string, of: string) => of === "/" || path === of || path.startsWith(`${of}/`);

/** Where a folder is shown. */
export const address = (path: string) => ROOT + (path === "/" ? "" : path.split("/").map(encodeURIComponent).join("/"));

/** The folder that an address shows. */
export function folderAt(shown: string): string {
  try {
    const path = shown.slice(ROOT.length).split("/").filter(Boolean).map(decodeURIComponent);
    return `/${path.join("/")}`;
  } catch {
    // Nothing that this app made: no folder is there.
    return "/\u0000";
  }
}

/** Every folder on the way to one, the root first. */
export function wayTo(path: string): string[] {
  const names = path.split("/").filter(Boolean);
  return ["/", ...names.map((_, n) => `/${names.slice(0, n + 1).join("/")}`)];
}

/** A name that is not taken yet: `letter (2).txt`. */
export function freeName(name: string, taken: (name: string) => boolean): string {
  const dot = name.lastIndexOf(".");
  const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ""];
  for (let n = 2; ; n++) {
    const free = `${stem} (${n})${ending}`;
    if (!taken(free)) return free;
  }
}
