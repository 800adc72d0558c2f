import net, { type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { invalidArgType } from './errors';

/** Whom the transport tells what arrives. */
export interface TransportOwner {
  /** It is connected: the handshake may begin. */
  connected(): void;
  received(ciphertext: Uint8Array): void;
  /** The peer sends no more. */
  ended(): void;
  /** It went without a word. */
  vanished(): void;
  failed(error: Error): void;
}

/** How long another stream than a socket may take to pass our last bytes on. */
const LAST_WORDS_TIMEOUT = 1000;

/** Ciphertext through any Duplex: a socket, a tunnel, another TLS connection, a test's pipe. */
export class StreamTransport {
  /** The stream below. */
  readonly stream: Duplex;
  readonly #owner: TransportOwner;
  #ended = false;
  #closing = false;
  #held = true;

  constructor(stream: Duplex, owner: TransportOwner) {
    this.stream = stream;
    this.#owner = owner;
    // First, or the listener for 'data' would start the flow before there is a connection.
    stream.pause();
    stream.on('data', (chunk: unknown) => {
      if (chunk instanceof Uint8Array) owner.received(chunk);
      // setEncoding() was called on it, or it is in object mode: records cannot survive that.
      else owner.failed(invalidArgType('options.socket', 'a stream of bytes', chunk));
    });
    stream.on('end', () => {
      this.#ended = true;
      owner.ended();
    });
    stream.on('close', () => {
      if (!this.#ended && !this.#closing) owner.vanished();
    });
    // Stays when we are done with it: a stream may fail while it closes.
    stream.on('error', (error: Error) => owner.failed(error));
    if (stream instanceof net.Socket && stream.connecting) {
      stream.once('connect', () => this.#start());
    } else {
      // Not before the caller had a chance to add listeners.
      process.nextTick(() => this.#start());
    }
  }

  /** The stream, as far as it has what a `net.Socket` has. */
  get socket(): Partial<Socket> {
    return this.stream as Partial<Socket>;
  }

  get writable(): boolean {
    return this.stream.writable;
  }

  write(ciphertext: Uint8Array, written?: (error?: Error | null) => void): void {
    this.stream.write(ciphertext, written);
  }

  /** Ends the writing side; `done` when all of it was passed on. */
  end(done: (error?: Error | null) => void): void {
    if (this.writable) this.stream.end(done);
    else done();
  }

  /** Stops or restarts the flow of ciphertext. While it is stopped the peer's end is not seen. */
  hold(held: boolean): void {
    if (held === this.#held) return;
    this.#held = held;
    if (held) this.stream.pause();
    else this.stream.resume();
  }

  /** Destroys the stream, after `lastWords` if there are any: the alert that says why. */
  close(lastWords: Uint8Array | undefined, done: () => void): void {
    const { stream } = this;
    this.#closing = true;
    if (stream.destroyed) {
      done();
      return;
    }
    if (lastWords !== undefined && stream.writable) stream.write(lastWords);
    if (stream instanceof net.Socket) {
      // The kernel has taken a short write by the time that write() returns.
      stream.once('close', done);
      stream.destroy();
      return;
    }
    if (lastWords !== undefined && stream.writable) {
      stream.end(() => stream.destroy());
      setTimeout(() => stream.destroy(), LAST_WORDS_TIMEOUT).unref();
    } else {
      stream.destroy();
    }
    done();
  }

  #start(): void {
    const { errored, destroyed, readableEnded, writable } = this.stream;
    if (errored) {
      // It has not told its listeners yet.
      this.#owner.failed(errored);
      return;
    }
    if (destroyed || readableEnded || !writable) {
      this.#owner.vanished();
      return;
    }
    this.hold(false);
    this.#owner.connected();
  }
}
