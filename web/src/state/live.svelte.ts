// What changes elsewhere, as it changes: one stream of events for all pages, open while somebody looks.

import type { Place } from "../api/types";
import { session } from "./session.svelte";

/** Milliseconds until a stream that the server ended is asked for again. */
const AGAIN = 3_000;

class Live {
  #source: EventSource | undefined;
  #last = "";
  #listeners = new Set<(places: Place[]) => void>();
  #timer = 0;

  constructor() {
    // A page that nobody sees holds no connection: browsers have few for one server.
    document.addEventListener("visibilitychange", () => this.#fit());
  }

  /** Calls back with what changed, until what it answers is called. */
  listen(heard: (places: Place[]) => void): () => void {
    this.#listeners.add(heard);
    this.#fit();
    return () => {
      this.#listeners.delete(heard);
      this.#fit();
    };
  }

  #fit(): void {
    const wanted = this.#listeners.size > 0 && !document.hidden;
    if (!wanted) {
      clearTimeout(this.#timer);
      this.#source?.close();
      this.#source = undefined;
      if (!this.#listeners.size) this.#last = "";
    } else if (!this.#source) this.#open();
  }

  #open(): void {
    const since = Number(this.#last) > 0 ? `?since=${this.#last}` : "";
    const source = new EventSource(`/api/v1/events${since}`);
    this.#source = source;
    source.onmessage = event => {
      this.#last = event.lastEventId;
      const places = JSON.parse(String(event.data)) as Place[];
      if (places.length) this.#listeners.forEach(heard => heard(places));
    };
    source.onerror = () => {
      // A browser goes on by itself, unless the server said no.
      if (source.readyState !== EventSource.CLOSED || this.#source !== source) return;
      this.#source = undefined;
      this.#timer = window.setTimeout(() => session.state === "open" && this.#fit(), AGAIN);
    };
  }
}

export const live = new Live();
