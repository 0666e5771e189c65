// Short messages at the edge of the page, and what can be undone from them.

import { told } from "../api/send";

/** Milliseconds that a message stays; longer where there is something to undo. */
const STAY = 6_000;
const STAY_TO_UNDO = 12_000;

/** Messages at a time. */
const MOST = 3;

export interface Notice {
  id: number;
  message: string;
  bad: boolean;
  undo?: () => Promise<void>;
}

class Notices {
  list = $state<Notice[]>([]);
  #last = 0;

  #show(notice: Omit<Notice, "id">): void {
    const id = ++this.#last;
    // What was said before makes room.
    this.list = [...this.list.slice(1 - MOST), { id, ...notice }];
    setTimeout(() => this.drop(id), notice.undo || notice.bad ? STAY_TO_UNDO : STAY);
  }

  say(message: string, undo?: () => Promise<void>): void {
    this.#show({ message, bad: false, undo });
  }

  fail(error: unknown): void {
    this.#show({ message: told(error), bad: true });
  }

  drop(id: number): void {
    this.list = this.list.filter(notice => notice.id !== id);
  }

  /** What one person did is not for the next. */
  clear(): void {
    this.list = [];
  }

  async undo(notice: Notice): Promise<void> {
    this.drop(notice.id);
    await notice.undo?.().catch(error => this.fail(error));
  }
}

export const notices = new Notices();
