// One request to the API, and what is wrong when it is not a success (RFC 9457). Whoever is asked for a fresh proof gives it,
// and the request goes out again.

import { text } from "../text";

const ROOT = "/api/v1";
const TYPES = "/problems/";
/** Milliseconds after which a server that says nothing is taken for gone. */
const PATIENCE = 30_000;

export class Problem extends Error {
  constructor(
    /** What the pages go by: the last part of the problem's type, or `unreachable`. */
    readonly kind: string,
    detail: string,
  ) {
    super(detail);
  }
}

/** What the rest of the app does when a proof is too old, or the session is over. */
export const onProblem = {
  /** Answers whether a fresh proof was given. */
  stepUp: async (): Promise<boolean> => false,
  signedOut: () => {},
};

/** What to tell people of whatever was thrown. */
export function told(error: unknown): string {
  if (error instanceof Problem) return error.message;
  return error instanceof Error && error.message ? error.message : text.problem.unknown;
}

/** A sentence of what the server says in one. */
function sentence(detail: string): string {
  const begun = detail.charAt(0).toUpperCase() + detail.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

async function problem(answer: Response): Promise<Problem> {
  const body: unknown = await answer.json().catch(() => null);
  if (body && typeof body === "object" && "type" in body && "detail" in body) {
    return new Problem(String(body.type).replace(TYPES, ""), sentence(String(body.detail)));
  }
  return new Problem("internal", text.problem.answer(answer.status));
}

async function once(method: string, path: string, body: unknown): Promise<Response> {
  const init: RequestInit = { method, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) };
  if (body !== undefined) {
    init.headers = { "Content-Type": "application/json" };
    init.body = JSON.stringify(body);
  }
  const answer = await fetch(ROOT + path, init).catch(() => {
    throw new Problem("unreachable", text.problem.unreachable);
  });
  if (answer.ok) return answer;
  throw await problem(answer);
}

/** Sends a request; answers its body, or undefined where there is none. */
export async function send<T>(method: string, path: string, body?: unknown): Promise<T> {
  const ask = () => once(method, path, body);
  const answer = await ask().catch(async error => {
    if (error instanceof Problem && error.kind === "step-up" && (await onProblem.stepUp())) return ask();
    // Signing in answers so too, where nobody is signed in to begin with.
    if (error instanceof Problem && error.kind === "sign-in") onProblem.signedOut();
    throw error;
  });
  return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T);
}

/** A query of what is set. */
export function query(parts: Record<string, string | number | undefined | null>): string {
  const set = Object.entries(parts).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return set.length ? `?${new URLSearchParams(set.map(([name, value]) => [name, String(value)]))}` : "";
}

interface Page<T> {
  items: T[];
  next: string | number | null;
}

/** All of a list that comes in pages; at most `most` pages of a thousand. */
export async function all<T>(path: string, most = 10): Promise<T[]> {
  const items: T[] = [];
  let after: string | number | null = null;
  for (let page = 0; page < most; page++) {
    const found: Page<T> = await send<Page<T>>("GET", path + query({ after, limit: 1000 }));
    items.push(...found.items);
    after = found.next;
    if (after === null || after === undefined) break;
  }
  return items;
}
