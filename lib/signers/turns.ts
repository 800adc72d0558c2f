/**
 * Lets one in at a time, in the order in which they come: who waited in the thread pool would keep files
 * and names waiting as well.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #inside = 0;

  /** Whether nobody is in, and nobody waits. */
  get idle(): boolean {
    return this.#inside === 0;
  }

  /** Runs `work` when all before are done, unless `signal` has aborted by then. */
  take<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    this.#inside += 1;
    const turn = this.#last.then(() => {
      signal?.throwIfAborted();
      return work();
    });
    // Without what came of it, which would be held until the next.
    const over = () => {
      this.#inside -= 1;
    };
    this.#last = turn.then(over, over);
    return turn;
  }
}

/** Turns by name, each kept for as long as somebody is in or waits. */
export class NamedTurns {
  readonly #turns = new Map<string, Turns>();

  /** As {@link Turns.take}, among those who give the same name. */
  async take<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turns = this.#turns.get(name) ?? new Turns();
    this.#turns.set(name, turns);
    const turn = turns.take(work, signal);
    try {
      return await turn;
    } finally {
      if (turns.idle && this.#turns.get(name) === turns) this.#turns.delete(name);
    }
  }
}
