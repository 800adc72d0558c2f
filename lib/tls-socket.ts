import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Connection } from './connection';
import type { ConnectionListener } from './connection-result';
import { invalidArgType, TLSClientCertError } from './errors';
import { destroyedError, gaveUpError } from './failures';
import { IdleTimer } from './idle-timer';
import { LowerStream, type LowerStreamOwner } from './lower-stream';
import { OnRead } from './on-read';
import { type ConnectionOptions, checkSocketOptions } from './options';
import { BELOW, type Below } from './socket-face';
import { CONNECTION } from './socket-facts';
import { SocketMachine } from './socket-machine';
import type { TLSSocketEvents } from './tls-socket-events';

/** What a `net.Socket` tells on its way to a connection. */
const CONNECT_EVENTS = [
  'lookup',
  'connectionAttempt',
  'connectionAttemptFailed',
  'connectionAttemptTimeout',
  'connect',
  'ready',
];

/**
 * The client's end of a TLS connection, made by {@link connect}. Its events, methods and getters
 * are those of `tls.TLSSocket` on the client's side.
 * Beyond those of `stream.Duplex` it emits {@link TLSSocketEvents}.
 */
export class TLSSocket extends SocketMachine<TLSSocket> {
  /** Always true, as in `node:tls`. */
  readonly encrypted = true;
  /** Milliseconds set by {@link setTimeout}. */
  timeout?: number;

  readonly #connectOptions: Pick<ConnectionOptions, 'host' | 'port' | 'path' | 'localAddress'>;
  /** @internal */
  protected override readonly lower: LowerStream;
  /** @internal */
  protected override readonly [CONNECTION]: Connection;
  #renegotiating: ((error: Error | null) => void)[] = [];
  /** Of the transport, for whoever has read what came before. */
  #lostBy: Error | undefined;
  /** The connection was told that nothing more comes. */
  #heardEnd = false;
  readonly #idle = new IdleTimer(this);

  private constructor(open: () => Duplex, options: ConnectionOptions) {
    checkSocketOptions(options);
    const { host, port, path, localAddress, highWaterMark } = options;
    super({
      allowHalfOpen: options.allowHalfOpen === true,
      emitClose: false,
      ...(highWaterMark === undefined ? {} : { highWaterMark }),
    });
    this.onRead = OnRead.of(options);
    this.#connectOptions = { host, port, path, localAddress };
    this[CONNECTION] = new Connection(options, new TLSSocket.#Listener(this));
    this[CONNECTION].diagnostics.source = this;
    const stream = this.#opened(open);
    this.lower = new LowerStream(stream, this[CONNECTION], new TLSSocket.#Below(this), {
      shared: options.socket != null,
      streamOnly: options.transport === 'stream',
    });
    // After our own listeners, which a throwing one of the caller's must not cut off.
    if ((stream as Partial<Socket>).connecting) {
      for (const name of CONNECT_EVENTS) {
        // Also once destroyed, as in node:tls: by then the server may have closed the connection.
        stream.on(name, (...args: unknown[]) => this.emit(name, ...args));
      }
    }
  }

  /**
   * @internal Use {@link connect}.
   * @param open - Opens the stream below, once nothing can be wrong with the options any more.
   */
  static over(open: () => Duplex, options: ConnectionOptions): TLSSocket {
    return new TLSSocket(open, options);
  }

