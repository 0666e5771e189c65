// Files on their way to the server (tus 1.0). A lost network is waited for; after a reload the same file, chosen again, goes on
// where it was.

import { defaultOptions, Upload, type PreviousUpload } from "tus-js-client";
import { files } from "../api/calls";
import { Problem, told } from "../api/send";
import { isWithin, join, parentOf } from "../files/paths";
import { text } from "../text";
import { session } from "./session.svelte";

/** Files sent at a time. */
const AT_ONCE = 3;
/** Bytes in one request. */
const PIECE = 32 << 20;
/** Milliseconds between tries. */
const TRIES = [0, 300, 1_000, 2_000, 4_000, 8_000, 8_000, 15_000, 15_000, 30_000, 30_000, 60_000];
const PREFIX = "holm-upload";

export interface Sending {
  id: number;
  path: string;
  name: string;
  size: number;
  sent: number;
  state: "waiting" | "going" | "paused" | "done" | "failed";
  why: string;
}

/** What a reload or a closed window left. */
export interface Interrupted {
  path: string;
  size: number;
  key: string;
}

/** A file that is to go somewhere, at a path below a folder. */
export interface Chosen {
  file: File;
  /** `a.txt`, `photos/a.jpg` */
  at: string;
}

class Uploads {
  list = $state<Sending[]>([]);
  interrupted = $state<Interrupted[]>([]);
  #files = new Map<number, File>();
  #running = new Map<number, Upload>();
  #last = 0;

  constructor() {
    addEventListener("online", () => this.#go());
    addEventListener("beforeunload", event => this.busy && event.preventDefault());
  }

  get busy(): boolean {
    return this.list.some(sending => sending.state === "going" || sending.state === "waiting");
  }

  /** Makes the folders that files need, and sends them. */
  async add(folder: string, chosen: Chosen[], empty: string[] = []): Promise<void> {
    const folders = new Set(empty.map(path => join(folder, path)));
    for (const { at } of chosen) {
      for (let above = parentOf(join(folder, at)); above !== folder && isWithin(above, folder); above = parentOf(above)) folders.add(above);
    }
    const missing = [...folders].sort((a, b) => a.length - b.length);
    for (let n = 0; n < missing.length; n += 500) {
      const made = await files.change(missing.slice(n, n + 500).map(path => ({ do: "make-folder", path })));
      const bad = made.find(done => done.problem && !done.problem.type.endsWith("/conflict"));
      if (bad?.problem) throw new Problem(bad.problem.type, bad.problem.detail);
    }
    for (const { file, at } of chosen) {
      const id = ++this.#last;
      this.#files.set(id, file);
      this.list.push({ id, path: join(folder, at), name: file.name, size: file.size, sent: 0, state: "waiting", why: "" });
    }
    this.#go();
  }

  #find = (id: number) => this.list.find(sending => sending.id === id);

  #go(): void {
    const going = this.list.filter(sending => sending.state === "going").length;
    this.list
      .filter(sending => sending.state === "waiting")
      .slice(0, Math.max(0, AT_ONCE - going))
      .forEach(sending => this.#start(sending.id));
  }

  #start(id: number): void {
    const [sending, file] = [this.#find(id), this.#files.get(id)];
    if (!sending || !file) return;
    sending.state = "going";
    const upload = new Upload(file, {
      endpoint: "/api/v1/uploads",
      chunkSize: PIECE,
      retryDelays: TRIES,
      uploadDataDuringCreation: true,
      removeFingerprintOnSuccess: true,
      metadata: { path: sending.path, type: file.type, modified: new Date(file.lastModified).toISOString() },
      fingerprint: async () => [PREFIX, session.person, file.size, file.lastModified, file.name].join("-"),
      // What is refused stays refused; a lost network comes back.
      onShouldRetry: error => {
        const status = error.originalResponse?.getStatus() ?? 0;
        return status === 0 || status === 409 || status >= 500 && status !== 507;
      },
      onProgress: sent => {
        const now = this.#find(id);
        if (now) now.sent = sent;
      },
      onSuccess: () => this.#end(id, "done"),
      onError: error => this.#end(id, "failed", error),
    });
    this.#running.set(id, upload);
    void upload.findPreviousUploads().then(previous => {
      const same = previous.find(before => before.metadata["path"] === sending.path) ?? previous[0];
      if (same) {
        upload.resumeFromPreviousUpload(same);
        this.interrupted = this.interrupted.filter(left => left.key !== same.urlStorageKey);
      }
      if (this.#find(id)?.state === "going") upload.start();
    });
  }

  #end(id: number, state: "done" | "failed", error?: unknown): void {
    const sending = this.#find(id);
    this.#running.delete(id);
    if (!sending) return;
    sending.state = state;
    if (state === "done") {
      sending.sent = sending.size;
      this.#files.delete(id);
    } else sending.why = explained(error);
    this.#go();
  }

  pause(id: number): void {
    const sending = this.#find(id);
    if (sending?.state !== "going" && sending?.state !== "waiting") return;
    sending.state = "paused";
    void this.#running.get(id)?.abort();
    this.#running.delete(id);
    this.#go();
  }

  resume(id: number): void {
    const sending = this.#find(id);
    if (sending?.state !== "paused" && sending?.state !== "failed") return;
    sending.state = "waiting";
    this.#go();
  }

  cancel(id: number): void {
    void this.#running.get(id)?.abort(true).catch(() => {});
    this.#running.delete(id);
    this.#files.delete(id);
    this.list = this.list.filter(sending => sending.id !== id);
    this.#go();
  }

  /** Forgets what is done. */
  clear(): void {
    this.list = this.list.filter(sending => sending.state !== "done");
  }

  /** Looks what a reload left behind. */
  async look(): Promise<void> {
    const left: PreviousUpload[] = (await defaultOptions.urlStorage?.findAllUploads()) ?? [];
    const mine = left.filter(before => before.urlStorageKey.includes(`${PREFIX}-${session.person}-`));
    this.interrupted = mine.map(before => ({ path: before.metadata["path"] ?? "", size: before.size ?? 0, key: before.urlStorageKey }));
  }

  async giveUp(left: Interrupted): Promise<void> {
    this.interrupted = this.interrupted.filter(other => other.key !== left.key);
    const all = (await defaultOptions.urlStorage?.findAllUploads()) ?? [];
    const url = all.find(before => before.urlStorageKey === left.key)?.uploadUrl;
    await defaultOptions.urlStorage?.removeUpload(left.key);
    // What is left on the server ends by itself, if it is not reached.
    if (url) await Upload.terminate(url).catch(() => {});
  }
}

/** In words, what the server said. */
function explained(error: unknown): string {
  const answer = error && typeof error === "object" && "originalResponse" in error ? (error.originalResponse as { getBody(): string } | null) : null;
  try {
    const said = JSON.parse(answer?.getBody() ?? "") as { detail?: string };
    if (said.detail) return said.detail;
  } catch {
    // Whatever answered is not holm.
  }
  return answer ? told(error) : text.problem.unreachable;
}

export const uploads = new Uploads();
