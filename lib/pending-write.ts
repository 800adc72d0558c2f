import type { Connection } from './connection';
import type { ConnectionResult } from './connection-result';

/** Plaintext encrypted at a time, before the transport is given a chance to say stop. */
const WRITE_PIECE = 128 * 1024;

/** What was passed to `_write()` or `_writev()`, as far as it is not encrypted yet. */
export class PendingWrite {
  readonly callback: (error?: Error | null) => void;
  /** Bytes that were encrypted. */
  written = 0;
  readonly #chunks: readonly Uint8Array[];
  #chunk = 0;
  #offset = 0;

  constructor(chunks: readonly Uint8Array[], callback: (error?: Error | null) => void) {
    this.#chunks = chunks;
    this.callback = callback;
  }

  /** Whether all of it was encrypted. */
  get done(): boolean {
    return this.#chunk === this.#chunks.length;
  }

  /** Encrypts a piece, or all that is left. Returns what stood in the way, if something did. */
  encrypt(connection: Connection): ConnectionResult | undefined {
    const end = this.written + WRITE_PIECE;
    while (this.#chunk < this.#chunks.length && this.written < end) {
      const chunk = this.#chunks[this.#chunk] as Uint8Array;
      if (this.#offset === chunk.length) {
        this.#chunk++;
        this.#offset = 0;
        continue;
      }
      const whole = this.#offset === 0 && chunk.length <= WRITE_PIECE;
      const result = connection.write(
        whole ? chunk : chunk.subarray(this.#offset, this.#offset + WRITE_PIECE),
      );
      if (result.status !== 'done') return result;
      this.#offset += result.bytes;
      this.written += result.bytes;
    }
    return undefined;
  }
}