  #opened(open: () => Duplex): Duplex {
    try {
      return open();
    } catch (error) {
      this[CONNECTION].destroy(() => error as Error);
      throw error;
    }
  }

  /** What the connection tells, on its way to the events. */
  static readonly #Listener = class implements ConnectionListener {
    readonly #socket: TLSSocket;

    constructor(socket: TLSSocket) {
      this.#socket = socket;
    }

    resumed(): void {
      this.#socket.exhausted = false;
      this.#socket.advance();
    }

    // To write down a session, or a secret, costs something: only for those who listen.

    get session() {
      return this.#socket.listenerCount('session') > 0 ? this.tellSession : undefined;
    }

    get keylog() {
      return this.#socket.listenerCount('keylog') > 0 ? this.tellKey : undefined;
    }

    tellSession(session: Buffer): void {
      this.#socket.emit('session', session);
    }

    tellKey(line: Buffer): void {
      this.#socket.emit('keylog', line);
    }

    ocspResponse(response: Buffer | null): void {
      this.#socket.emit('OCSPResponse', response);
    }

    trace(text: Buffer): void {
      // To whoever of this package listens, the command line program for one.
      if (!this.#socket.emit('trace', text)) process.stderr.write(text);
    }

    renegotiated(): void {
      this.#socket.#renegotiated();
    }
  };

  /** What becomes of the stream below, in the socket's context: whoever tells may be in another. */
  static readonly #Below = class implements LowerStreamOwner {
    readonly #socket: TLSSocket;

    constructor(socket: TLSSocket) {
      this.#socket = socket;
    }

    connected(): void {
      this.#run(this.#socket.#connected);
    }

    received(): void {
      this.#run(this.#socket.#received);
    }

    ended(): void {
      this.#run(this.#socket.#ended);
    }

    vanished(): void {
      this.#run(this.#socket.#lost);
    }

    failed(error: Error): void {
      this.#run(this.#socket.#lost, error);
    }

    #run<Args extends unknown[]>(what: (...args: Args) => void, ...args: Args): void {
      this.#socket[CONNECTION].scope.runInAsyncScope(what, this.#socket, ...args);
    }
  };

  #connected(): void {
    this.phase = 'handshake';
    this.touch();
    this.advance();
  }

  #received(): void {
    this.exhausted = false;
    this.touch();
    this.turn();
  }

  #ended(): void {
    this.exhausted = false;
    this.#heardEnd = true;
    this[CONNECTION].receiveEnd();
    this.advance();
    // What came before the end is still to be read, but by nobody in a hurry.
    if (this[CONNECTION].waiting) this[CONNECTION].giveUpQuestion(this.disconnected());
  }

  // ---- renegotiation

  /**
   * TLS 1.2: begins another handshake on this connection, in which the server may ask for a client
   * certificate; the server is judged anew. Data goes on meanwhile, but as long as nobody reads here,
   * writes may have to wait.
   *
   * @param options - `rejectUnauthorized`: from now on. `requestCert` is for servers.
   * @param callback - Called once it is complete, or with what kept it from being.
   * @returns Whether it began. When not, the connection goes on without: the callback gets
   *   `ERR_SSL_WRONG_SSL_VERSION` (TLS 1.3 has none), `ERR_TLS_RENEGOTIATION_REFUSED` (no open
   *   connection, or a server without RFC 5746) or `ERR_TLS_FORBIDDEN_BY_HTTP2`.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`
   */
  renegotiate(
    options: { rejectUnauthorized?: boolean | undefined; requestCert?: boolean | undefined },
    callback?: (error: Error | null) => void,
  ): boolean {
    if (options === null || typeof options !== 'object') {
      throw invalidArgType('options', 'of type object', options);
    }
    if (callback !== undefined && typeof callback !== 'function') {
      throw invalidArgType('callback', 'of type function', callback);
    }
    const error = this[CONNECTION].renegotiate(options);
    if (error !== undefined) {
      if (callback !== undefined) process.nextTick(callback, error);
      return false;
    }
    if (callback !== undefined) this.#renegotiating.push(callback);
    this.interrupted = true;
    this.exhausted = false;
    this.flush();
    this.advance();
    return true;
  }

  /**
   * From now on a server that asks for a renegotiation fails the connection with
   * `ERR_TLS_RENEGOTIATION_DISABLED`. {@link renegotiate} still works.
   */
  disableRenegotiation(): void {
    this[CONNECTION].disableRenegotiation();
  }

  #renegotiated(): void {
    const callbacks = this.#renegotiating;
    this.#renegotiating = [];
    // Not from within the operation that reads.
    for (const callback of callbacks) process.nextTick(callback, null);
  }

  /** Whether the handshake is still to come or under way. */
  get secureConnecting(): boolean {
    return this.phase === 'connecting' || this.phase === 'handshake';
  }

  // ---- what belongs to the transport

  /** @internal */
  protected override get [BELOW](): Below {
    return this.lower.socket;
  }

  /**
   * How ciphertext goes: `'socket'`, straight through the descriptor of the `net.Socket` below;
   * `'stream'`, through the stream below; `null` until it is connected.
   */
  get transport(): 'socket' | 'stream' | null {
    return this.lower.transport?.kind ?? null;
  }

  /** As of `net.Socket`; without effect on a stream below that has no such thing. */
  ref(): this {
    this.lower.ref();
    return this;
  }

  /** As of `net.Socket`; without effect on a stream below that has no such thing. */
  unref(): this {
    this.lower.unref();
    return this;
  }

  /**
   * Emits `'timeout'` after so many milliseconds without anything read or written; 0 turns it off.
   * As in `net.Socket` the connection stays open.
   */
  setTimeout(milliseconds: number, callback?: () => void): this {
    if (this.destroyed) return this;
    if (callback !== undefined && typeof callback !== 'function') {
      throw invalidArgType('callback', 'of type function', callback);
    }
    this.#idle.set(milliseconds);
    this.timeout = this.#idle.milliseconds;
    if (callback !== undefined) {
      if (milliseconds === 0) this.removeListener('timeout', callback);
      else this.once('timeout', callback);
    }
    return this;
  }

  /** Ends the writing side and destroys the socket once everything was written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', this.destroy);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.phase = 'over';
    this.#idle.set(0);
    // Made only where someone gets to see it, and the same for all who do.
    let reason: Error | null = error;
    const why = () => {
      reason ??= destroyedError('socket');
      return reason;
    };
    this.over = why;
    // An alert that says why, if there is one.
    const lastWords = this.lower.flush();
    this[CONNECTION].destroy(why);
    const writing = this.writing;
    this.writing = undefined;
    this.passingBytes = 0;
    // As net.Socket, a turn later: whoever destroys says more, and has to be heard first.
    if (writing !== undefined) process.nextTick(writing.callback, why());
    for (const failed of this.#renegotiating) process.nextTick(failed, why());
    this.#renegotiating = [];
    const closed = () => {
      callback(error);
      // As net.Socket: after 'error', and with whether there was one.
      process.nextTick(() => this.emit('close', error !== null));
    };
    this.lower.close(lastWords, why, () => this[CONNECTION].scope.runInAsyncScope(closed));
  }

  /** @internal */
  protected override touch(): void {
    this.#idle.touch();
    this.lower.touch();
  }

  // ---- the end

  /** The transport is gone. The server may have left an alert that says more. */
  #lost(error?: Error): void {
    if (this[CONNECTION].waiting) {
      this[CONNECTION].receiveEnd(error);
      this.advance();
    } else if (error !== undefined) {
      this.lastWords();
    }
    if (this.destroyed) return;
    if (!this.#readsRest(error)) {
      this.destroy(error ?? this.disconnected());
      return;
    }
    // What ends on both sides closes by itself, within a turn. The rest has nobody to write to any more.
    const close = () => setImmediate(() => this.destroy(this.writable ? error : undefined));
    if (this.readableEnded) close();
    else this.once('end', close);
  }

  /** Whether what the server sent before its end is still to be read, as from a `net.Socket` that nobody reads. */
  #readsRest(error: Error | undefined): boolean {
    if (this.phase !== 'open' || this.writableLength > 0) return false;
    // An end that was heard before is told of by whoever reads as far as that.
    if (!this[CONNECTION].closedByPeer && (error !== undefined || !this.#heardEnd)) {
      if (this[CONNECTION].unread === 0) return false;
      this.#lostBy = error ?? this.disconnected();
      this.#heardEnd = true;
      this[CONNECTION].receiveEnd(error);
    }
    this.exhausted = false;
    this.advance();
    return true;
  }

  /** @internal A peer that is gone before the connection is secure is told of as node:tls does. */
  protected override disguised(error: Error): Error {
    if (!(error instanceof TLSClientCertError)) return error;
    // With several servers around, the sentence alone does not tell which.
    Object.assign(error, this.#connectOptions);
    const truncated = error.reason === 'unexpected eof while reading';
    if (truncated && this.#lostBy !== undefined) return this.#lostBy;
    if (truncated && this.phase === 'handshake') return this.disconnected();
    return truncated ? this.#perhapsRefused(error) : error;
  }

  /** node:https is one of the servers that refuse a certificate by going without a word. */
  #perhapsRefused(error: TLSClientCertError): TLSClientCertError {
    const auth = this.clientAuth;
    if (auth.status !== 'sent' || this.bytesRead > 0) return error;
    const { subject } = auth.credential;
    error.message += ` The server was shown the client certificate of ${subject} and has sent nothing since: it may have refused it without saying so.`;
    return Object.assign(error, { identity: subject });
  }

  /** @internal */
  protected override disconnected(): TLSClientCertError {
    const error = this[CONNECTION].waiting
      ? gaveUpError()
      : new TLSClientCertError('ECONNRESET', this.#howDisconnected());
    return Object.assign(error, this.#connectOptions);
  }

  #howDisconnected(): string {
    if (this.phase === 'open') {
      return 'The connection was closed without a close_notify alert, so what was received may be cut short.';
    }
    // Programs match on this text of node:tls.
    return 'Client network socket disconnected before secure TLS connection was established';
  }
}
