import type { OnReadOpts } from 'node:net';
import { types } from 'node:util';
import { invalidArgType } from './errors';
import { RECORD_SIZE } from './gather';
import { snapshot } from './given';

/** The option `onread`: plaintext goes into the caller's buffer, and never through the stream. */
export class OnRead {
  readonly #options: OnReadOpts;
  #buffer: Uint8Array = NONE;
  /** What is in it was delivered: another may take its place. */
  #delivered = true;

  private constructor(options: OnReadOpts) {
    this.#options = options;
  }

  /**
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, where `net.Socket` goes on without.
   * @returns undefined where it is not set, or, as in `node:tls`, over a socket of the caller's.
   */
  static of({ onread, socket }: { onread?: unknown; socket?: unknown }): OnRead | undefined {
    if (onread === undefined || onread === null) return undefined;
    if (typeof onread !== 'object') {
      throw invalidArgType('options.onread', 'of type object', onread);
    }
    const { buffer, callback } = snapshot(onread as Partial<OnReadOpts>, ['buffer', 'callback']);
    if (!types.isUint8Array(buffer) && typeof buffer !== 'function') {
      throw invalidArgType(
        'options.onread.buffer',
        'an instance of Uint8Array, or a function that gives one',
        buffer,
      );
    }
    if (typeof callback !== 'function') {
      throw invalidArgType('options.onread.callback', 'of type function', callback);
    }
    return socket ? undefined : new OnRead({ buffer, callback });
  }

  /** Where to read to. */
  readonly target = (): Uint8Array => {
    if (this.#delivered) {
      const { buffer } = this.#options;
      // First, or one that throws would be called for ever: the next read makes do with the buffer there is.
      this.#delivered = false;
      const next: unknown = typeof buffer === 'function' ? buffer() : buffer;
      // When there is nothing new, the one before stays in use.
      if (types.isUint8Array(next)) this.#buffer = next;
    }
    // Without room nothing would ever come; it may also have been transferred away.
    if (this.#buffer.length === 0) this.#buffer = new Uint8Array(RECORD_SIZE);
    return this.#buffer;
  };

  /** Whether to go on. */
  deliver(bytes: number): boolean {
    this.#delivered = true;
    return this.#options.callback(bytes, this.#buffer) !== false;
  }
}

const NONE = new Uint8Array();
