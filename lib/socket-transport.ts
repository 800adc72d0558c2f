import { AsyncResource } from 'node:async_hooks';
import net, { type Socket } from 'node:net';
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import { binding, type NativeSocketTransport, SocketEvent } from './binding';
import { Connection } from './connection';
import { TakenSocket } from './taken-socket';
import { type Flushed, type Transport, type TransportOwner, UNREAD_LIMIT } from './transport';

/** What Node does not document of a socket's handle; each may be missing. */
interface SocketHandle {
  readonly fd?: number;
  reading?: boolean;
  readStop?(): number;
  hasRef?(): boolean;
}

/**
 * Ciphertext through the descriptor of a plain `net.Socket`: the addon polls, reads and writes it, and
 * JavaScript sees plaintext only. A socket that nobody else has is destroyed once its descriptor is duplicated.
 */
export class SocketTransport implements Transport {
  readonly kind = 'socket';
  /** What outlives it. */
  socket: TakenSocket | undefined;
  readonly #native: NativeSocketTransport;
  readonly #connection: Connection;
  readonly #owner: TransportOwner;
  /** What waits for the socket to take the rest of the last flush. */
  #written: ((error?: Error | null) => void)[] = [];
  #ending: ((error?: Error | null) => void) | undefined;
  #sending = false;
  #sendError: Error | null = null;
  /** Our side has ended. */
  #finished = false;
  #state: 'open' | 'ended' | 'over' = 'open';
  /** The peer sends no more behind what is there. */
  #hungUp = false;

  private constructor(
    open: (onEvent: (events: number) => void) => NativeSocketTransport,
    connection: Connection,
    owner: TransportOwner,
  ) {
    this.#connection = connection;
    this.#owner = owner;
    this.#native = open((events) => this.#happened(events));
  }

  /**
   * @param stream - Paused, and connected.
   * @param shared - Whether anybody else has the socket, and may close it.
   * @returns undefined where there is no descriptor, or something stands in the way of using it.
   */
  static over(
    stream: Duplex,
    shared: boolean,
    connection: Connection,
    owner: TransportOwner,
  ): SocketTransport | undefined {
    const native = Connection.nativeOf(connection);
    const handle = native === null ? undefined : idleHandleOf(stream);
    if (native === null || handle === undefined) return undefined;
    const options = { descriptor: handle.fd as number, limit: UNREAD_LIMIT };
    let transport: SocketTransport;
    try {
      transport = new SocketTransport(
        (onEvent) => new binding.SocketTransport(native, options, onEvent),
        connection,
        owner,
      );
    } catch {
      return undefined;
    }
    if (handle.hasRef?.() === false) transport.unref();
    const socket = stream as Socket;
    takeOver(socket, handle, connection);
    if (!shared) {
      transport.socket = new TakenSocket(
        transport.#native,
        socket.autoSelectFamilyAttemptedAddresses,
      );
      // One descriptor is enough; the connection lives on in ours.
      socket.destroy();
    }
    return transport;
  }

  flush(written?: (error?: Error | null) => void): Flushed {
    if (this.#state === 'over') return 'gone';
    if (this.#finished) return this.#connection.drain() === undefined ? 'nothing' : 'gone';
    const result = this.#native.flush();
    this.#connection.hasOutput = result > 0;
    if (result > 0) {
      this.#sending = true;
      // In the context of whoever writes, which is not that in which the socket takes more.
      if (written !== undefined) this.#written.push(AsyncResource.bind(written));
    } else {
      const error = result === 0 ? null : systemError('write', result);
      this.#sendError ??= error;
      // A turn later, so that what is written until then goes together.
      if (written !== undefined) process.nextTick(written, error);
      if (error !== null) process.nextTick(() => this.#fail(error));
    }
    return 'passed-on';
  }

  end(done: (error?: Error | null) => void): void {
    if (this.#state === 'over') {
      done();
    } else if (this.#sendError !== null) {
      done(this.#sendError);
    } else if (this.#sending) {
      this.#ending = done;
    } else {
      this.#finished = true;
      const error = this.#native.shutdown();
      // Who has gone already needs not be told that nothing follows.
      done(error === 0 || error === ENOTCONN ? null : systemError('shutdown', -error));
    }
  }

  rest(exhausted: boolean): void {
    // Whoever waits for an answer has to hear that it comes too late, also when the question is read last.
    const all = this.#hungUp && this.#connection.waiting;
    if ((exhausted && !all) || this.#state === 'over') return;
    const status = this.#native.receive(all);
    if (status < 0) {
      this.#fail(systemError('read', status));
    } else if (status > 0 && this.#state === 'open') {
      this.#state = 'ended';
      this.#owner.ended();
    }
  }

  ref(): void {
    this.#native.ref();
  }

  unref(): void {
    this.#native.unref();
  }

  close(why: () => Error): void {
    this.#state = 'over';
    this.#native.close();
    this.socket?.close();
    const waiting = this.#written;
    this.#written = [];
    if (this.#ending !== undefined) waiting.push(this.#ending);
    this.#ending = undefined;
    // A turn later: they are the caller's, and may throw what is not to stop a close half way.
    for (const written of waiting) process.nextTick(written, why());
  }

  #happened(events: number): void {
    if ((events & SocketEvent.sent) !== 0) this.#sent();
    if (this.#state === 'over') return;
    const hungUp = (events & SocketEvent.hungUp) !== 0;
    this.#hungUp ||= hungUp;
    // What there is can be no more than the kernel keeps; and whoever waits for an answer has to
    // hear that it comes too late.
    if (hungUp && this.#connection.waiting) this.#native.receive(true);
    if (hungUp || (events & SocketEvent.readable) !== 0) this.#owner.received();
  }

  #sent(): void {
    this.#sending = false;
    const waiting = this.#written;
    this.#written = [];
    // It may have been an error that ended the wait.
    this.flush((error) => {
      for (const written of waiting) written(error);
    });
    const ending = this.#ending;
    if (ending === undefined || this.#sending) return;
    this.#ending = undefined;
    this.end(ending);
  }

  #fail(error: Error): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    this.#owner.failed(error);
  }
}

const ENOTCONN = constants.errno.ENOTCONN;

/** As Node reports what a system call returned. */
function systemError(syscall: string, errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`${syscall} ${code}`), { errno, code, syscall });
}

/** The handle of a socket that nobody else reads or writes. */
function idleHandleOf(stream: Duplex): SocketHandle | undefined {
  // A derived class, tls.TLSSocket for one, may do more than move bytes.
  if (!(stream instanceof net.Socket) || Object.getPrototypeOf(stream) !== net.Socket.prototype) {
    return undefined;
  }
  const { _handle: handle } = stream as unknown as { _handle: SocketHandle | null };
  const usable =
    typeof handle?.fd === 'number' &&
    handle.fd >= 0 &&
    stream.writableLength === 0 &&
    stream.readableEncoding === null &&
    !stream.readableObjectMode &&
    stream.listenerCount('data') === 0 &&
    stream.listenerCount('readable') === 0;
  return usable ? handle : undefined;
}

/** From here on the socket neither reads nor writes by itself. */
function takeOver(socket: Socket, handle: SocketHandle, connection: Connection): void {
  // What it read before it became ours.
  for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) connection.receive(chunk);
  if (handle.reading) {
    handle.reading = false;
    handle.readStop?.();
  }
}
