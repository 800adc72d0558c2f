/**
 * Lets one in at a time, in the order in which they come: who waited in the thread pool would keep files
 * and names waiting as well.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` when all before are done, unless `signal` has aborted by then. */
  take<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = this.#last.then(() => {
      signal?.throwIfAborted();
      return work();
    });
    // Without what came of it, which would be held until the next.
    const over = () => {};
    this.#last = turn.then(over, over);
    return turn;
  }
}
