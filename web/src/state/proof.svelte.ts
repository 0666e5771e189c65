// The dialog that asks for a fresh proof of who is there, while a request waits for it.

import { onProblem } from "../api/send";

class Proof {
  asked = $state(false);
  #waiting: ((given: boolean) => void)[] = [];

  ask(): Promise<boolean> {
    this.asked = true;
    return new Promise(resolve => this.#waiting.push(resolve));
  }

  answer(given: boolean): void {
    this.asked = false;
    this.#waiting.splice(0).forEach(resolve => resolve(given));
  }
}

export const proof = new Proof();
onProblem.stepUp = () => proof.ask();
