import { patience } from './slowness';

/** Waiting, within a bound, for something that is looked for again at each change. */
export class Waiting {
  readonly #complaint: (why: string) => Error;
  readonly #checks = new Set<() => void>();
  #ended = false;

  /** `complaint` makes the error of a wait that fails, from what was missing and for how long. */
  constructor(complaint: (why: string) => Error) {
    this.#complaint = complaint;
  }

  /** Resolves to what `look` finds, now or after a change, as soon as that is not undefined. */
  until<T>(what: string, look: () => T | undefined, ms = patience(5_000)): Promise<T> {
    return new Promise((resolve, reject) => {
      const finish = () => {
        clearTimeout(timer);
        this.#checks.delete(check);
      };
      const fail = (why: string) => {
        finish();
        reject(this.#complaint(why));
      };
      const check = () => {
        const found = look();
        if (found !== undefined) {
          finish();
          resolve(found);
        } else if (this.#ended) {
          fail(`ended before ${what}`);
        }
      };
      const timer = setTimeout(() => fail(`no ${what} in ${ms} ms`), ms);
      this.#checks.add(check);
      check();
    });
  }

  changed(): void {
    // A check that succeeds takes itself off.
    for (const check of [...this.#checks]) check();
  }

  /** Nothing will change any more: who is still waiting then waits in vain. */
  end(): void {
    this.#ended = true;
    this.changed();
  }
}
