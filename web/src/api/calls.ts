// Every call the pages make, one line each.

import { all, query, send } from "./send";
import type * as T from "./types";

const name = encodeURIComponent;

export const session = {
  look: () => send<T.Current>("GET", "/session"),
  password: (name: string, password: string) => send<T.Signed>("POST", "/session", { name, password }),
  code: (code: string) => send<T.Signed>("POST", "/session/totp", { code }),
  recoveryCode: (code: string) => send<T.Signed>("POST", "/session/recovery-code", { code }),
  askPasskey: () => send<T.Question>("POST", "/session/passkey-challenge"),
  passkey: (given: T.Assertion) => send<T.Signed>("POST", "/session/passkey", given),
  prove: (proof: T.Assertion | { password: string; code?: string }) => send<T.Signed>("POST", "/session/proof", proof),
  end: () => send<void>("DELETE", "/session"),
};

export const sessions = {
  list: () => send<{ items: T.SessionInfo[] }>("GET", "/sessions").then(found => found.items),
  end: (id: number) => send<void>("DELETE", `/sessions/${id}`),
  endOthers: () => send<void>("DELETE", "/sessions"),
};

export const welcome = {
  look: (token: string) => send<T.LinkInfo>("POST", "/welcome/link", { token }),
  askPasskey: (token: string, name: string) => send<T.Question>("POST", "/welcome/passkey-challenge", { token, name }),
  accept: (new_: { token: string; name: string; password?: string; passkey?: T.Registration }) => send<T.Signed>("POST", "/welcome", new_),
  reset: (token: string, password: string) => send<void>("POST", "/welcome/reset", { token, password }),
};

export const factors = {
  look: () => send<T.Factors>("GET", "/second-factors"),
  password: (password: string) => send<void>("PUT", "/password", { password }),
  beginTotp: () => send<T.Totp>("POST", "/totp"),
  finishTotp: (code: string) => send<void>("PUT", "/totp", { code }),
  removeTotp: () => send<void>("DELETE", "/totp"),
  recoveryCodes: () => send<{ codes: string[] }>("POST", "/recovery-codes").then(made => made.codes),
};

export const passkeys = {
  list: () => send<{ items: T.Passkey[] }>("GET", "/passkeys").then(found => found.items),
  ask: () => send<T.Question>("POST", "/passkeys/challenge"),
  add: (given: T.Registration) => send<T.Passkey>("POST", "/passkeys", given),
  remove: (id: number) => send<void>("DELETE", `/passkeys/${id}`),
};

export const appRequests = {
  look: (ticket: string) => send<T.AppRequest>("POST", "/app-requests/look", { ticket }),
  allow: (ticket: string, scopes: string[], days: number | null) => send<T.Onward>("POST", "/app-requests/allow", { ticket, scopes, days }),
  deny: (ticket: string) => send<T.Onward>("POST", "/app-requests/deny", { ticket }),
  device: (code: string) => send<{ ticket: string }>("POST", "/app-requests/device", { code }),
};

export const me = { look: () => send<T.Me>("GET", "/me") };

export const appPasswords = {
  list: () => all<T.AppPassword>("/app-passwords"),
  add: (new_: { name: string; scope?: string; abilities?: T.Ability[] }) => send<T.MadeAppPassword>("POST", "/app-passwords", new_),
  revoke: (id: number) => send<void>("DELETE", `/app-passwords/${id}`),
};

export const parties = {
  list: () => all<T.Party>("/parties"),
  addPerson: (name: string) => send<T.Party>("POST", "/parties", { kind: "person", name }),
  end: (id: number) => send<void>("DELETE", `/parties/${id}`),
};

export const grants = {
  list: () => all<T.Grant>("/grants"),
  add: (new_: T.NewGrant) => send<T.Grant>("POST", "/grants", new_),
  revoke: (id: number) => send<void>("DELETE", `/grants/${id}`),
};

export interface RecordFilter {
  party?: number;
  path?: string;
  since?: string;
  until?: string;
  after?: string;
  limit?: number;
}

export const records = {
  list: (filter: RecordFilter) => send<{ items: T.AccessRecord[]; next: string | null }>("GET", `/access-records${query({ ...filter })}`),
};

export const kit = {
  make: () => send<T.RecoveryKit>("POST", "/kit"),
  prove: (words: string) => send<void>("POST", "/kit/proof", { words }),
};

export const persons = {
  list: () => all<T.Person>("/persons"),
  change: (person: string, change: { quota?: number | null; admin?: boolean }) => send<T.Person>("PATCH", `/persons/${name(person)}`, change),
  remove: (person: string) => send<void>("DELETE", `/persons/${name(person)}`),
  offerReset: (person: string, remove_second_factors: boolean) =>
    send<{ link: string }>("POST", `/persons/${name(person)}/reset`, { remove_second_factors }).then(made => made.link),
};

export const invitations = {
  list: () => send<{ items: T.Invitation[] }>("GET", "/invitations").then(found => found.items),
  add: (new_: { note: string; quota: number | null; days: number }) => send<{ link: string }>("POST", "/invitations", new_).then(made => made.link),
  takeBack: (id: string) => send<void>("DELETE", `/invitations/${name(id)}`),
};

export type ItemOrder = "name" | "modified" | "modified-falling" | "size" | "size-falling";

export const files = {
  list: (path: string, order: ItemOrder, after: string | null, limit: number) => send<T.FolderPage>("GET", `/files${query({ path, order, after, limit })}`),
  look: (path: string) => send<T.Item>("GET", `/files/item${query({ path })}`),
  versions: (path: string) => send<{ items: T.Version[] }>("GET", `/files/versions${query({ path })}`).then(found => found.items),
  change: (changes: T.FileChange[]) => send<{ items: T.FileChanged[] }>("POST", "/files/changes", { changes }).then(done => done.items),
  /** Where a file's content is, for whatever shows or keeps it. */
  content: (path: string, more: { version?: number; download?: boolean } = {}) =>
    `/api/v1/files/content${query({ path, version: more.version, download: more.download ? "true" : undefined })}`,
  archive: (path: string, names: string[]) => `/api/v1/files/archive${query({ path, names: names.join("/") })}`,
};

export const trash = {
  list: (after: string | null) => send<{ items: T.Trashed[]; next: string | null }>("GET", `/trash${query({ after, limit: 200 })}`),
  purge: (id: number) => send<void>("DELETE", `/trash/${id}`),
  empty: () => send<void>("DELETE", "/trash"),
};

export const links = {
  list: () => all<T.Link>("/links"),
  add: (new_: { path: string; abilities: T.Ability[]; password: string | null; until: string | null }) => send<T.Link & { url: string }>("POST", "/links", new_),
  end: (id: number) => send<void>("DELETE", `/links/${id}`),
  open: (token: string, password: string | null) => send<T.OpenLink>("POST", "/links/open", password === null ? { token } : { token, password }),
};
