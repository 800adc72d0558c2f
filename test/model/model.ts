/** What a scenario has led to so far, what it may lead to, and what it must not. */
import { Waiting } from '../support/waiting';

export class Model {
  readonly violations: string[] = [];
  /** Codes of errors that something has led to. */
  readonly permitted = new Set<string>();
  /** The program does not wait for what its peer has to say. */
  cutShort = false;
  /** Grows whenever anything happens. */
  version = 0;
  /** Milliseconds for anything to happen that has to. */
  patience = 10_000;
  readonly #waiting = new Waiting((why) => new Error(why));

  violated(what: string): void {
    if (!this.violations.includes(what)) this.violations.push(what);
  }

  permit(...codes: string[]): void {
    for (const code of codes) this.permitted.add(code);
  }

  changed(): void {
    this.version++;
    this.#waiting.changed();
  }

  /** Resolves when it is so. What never becomes so is a violation. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    if (isSo()) return;
    try {
      await this.#waiting.until(what, () => isSo() || undefined, this.patience);
    } catch (error) {
      this.violated((error as Error).message);
    }
  }
}
