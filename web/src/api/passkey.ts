// Passkeys: what the browser does between two calls of the API (WebAuthn level 3, in its JSON form).

import { Problem } from "./send";
import { passkeys, session, welcome } from "./calls";
import type { Assertion, Question, Registration, Signed } from "./types";
import { text } from "../text";

/** Whether this browser can do it here: only over TLS, or on this machine under its name. */
export const possible = () => typeof PublicKeyCredential !== "undefined" && "parseCreationOptionsFromJSON" in PublicKeyCredential && !/^[\d.]+$|^\[/.test(location.hostname);

/** Whether the browser offers passkeys in the field of the name. */
export const offersInField = async () => possible() && (await PublicKeyCredential.isConditionalMediationAvailable?.()) === true;

/** Says what became of a question, in words. */
function explained(error: unknown): never {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "InvalidStateError") throw new Problem("passkey", text.passkey.already);
  if (name === "NotAllowedError" || name === "AbortError") throw new Problem("cancelled", text.passkey.cancelled);
  throw error;
}

async function made(question: Question, name: string): Promise<Registration> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(question.options.publicKey as PublicKeyCredentialCreationOptionsJSON);
  const credential = (await navigator.credentials.create({ publicKey }).catch(explained)) as PublicKeyCredential | null;
  if (!credential) throw new Problem("cancelled", text.passkey.cancelled);
  return { ticket: question.ticket, name, credential: credential.toJSON() };
}

async function shown(question: Question, more: CredentialRequestOptions = {}): Promise<Assertion> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(question.options.publicKey as PublicKeyCredentialRequestOptionsJSON);
  const credential = (await navigator.credentials.get({ ...more, publicKey }).catch(explained)) as PublicKeyCredential | null;
  if (!credential) throw new Problem("cancelled", text.passkey.cancelled);
  return { ticket: question.ticket, credential: credential.toJSON() };
}

export const signIn = async (): Promise<Signed> => session.passkey(await shown(await session.askPasskey()));

/** Waits until one is chosen in a field with `autocomplete="username webauthn"`, or `signal` says to stop. */
export const signInByField = async (signal: AbortSignal): Promise<Signed> =>
  session.passkey(await shown(await session.askPasskey(), { mediation: "conditional", signal }));

export const prove = async (): Promise<Signed> => session.prove(await shown(await session.askPasskey()));

export const add = async (name: string) => passkeys.add(await made(await passkeys.ask(), name));

/** Makes the first passkey of a person who comes in by a link. */
export const comeIn = async (token: string, name: string, device: string): Promise<Signed> =>
  welcome.accept({ token, name, passkey: await made(await welcome.askPasskey(token, name), device) });

/** What to call a passkey that is made with this browser. */
export function deviceName(): string {
  const agent = navigator.userAgent;
  const known: [RegExp, string][] = [[/iPhone/, "iPhone"], [/iPad/, "iPad"], [/Android/, "Android"], [/Mac OS/, "Mac"], [/Windows/, "Windows"], [/Linux/, "Linux"]];
  return known.find(([pattern]) => pattern.test(agent))?.[1] ?? text.passkey.device;
}
