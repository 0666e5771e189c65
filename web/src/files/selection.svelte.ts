// What is selected in a list of members, and which one the keyboard is at.

import { SvelteSet } from "svelte/reactivity";
import type { Member } from "./folder.svelte";

export class Selection {
  /** Where the keyboard is; -1: nowhere yet. */
  at = $state(-1);
  byKeyboard = $state(false);
  #ids = new SvelteSet<number>();
  /** Where a range began. */
  #from = -1;
  #members: () => Member[];

  constructor(members: () => Member[]) {
    this.#members = members;
  }

  get size(): number {
    return this.#ids.size;
  }

  has = (member: Member | undefined) => member !== undefined && this.#ids.has(member.id);

  /** Those that are selected, in the order in which they are shown. */
  get members(): Member[] {
    return this.#ids.size ? this.#members().filter(member => this.#ids.has(member.id)) : [];
  }

  #only(members: Member[]): void {
    this.#ids.clear();
    members.forEach(member => this.#ids.add(member.id));
  }

  click(index: number, { range, add }: { range: boolean; add: boolean }): void {
    const member = this.#members()[index];
    if (!member) return;
    this.byKeyboard = false;
    if (range) this.#range(index);
    else {
      if (!add) this.#only([member]);
      else if (this.#ids.has(member.id)) this.#ids.delete(member.id);
      else this.#ids.add(member.id);
      this.#from = index;
    }
    this.at = index;
  }

  #range(to: number): void {
    const from = Math.max(0, this.#from);
    this.#only(this.#members().slice(Math.min(from, to), Math.max(from, to) + 1));
  }

  /** The keyboard goes on; with `range`, what it passes is selected. */
  step(by: number, range: boolean): void {
    const last = this.#members().length - 1;
    if (last < 0) return;
    const to = this.at < 0 ? (by < 0 && -by > last ? 0 : by > last ? last : 0) : Math.min(last, Math.max(0, this.at + by));
    this.byKeyboard = true;
    if (range) this.#range(to);
    else {
      this.#from = to;
      this.#only([this.#members()[to]!]);
    }
    this.at = to;
  }

  toggle(): void {
    if (this.at >= 0) this.click(this.at, { range: false, add: true });
  }

  all(): void {
    this.#only(this.#members());
  }

  clear(): void {
    this.#ids.clear();
    this.#from = -1;
  }

  /** Something else is shown. */
  reset(): void {
    this.clear();
    this.at = -1;
  }

  /** Selects by name, where it came to be. */
  choose(names: Set<string>): void {
    const found = this.#members().filter(member => names.has(member.name));
    if (!found[0]) return;
    this.#only(found);
    this.byKeyboard = true;
    this.at = this.#members().indexOf(found[0]);
    this.#from = this.at;
  }

  /** Forgets those that are not there any more. */
  prune(): void {
    const there = new Set(this.#members().map(member => member.id));
    [...this.#ids].filter(id => !there.has(id)).forEach(id => this.#ids.delete(id));
    if (this.at >= there.size) this.at = there.size - 1;
  }
}
