import type { Duplex } from 'node:stream';
import { types } from 'node:util';
import type { Connection } from './connection';
import { invalidArgType } from './errors';
import { type Flushed, type Transport, type TransportOwner, UNREAD_LIMIT } from './transport';
import { noteChunk } from './young-generation';

/** Ciphertext through any Duplex: a tunnel, another TLS connection, a test's pipe, a socket. */
export class StreamTransport implements Transport {
  readonly kind = 'stream';
  readonly socket = undefined;
  readonly #stream: Duplex;
  readonly #connection: Connection;
  #held = true;
  /** What waits for the stream to take the last flush, which a stream that is destroyed may never say. */
  #written: ((error?: Error | null) => void) | undefined;
  readonly #taken = (error?: Error | null) => {
    const written = this.#written;
    this.#written = undefined;
    written?.(error);
  };
  /** Bytes on their way in the stream that the server asked for. */
  #answers = 0;

  /** @param stream - Paused. */
  constructor(stream: Duplex, connection: Connection, owner: TransportOwner) {
    this.#stream = stream;
    this.#connection = connection;
    stream.on('data', (chunk: unknown) => {
      if (types.isUint8Array(chunk)) {
        connection.receive(chunk);
        noteChunk(chunk.length);
        owner.received();
      } else {
        // setEncoding() was called on it, or it is in object mode: records cannot survive that.
        owner.failed(invalidArgType('options.socket', 'a stream of bytes', chunk));
      }
    });
    stream.on('end', () => owner.ended());
    this.#hold(false);
  }

  flush(written?: (error?: Error | null) => void): Flushed {
    const bytes = this.#connection.drain();
    if (bytes === undefined) {
      if (written !== undefined) process.nextTick(written);
      return 'nothing';
    }
    if (!this.#stream.writable) return 'gone';
    noteChunk(bytes.length);
    if (written === undefined) {
      this.#answer(bytes);
    } else {
      this.#written = written;
      this.#stream.write(bytes, this.#taken);
    }
    return 'passed-on';
  }

  /** What nobody here wrote is what the server asked for, who may ask for more and more, and read nothing. */
  #answer(bytes: Uint8Array): void {
    const sent = () => {
      this.#answers -= bytes.length;
      this.#connection.setUnsentAnswers(this.#answers);
    };
    this.#answers += bytes.length;
    this.#stream.write(bytes, sent);
    this.#connection.setUnsentAnswers(this.#answers);
  }

  end(done: (error?: Error | null) => void): void {
    if (this.#stream.writable) this.#stream.end(done);
    else done();
  }

  rest(exhausted: boolean): void {
    this.#hold(!exhausted && this.#connection.unread > UNREAD_LIMIT);
  }

  // The stream's own business.
  ref(): void {}
  unref(): void {}

  close(why: () => Error): void {
    const written = this.#written;
    this.#written = undefined;
    if (written !== undefined) process.nextTick(written, why());
  }

  /** While it is held the peer's end is not seen. */
  #hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    if (held) this.#stream.pause();
    else this.#stream.resume();
  }
}
