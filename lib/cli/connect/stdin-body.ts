import type { Writable } from 'node:stream';

/** The body of a request that comes from stdin, as long as it comes. */
export class StdinBody {
  #request: Writable | undefined;

  /** Sends it, from now on. */
  flow(request: Writable): void {
    this.#request = request;
    this.release();
  }

  /** Leaves stdin to a prompt. */
  hold(): void {
    if (this.#request !== undefined) process.stdin.unpipe(this.#request);
  }

  /** Takes it back. */
  release(): void {
    if (this.#request !== undefined) process.stdin.pipe(this.#request);
  }
}
