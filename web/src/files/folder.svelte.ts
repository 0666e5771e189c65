// The folder that is shown: all its members in memory, in the order that is asked for, and kept true by what changes. A
// hundred thousand are merged page by page, so that nothing keeps the page from answering for long.

import { files, type ItemOrder } from "../api/calls";
import { Problem, told } from "../api/send";
import type { Item, Place } from "../api/types";
import { kindOf } from "./kinds";
import { nameOf, parentOf } from "./paths";
import { view, type Order } from "./view.svelte";

/** Members asked for first, to show something at once, and then. */
const FIRST = 250;
const MORE = 5_000;

export interface Member extends Item {
  /** Its name in small letters, without accents. */
  plain: string;
  /** What that counts for in order: numbers by their value. */
  rank: string;
}

const plainly = (text: string) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

function ranked(item: Item): Member {
  const plain = plainly(item.name);
  return Object.assign(item, { plain, rank: plain.replace(/\d+/g, digits => digits.padStart(12, "0")) });
}

const text = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const byName = (a: Member, b: Member) => text(a.rank, b.rank) || text(a.name, b.name);

function compare({ by, falling }: Order): (a: Member, b: Member) => number {
  const sign = falling ? -1 : 1;
  const measure = {
    name: byName,
    modified: (a: Member, b: Member) => text(a.modified, b.modified),
    size: (a: Member, b: Member) => a.size - b.size,
    kind: (a: Member, b: Member) => text(kindOf(a), kindOf(b)),
  }[by];
  return (a, b) => {
    // Folders first, whatever the order.
    if (a.kind !== b.kind) return a.kind === "folder" ? -1 : 1;
    return sign * measure(a, b) || byName(a, b);
  };
}

function merged(a: Member[], b: Member[], order: (a: Member, b: Member) => number): Member[] {
  if (!a.length || !b.length) return a.length ? a : b;
  const out = new Array<Member>(a.length + b.length);
  for (let i = 0, j = 0, n = 0; n < out.length; n++) {
    out[n] = j >= b.length || (i < a.length && order(a[i]!, b[j]!) <= 0) ? a[i++]! : b[j++]!;
  }
  return out;
}

const asked: Record<Order["by"], [ItemOrder, ItemOrder]> = {
  name: ["name", "name"],
  modified: ["modified", "modified-falling"],
  size: ["size", "size-falling"],
  kind: ["name", "name"],
};

class Folder {
  path = $state("");
  members = $state.raw<Member[]>([]);
  /** `going` until all members are here. */
  state = $state<"going" | "there" | "missing" | "failed">("going");
  why = $state("");
  filter = $state("");
  shown = $derived.by(() => {
    const sought = plainly(this.filter.trim());
    return sought ? this.members.filter(member => member.plain.includes(sought)) : this.members;
  });
  #round = 0;
  #order = "";

  /** Shows a folder; what is shown already stays until something came. */
  async open(path: string): Promise<void> {
    const round = ++this.#round;
    const anew = path !== this.path;
    if (anew) {
      this.path = path;
      this.members = [];
      this.filter = "";
    }
    this.state = "going";
    let all: Member[] = [];
    try {
      for (let after: string | null = null, first = true; first || after !== null; first = false) {
        const order = asked[view.order.by][view.order.falling ? 1 : 0];
        const page = await files.list(path, order, after, first ? FIRST : MORE);
        if (round !== this.#round) return;
        const by = compare(view.order);
        this.#order = JSON.stringify(view.order);
        all = merged(all, page.items.map(ranked).sort(by), by);
        if (anew) this.members = all;
        after = page.next;
      }
      this.members = all;
      this.state = "there";
    } catch (error) {
      if (round !== this.#round) return;
      const missing = error instanceof Problem && ["not-found", "not-possible", "conflict"].includes(error.kind);
      this.state = missing ? "missing" : "failed";
      this.why = told(error);
      if (missing) this.members = [];
    }
  }

  /** Puts what is there in the order that is asked for now. */
  order(): void {
    if (this.#order === JSON.stringify(view.order)) return;
    this.#order = JSON.stringify(view.order);
    this.members = [...this.members].sort(compare(view.order));
  }

  has = (name: string) => this.members.some(member => member.name.normalize() === name.normalize());

  /** Takes in what changed, here or elsewhere. Answers whether this folder itself is gone. */
  apply(places: Place[]): boolean {
    const here = places.filter(place => place.path !== "/" && parentOf(place.path) === this.path);
    if (here.length) {
      const names = new Set(here.map(place => nameOf(place.path).normalize()));
      const ids = new Set(here.flatMap(place => (place.item ? [place.item.id] : [])));
      const left = this.members.filter(member => !names.has(member.name.normalize()) && !ids.has(member.id));
      const latest = new Map(here.map(place => [nameOf(place.path).normalize(), place.item]));
      const order = compare(view.order);
      const come = [...latest.values()].filter(item => item !== null).map(ranked).sort(order);
      this.members = merged(left, come, order);
    }
    return places.some(place => place.item === null && (this.path === place.path || this.path.startsWith(`${place.path}/`)));
  }
}

export const folder = new Folder();
