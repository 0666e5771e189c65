// Who is signed in with this browser.

import { me, session as calls } from "../api/calls";
import { onProblem } from "../api/send";
import type { Signed } from "../api/types";

class Session {
  /** `unknown` until the server was asked. */
  state = $state<"unknown" | "unreachable" | "none" | "open">("unknown");
  person = $state("");
  admin = $state(false);

  async look(): Promise<void> {
    try {
      // Half signed in is not: whoever loads the page anew begins with the password.
      if ((await calls.look()).state !== "open") return this.forget();
      const { name, admin } = await me.look();
      this.person = name;
      this.admin = admin;
      this.state = "open";
    } catch {
      this.state = "unreachable";
    }
  }

  /** Takes what a step of signing in came to; answers whether it is done. */
  async take(signed: Signed): Promise<boolean> {
    if (signed.state !== "open") return false;
    await this.look();
    return this.state === "open";
  }

  async end(): Promise<void> {
    await calls.end();
    this.forget();
  }

  forget(): void {
    this.state = "none";
    this.person = "";
    this.admin = false;
  }
}

export const session = new Session();
onProblem.signedOut = () => session.forget();
