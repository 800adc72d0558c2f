import type { Fingerprint } from './fingerprint';

interface Entry<T> {
  readonly fingerprint: Fingerprint;
  readonly value: T;
  usedAt: number;
}

/**
 * How many are kept, and for how many milliseconds since they were last asked for. They hold private
 * keys, which should not stay in memory for long when nobody connects any more; held weakly, they would
 * be gone whenever the garbage collector ran between two connections.
 */
const LIMIT = 100;
const LIFETIME = 60_000;

/** What was made of options lately, to be found again by equal ones. */
export class Recent<T> {
  readonly #common = new Shelf<T>();
  /** An object of the caller's, a signer for instance, may hold anything: it is not kept alive here. */
  readonly #owned = new WeakMap<object, Shelf<T>>();

  /** What was made by an equal fingerprint; else `make()`, whose errors are not kept. */
  get(fingerprint: Fingerprint, make: () => T): T {
    return this.#shelfFor(fingerprint.owner).get(fingerprint, make);
  }

  #shelfFor(owner: object | undefined): Shelf<T> {
    if (owner === undefined) return this.#common;
    let shelf = this.#owned.get(owner);
    if (shelf === undefined) {
      shelf = new Shelf();
      this.#owned.set(owner, shelf);
    }
    return shelf;
  }
}

class Shelf<T> {
  /** The one last asked for is the last. */
  #entries: Entry<T>[] = [];
  #sweeping = false;

  get(fingerprint: Fingerprint, make: () => T): T {
    const at = this.#entries.findLastIndex((entry) => entry.fingerprint.equals(fingerprint));
    const found = at < 0 ? undefined : this.#entries[at];
    const entry = found ?? { fingerprint: fingerprint.detached(), value: make(), usedAt: 0 };
    entry.usedAt = performance.now();
    if (found !== undefined) this.#entries.splice(at, 1);
    else if (this.#entries.length === LIMIT) this.#entries.shift();
    this.#entries.push(entry);
    if (!this.#sweeping) this.#sweepIn(LIFETIME);
    return entry.value;
  }

  #sweepIn(delay: number): void {
    this.#sweeping = true;
    setTimeout(sweep, delay, new WeakRef(this)).unref();
  }

  /** Lets go of what nobody has asked for. */
  sweep(): void {
    const now = performance.now();
    this.#entries = this.#entries.filter(({ usedAt }) => now - usedAt < LIFETIME);
    const [oldest] = this.#entries;
    if (oldest === undefined) this.#sweeping = false;
    else this.#sweepIn(oldest.usedAt + LIFETIME - now);
  }
}

function sweep(shelf: WeakRef<Shelf<unknown>>): void {
  shelf.deref()?.sweep();
}
