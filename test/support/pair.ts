/** Two Duplexes joined in memory, and the bytes that went through. */
import { Duplex } from 'node:stream';

/** One end of a pair. What is written to it is read from its peer. */
export class PairEnd extends Duplex {
  #peer: PairEnd | undefined;
  #ended = false;
  /** Ends the peer's pending write, once this side has room again. */
  #makeRoom: (() => void) | undefined;
  readonly #sent: Buffer[] = [];

  /** Everything written to this end so far. */
  get sent(): Buffer {
    return Buffer.concat(this.#sent);
  }

  /** @internal */
  join(peer: PairEnd): void {
    this.#peer = peer;
  }

  override _read(): void {
    const makeRoom = this.#makeRoom;
    this.#makeRoom = undefined;
    makeRoom?.();
  }

  override _write(
    chunk: Buffer,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    const peer = this.#peer;
    if (peer === undefined || peer.destroyed) {
      callback(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      return;
    }
    const copy = Buffer.from(chunk);
    this.#sent.push(copy);
    // Never within the writer's call: a real socket does not answer from inside write() either.
    setImmediate(() => peer.#receive(copy, callback));
  }

  override _final(callback: (error?: Error | null) => void): void {
    const peer = this.#peer;
    setImmediate(() => {
      if (peer !== undefined) peer.#receive(null, () => {});
      callback();
    });
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    // As on TCP: when one process lets go, the other reads the end and cannot write any more.
    const peer = this.#peer;
    setImmediate(() => {
      if (peer !== undefined) peer.#receive(null, () => {});
    });
    this._read();
    callback(error);
  }

  #receive(chunk: Buffer | null, done: () => void): void {
    if (this.destroyed || this.#ended) {
      done();
      return;
    }
    if (chunk === null) this.#ended = true;
    if (this.push(chunk)) done();
    else this.#makeRoom = done;
  }
}

export interface Pair {
  readonly client: PairEnd;
  readonly server: PairEnd;
}

/** Both ends half-close on their own, as a socket with `allowHalfOpen`. */
export function createPair(options: { readonly highWaterMark?: number } = {}): Pair {
  const client = new PairEnd({ ...options, allowHalfOpen: true });
  const server = new PairEnd({ ...options, allowHalfOpen: true });
  client.join(server);
  server.join(client);
  return { client, server };
}
