// What the API takes and gives, as docs/openapi.json says it. Times are RFC 3339, sizes bytes.

export type SignInState = "open" | "second-factor" | "none";

export interface Current {
  state: SignInState;
}

export interface Signed {
  state: SignInState;
  person?: string;
  /** Which second factors would do. */
  totp: boolean;
  passkey: boolean;
}

/** A question for an authenticator. */
export interface Question {
  ticket: string;
  options: { publicKey: object };
}

export interface Assertion {
  ticket: string;
  credential: unknown;
}

export interface Registration extends Assertion {
  name: string;
}

export interface LinkInfo {
  kind: "owner" | "invitation" | "reset";
  person: string | null;
  by: string | null;
  quota: number | null;
  removes_second_factors: boolean;
}

export interface Me {
  name: string;
  admin: boolean;
  used: number;
  quota: number | null;
  proven: string;
  kit: "none" | "unproven" | "proven" | null;
}

export interface Factors {
  totp: boolean;
  passkeys: number;
  recovery_codes: number;
}

export interface Passkey {
  id: number;
  name: string;
  created: string;
  used: string | null;
}

export interface Totp {
  address: string;
  secret: string;
}

export interface SessionInfo {
  id: number;
  current: boolean;
  created: string;
  used: string;
  until: string;
  address: string;
  agent: string;
}

export interface AppPassword {
  id: number;
  party: number;
  name: string;
  created: string;
  used: string | null;
  revoked: string | null;
}

export interface MadeAppPassword {
  id: number;
  name: string;
  secret: string;
}

export type PartyKind = "owner" | "device" | "app" | "person" | "organisation" | "link" | "everyone";

/** One thing that an app asks for. */
export interface AskedScope {
  scope: string;
  what: "identity" | "profile" | "offline" | "files" | "calendars" | "contacts" | "mail" | "life" | "module" | "apps";
  name: string | null;
  changes: boolean;
  reading: string | null;
}

/** An app that asks to be let in. */
export interface AppRequest {
  name: string;
  origin: string | null;
  reads: string | null;
  client: string;
  device: boolean;
  scopes: AskedScope[];
  person: string;
  meant_for: string | null;
  terms: { url: string; sha256: string } | null;
  policy: string | null;
  known: boolean;
}

export interface Onward {
  to: string | null;
}

export interface Party {
  id: number;
  kind: PartyKind;
  name: string;
  /** Of an app, what it proves to be. */
  app: string | null;
  since: string;
  ended: string | null;
}

export type Ability = "read" | "append" | "write" | "delete" | "share";

export interface NewGrant {
  party: number;
  scope: string;
  abilities: Ability[];
  purpose?: string;
  terms?: { url: string; sha256: string } | null;
  from?: string | null;
  until?: string | null;
}

export interface Grant extends Required<NewGrant> {
  id: number;
  parent: number | null;
  made: string;
  revoked: string | null;
  standing: "ahead" | "active" | "expired" | "revoked";
}

export interface AccessRecord {
  party: number | null;
  credential: number | null;
  act: "look" | "read" | "change";
  refused: boolean;
  entry: number | null;
  path: string;
  via: string;
  address: string | null;
  first: string;
  last: string;
  times: number;
}

export interface Person {
  name: string;
  admin: boolean;
  created: string;
  used: number;
  quota: number | null;
}

export interface Invitation {
  id: string;
  note: string;
  by: string;
  quota: number | null;
  created: string;
  expires: string;
}

/** 24 words, and a page to print that needs nothing else. */
export interface RecoveryKit {
  words: string[];
  page: string;
}

export interface Item {
  id: number;
  name: string;
  kind: "folder" | "file";
  size: number;
  modified: string;
  etag: string;
  type: string | null;
}

export interface FolderPage {
  folder: Item;
  items: Item[];
  next: string | null;
}

export interface Version {
  id: number;
  size: number;
  modified: string;
  ended: string;
}

export interface Trashed {
  id: number;
  path: string;
  kind: "folder" | "file";
  size: number;
  type: string | null;
  deleted: string;
  by: string;
}

export type FileChange =
  | { do: "make-folder"; path: string }
  | { do: "move" | "copy"; from: string; to: string }
  | { do: "delete"; path: string }
  | { do: "restore"; id: number; to?: string | null }
  | { do: "revert"; path: string; version: number };

export interface FileChanged {
  path: string | null;
  item: Item | null;
  undo: FileChange | null;
  problem: { type: string; detail: string } | null;
}

/** A place where something changed, and what is there now. */
export interface Place {
  path: string;
  item: Item | null;
}

export interface Link {
  id: number;
  party: number;
  name: string;
  path: string;
  abilities: Ability[];
  password: boolean;
  until: string | null;
  used: string | null;
  standing: Grant["standing"];
}

export interface OpenLink {
  name: string;
  folder: boolean;
  abilities: Ability[];
  purpose: string;
  until: string | null;
  address: string;
}
