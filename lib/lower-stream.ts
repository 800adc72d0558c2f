import net, { type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Connection } from './connection';
import type { Below } from './socket-face';
import { SocketTransport } from './socket-transport';
import { StreamTransport } from './stream-transport';
import type { Flushed, Transport, TransportOwner } from './transport';

/** Whom the stream below tells what becomes of it. */
export interface LowerStreamOwner extends TransportOwner {
  /** It is connected: the handshake may begin. */
  connected(): void;
  /** It went without a word. */
  vanished(): void;
}

export interface LowerStreamOptions {
  /** Whether somebody else has the stream, too. */
  readonly shared: boolean;
  /** Whether ciphertext has to pass through the stream, even if there is a shorter way. */
  readonly streamOnly: boolean;
}

/** What Node does not document of a `net.Socket`: it starts the time of `setTimeout()` anew. */
interface HasTimer {
  _unrefTimer?(): void;
}

/** How long another stream than a socket may take to pass our last bytes on. */
const LAST_WORDS_TIMEOUT = 1000;

/** The stream below, from before it is connected to its close. */
export class LowerStream implements TransportOwner {
  /** Undefined once the transport has taken what there was of it. */
  #stream: Duplex | undefined;
  readonly #connection: Connection;
  readonly #owner: LowerStreamOwner;
  readonly #options: LowerStreamOptions;
  #transport: Transport | undefined;
  #referenced = true;
  #closing = false;

  constructor(
    stream: Duplex,
    connection: Connection,
    owner: LowerStreamOwner,
    options: LowerStreamOptions,
  ) {
    this.#stream = stream;
    this.#connection = connection;
    this.#owner = owner;
    this.#options = options;
    // First, so that nothing of it is lost before there is somebody to read it.
    stream.pause();
    stream.on('close', () => {
      if (!this.#closing && this.#stream !== undefined) owner.vanished();
    });
    // Stays when we are done with it: a stream may fail while it closes.
    stream.on('error', (error: Error) => owner.failed(error));
    if (stream instanceof net.Socket && stream.connecting) {
      stream.once('connect', () => this.#start(stream));
    } else {
      // Not before the caller had a chance to add listeners.
      process.nextTick(() => this.#start(stream));
    }
  }

  /** The stream, as far as it has what a `net.Socket` has. */
  get socket(): Below {
    return this.#transport?.socket ?? (this.#stream as Below | undefined) ?? {};
  }

  /** How ciphertext goes; undefined before there is any. */
  get transport(): Transport | undefined {
    return this.#transport;
  }

  /** As of {@link Transport}. */
  flush(written?: (error?: Error | null) => void): Flushed {
    return this.#transport?.flush(written) ?? 'nothing';
  }

  /**
   * Something moved. A caller's socket does not see it by itself where ciphertext takes its descriptor, and would take
   * the connection for idle.
   */
  touch(): void {
    if (this.#transport?.kind === 'socket') (this.#stream as HasTimer | undefined)?._unrefTimer?.();
  }

  ref(): void {
    this.#referenced = true;
    (this.#stream as Partial<Socket> | undefined)?.ref?.();
    this.#transport?.ref();
  }

  unref(): void {
    this.#referenced = false;
    (this.#stream as Partial<Socket> | undefined)?.unref?.();
    this.#transport?.unref();
  }

  /**
   * Destroys the stream, after what was flushed last.
   *
   * @param why - For what is still waiting to be written.
   */
  close(lastWords: Flushed, why: () => Error, done: () => void): void {
    const stream = this.#stream;
    this.#closing = true;
    this.#transport?.close(why);
    if (stream === undefined || stream.destroyed) {
      // As late as a socket tells that it is closed: behind what its last data leads to.
      setImmediate(done);
      return;
    }
    if (stream instanceof net.Socket) {
      // The kernel has taken a short write by the time that write() returns.
      stream.once('close', done);
      stream.destroy();
      return;
    }
    if (lastWords === 'passed-on' && stream.writable) {
      stream.end(() => stream.destroy());
      setTimeout(() => stream.destroy(), LAST_WORDS_TIMEOUT).unref();
    } else {
      stream.destroy();
    }
    done();
  }

  #start(stream: Duplex): void {
    const { errored, destroyed, readableEnded, writable } = stream;
    if (errored) {
      // It has not told its listeners yet.
      this.#owner.failed(errored);
      return;
    }
    if (destroyed || readableEnded || !writable) {
      this.#owner.vanished();
      return;
    }
    this.#transport = this.#chooseTransport(stream);
    if (this.#transport.socket !== undefined) this.#stream = undefined;
    if (!this.#referenced) this.#transport.unref();
    this.#owner.connected();
  }

  #chooseTransport(stream: Duplex): Transport {
    const { streamOnly, shared } = this.#options;
    const connection = this.#connection;
    return (
      (streamOnly ? undefined : SocketTransport.over(stream, shared, connection, this)) ??
      new StreamTransport(stream, connection, this)
    );
  }

  // ---- what the transport tells

  received(): void {
    this.#owner.received();
  }

  ended(): void {
    this.#owner.ended();
  }

  failed(error: Error): void {
    this.#owner.failed(error);
  }
}
