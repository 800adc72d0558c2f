import type { Duplex } from 'node:stream';
import { types } from 'node:util';
import { invalidArgValue, TLSClientCertError } from '../errors';

/** What all the server says in plaintext may come to. The longest honest preambles have some hundred bytes. */
const MAX_BYTES = 64 * 1024;
/** Of the server's words in an error. */
const MAX_QUOTE = 200;

const LF = 10;

export type UpgradeFailure = 'unexpected-answer' | 'too-long' | 'injected' | 'closed' | 'timeout';

/** A conversation in plaintext over a stream: bytes are asked for, and what was not asked for stays. */
export class Dialogue {
  readonly #stream: Duplex;
  #received = Buffer.alloc(0);
  #total = 0;
  #changed: () => void = () => {};
  #failure: Error | undefined;
  readonly #onData = (chunk: unknown) => {
    // Until more is wanted. What the stream has not handed over yet is not ours to judge.
    this.#stream.pause();
    if (!types.isUint8Array(chunk)) {
      this.fail(notBytes());
      return;
    }
    this.#received = Buffer.concat([this.#received, chunk]);
    this.#total += chunk.length;
    if (this.#total > MAX_BYTES) this.fail(failed('too-long', `said more than ${MAX_BYTES} bytes`));
    this.#changed();
  };
  readonly #onError = (error: Error) => this.fail(error);
  readonly #onClose = () => this.fail(failed('closed', 'closed the connection'));

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.pause();
    stream.on('data', this.#onData);
    stream.on('error', this.#onError);
    stream.on('end', this.#onClose);
    stream.on('close', this.#onClose);
    if (stream.readableEncoding) this.fail(notBytes());
    else if (stream.errored) this.fail(stream.errored);
    else if (stream.destroyed || stream.readableEnded) this.#onClose();
  }

  /** Ends it; whoever waits, or will, gets the first error. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#changed();
  }

  send(bytes: Uint8Array | string): void {
    if (this.#failure === undefined) this.#stream.write(bytes);
  }

  /** The next so many bytes. */
  read(size: number): Promise<Buffer> {
    return this.#take(() => (this.#received.length < size ? undefined : size));
  }

  /** The next line, without its end. */
  async readLine(): Promise<string> {
    const line = await this.#take(() => {
      const end = this.#received.indexOf(LF);
      return end === -1 ? undefined : end + 1;
    });
    return line.toString('latin1').replace(/\r?\n$/, '');
  }

  /**
   * Leaves the stream to the handshake.
   *
   * @throws TLSClientCertError `ERR_STARTTLS_FAILED` (`injected`) when there is something left. It came before
   *   anything could be encrypted, so that anybody may have put it there, and must not count as said under TLS
   *   (CVE-2011-0411, CVE-2021-23222).
   */
  finish(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#received.length > 0) {
      throw failed(
        'injected',
        'sent more in plaintext than its answer, which anybody may have put there',
      );
    }
    this.release();
  }

  /** Takes all listeners off. */
  release(): void {
    this.#stream.off('data', this.#onData);
    this.#stream.off('error', this.#onError);
    this.#stream.off('end', this.#onClose);
    this.#stream.off('close', this.#onClose);
  }

  /** What somebody else has to say first, as long as nothing fails. */
  wait<T>(promise: T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.#failure !== undefined) reject(this.#failure);
      };
      this.#changed = look;
      look();
      Promise.resolve(promise).then(resolve, reject);
    });
  }

  #take(measure: () => number | undefined): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.#failure !== undefined) return reject(this.#failure);
        const size = measure();
        if (size === undefined) {
          this.#stream.resume();
          return;
        }
        this.#changed = () => {};
        const taken = this.#received.subarray(0, size);
        this.#received = this.#received.subarray(size);
        resolve(taken);
      };
      this.#changed = look;
      look();
    });
  }
}

function notBytes(): TypeError {
  return invalidArgValue('socket', 'must give bytes, not text: do not call its setEncoding()');
}

/** `what` goes on from "the server". */
export function failed(reason: UpgradeFailure, what: string): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_STARTTLS_FAILED',
    `The server ${what} instead of going over to TLS`,
    { reason },
  );
}

export function unreached(timeout: number): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_STARTTLS_FAILED',
    `There was no connection to the server within ${timeout} ms`,
    { reason: 'timeout' satisfies UpgradeFailure },
  );
}

export function unexpected(answer: Uint8Array | string): TLSClientCertError {
  const said = answer.length === 0 ? 'said something else' : `said ${quote(answer)}`;
  return failed('unexpected-answer', said);
}

export function refused(answer?: Uint8Array | string): TLSClientCertError {
  const words = answer === undefined || answer.length === 0 ? '' : `: it said ${quote(answer)}`;
  return new TLSClientCertError(
    'ERR_STARTTLS_REFUSED',
    `The server does not offer TLS here${words}`,
  );
}

/** Nobody has vouched for these words yet: they are cut, and have nothing in them that a terminal obeys. */
function quote(answer: Uint8Array | string): string {
  const text = typeof answer === 'string' ? answer : Buffer.from(answer).toString('latin1');
  const cut = text.length > MAX_QUOTE ? `${text.slice(0, MAX_QUOTE)}…` : text;
  return JSON.stringify(cut.replace(/[^\x20-\x7e…]/g, '.'));
}
