import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Connection } from './connection';
import type { ConnectionListener, ConnectionResult } from './connection-result';
import { invalidArgType, TLSClientCertError } from './errors';
import { gaveUpError } from './failures';
import { gather, RECORD_SIZE } from './gather';
import { IdleTimer } from './idle-timer';
import { LowerStream } from './lower-stream';
import { type ConnectionOptions, checkSocketOptions } from './options';
import { PendingWrite } from './pending-write';
import { freeSlab, takeFromSlab } from './slab';
import { BELOW, type Below } from './socket-face';
import { CONNECTION, SocketFacts } from './socket-facts';
import { Suspension } from './suspension';
import type { TLSSocketEvents } from './tls-socket-events';

/** Where the connection stands. */
type Phase = 'connecting' | 'handshake' | 'open' | 'over';

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
export class TLSSocket extends SocketFacts<TLSSocket> {
  /** Always true, as in `node:tls`. */
  readonly encrypted = true;
  /** The protocol agreed on by ALPN, `false` when none was, `null` before `'secureConnect'`. */
  alpnProtocol: string | false | null = null;
  /** The server name sent (SNI), `false` when none was, `null` before `'secureConnect'`. */
  servername: string | false | null = null;
  /** Plaintext bytes received. */
  bytesRead = 0;
  /** Milliseconds set by {@link setTimeout}. */
  timeout: number | undefined;

  readonly #connectOptions: Pick<ConnectionOptions, 'host' | 'port' | 'path' | 'localAddress'>;
  readonly #lower: LowerStream;
  readonly #connection: Connection;
  #phase: Phase = 'connecting';
  /** A later handshake may be under way, which nobody's reading would bring on. */
  #interrupted = false;
  #told: Suspension | undefined;
  /** Why it was destroyed, once it was. */
  #over: (() => Error) | undefined;
  #renegotiating: ((error: Error | null) => void)[] = [];
  #reading = false;
  /** Nothing is there to be read before something happens. */
  #exhausted = false;
  #wantsRead = false;
  #writing: PendingWrite | undefined;
  #bytesWritten = 0;
  #final: ((error?: Error | null) => void) | undefined;
  #advancing = false;
  #advanceAgain = false;
  readonly #idle = new IdleTimer(() => this.emit('timeout'));

  private constructor(open: () => Duplex, options: ConnectionOptions) {
    checkSocketOptions(options);
    const { host, port, path, localAddress, highWaterMark } = options;
    super({
      allowHalfOpen: options.allowHalfOpen === true,
      emitClose: false,
      ...(highWaterMark === undefined ? {} : { highWaterMark }),
    });
    this.#connectOptions = { host, port, path, localAddress };
    this.#connection = new Connection(options, new TLSSocket.#Listener(this));
    const stream = this.#opened(open);
    this.#lower = new LowerStream(
      stream,
      this.#connection,
      {
        connected: () => {
          this.#phase = 'handshake';
          this.#touch();
          this.#advance();
        },
        received: () => {
          this.#exhausted = false;
          this.#touch();
          this.#advance();
        },
        ended: () => {
          this.#exhausted = false;
          this.#connection.receiveEnd();
          this.#advance();
          // What came before the end is still to be read, but by nobody in a hurry.
          if (this.#connection.waiting) this.#connection.giveUpQuestion(this.#disconnected());
        },
        vanished: () => this.#lost(),
        failed: (error) => this.#lost(error),
      },
      { shared: options.socket != null, streamOnly: options.transport === 'stream' },
    );
    // After our own listeners, which a throwing one of the caller's must not cut off.
    if ((stream as Partial<Socket>).connecting) {
      for (const name of CONNECT_EVENTS) {
        // A socket tells 'ready' even when it was destroyed in 'connect'.
        stream.on(name, (...args: unknown[]) => this.destroyed || this.emit(name, ...args));
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
      this.#connection.destroy(() => error as Error);
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
      this.#socket.#exhausted = false;
      this.#socket.#advance();
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
      process.stderr.write(text);
    }

    renegotiated(): void {
      this.#socket.#renegotiated();
    }
  };

  /** @internal */
  protected override get [CONNECTION](): Connection {
    return this.#connection;
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
    const error = this.#connection.renegotiate(options);
    if (error !== undefined) {
      if (callback !== undefined) process.nextTick(callback, error);
      return false;
    }
    if (callback !== undefined) this.#renegotiating.push(callback);
    this.#interrupted = true;
    this.#exhausted = false;
    this.#flush();
    this.#advance();
    return true;
  }

  /**
   * From now on a server that asks for a renegotiation fails the connection with
   * `ERR_TLS_RENEGOTIATION_DISABLED`. {@link renegotiate} still works.
   */
  disableRenegotiation(): void {
    this.#connection.disableRenegotiation();
  }

  #renegotiated(): void {
    const callbacks = this.#renegotiating;
    this.#renegotiating = [];
    // Not from within the operation that reads.
    for (const callback of callbacks) process.nextTick(callback, null);
  }

  /** Whether the handshake is still to come or under way. */
  get secureConnecting(): boolean {
    return this.#phase === 'connecting' || this.#phase === 'handshake';
  }

  // ---- what belongs to the transport

  /** @internal */
  protected override get [BELOW](): Below {
    return this.#lower.socket;
  }

  /**
   * How ciphertext goes: `'socket'`, straight through the descriptor of the `net.Socket` below;
   * `'stream'`, through the stream below; `null` until it is connected.
   */
  get transport(): 'socket' | 'stream' | null {
    return this.#lower.transport?.kind ?? null;
  }

  /** As of `net.Socket`; without effect on a stream below that has no such thing. */
  ref(): this {
    this.#lower.ref();
    return this;
  }

  /** As of `net.Socket`; without effect on a stream below that has no such thing. */
  unref(): this {
    this.#lower.unref();
    return this;
  }

  /** Plaintext bytes written, those included that wait to be encrypted. */
  get bytesWritten(): number {
    return this.#bytesWritten + this.writableLength;
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

  // ---- the stream

  override _read(): void {
    this.#reading = true;
    if (!this.#exhausted) this.#advance();
  }

  override _write(
    chunk: Uint8Array,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.#writing = new PendingWrite([chunk], callback);
    this.#advance();
  }

  override _writev(items: { chunk: Uint8Array }[], callback: (error?: Error | null) => void): void {
    this.#writing = new PendingWrite(gather(items.map(({ chunk }) => chunk)), callback);
    this.#advance();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#final = callback;
    this.#advance();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#phase = 'over';
    this.#idle.set(0);
    // Made only where someone gets to see it, and the same for all who do.
    let reason: Error | null = error;
    const why = () => {
      reason ??= new TLSClientCertError('ERR_TLS_CONNECTION_OVER', 'The socket was destroyed.');
      return reason;
    };
    this.#over = why;
    // An alert that says why, if there is one.
    const lastWords = this.#lower.flush();
    this.#connection.destroy(why);
    const writing = this.#writing;
    this.#writing = undefined;
    writing?.callback(why());
    for (const failed of this.#renegotiating) process.nextTick(failed, why());
    this.#renegotiating = [];
    this.#lower.close(lastWords, why, () => {
      callback(error);
      // As net.Socket: after 'error', and with whether there was one.
      process.nextTick(() => this.emit('close', error !== null));
    });
  }

  /** Something moved: nobody is idle. */
  #touch(): void {
    this.#idle.touch();
    this.#lower.touch();
  }

  // ---- the machine

  /** Goes on as far as possible. Called again from within, it goes round once more. */
  #advance(): void {
    if (this.#advancing) {
      this.#advanceAgain = true;
      return;
    }
    this.#advancing = true;
    this.#wantsRead = false;
    let completed = false;
    try {
      do {
        this.#advanceAgain = false;
        if (this.#phase === 'handshake') this.#handshake();
        if (this.#phase === 'open' && this.#interrupted) this.#goOn();
        if (this.#phase === 'open') this.#pumpReads();
        if (this.#phase === 'open') this.#pumpWrites();
      } while (this.#advanceAgain && this.#phase !== 'over');
      completed = true;
    } finally {
      this.#advancing = false;
      // A listener threw: what it kept from happening still has to.
      if (!completed) process.nextTick(() => this.#advance());
      // Below the limit it flows even while nobody reads, so that its end is seen.
      if (this.#phase === 'handshake' || this.#phase === 'open') {
        const exhausted = this.#exhausted;
        // Unless the end is found now, which says so.
        if (this.#wantsRead) this.#exhausted = true;
        this.#lower.transport?.rest(exhausted);
      }
    }
  }

  #handshake(): void {
    const result = this.#connection.handshake();
    if (result.status !== 'done') {
      this.#stopped(result);
      return;
    }
    this.#flush();
    this.#phase = 'open';
    this.alpnProtocol = this.#connection.alpnProtocol;
    this.servername = this.#connection.servername;
    // TLS 1.2 has its session by now: it is told of after 'secureConnect'.
    this.#interrupted = true;
    this.#touch();
    this.emit('secureConnect');
    // Alerts and the server's end are to be seen even if nobody reads, as in net.Socket.
    if (!this.destroyed && !this.isPaused()) this.read(0);
  }

  /** A handshake within the connection is brought on even while nobody reads. */
  #goOn(): void {
    const result = this.#connection.handshake();
    if (result.status === 'done') {
      this.#interrupted = false;
      this.#flush();
    } else if (result.status !== 'closed') {
      // The end comes in its turn, behind what is still to be read.
      this.#stopped(result);
    }
  }

  /** What follows when an operation cannot go on now, or ever. */
  #stopped(result: ConnectionResult): void {
    // What failed may have been destroyed by the caller meanwhile: then nothing follows.
    if (this.destroyed) return;
    if (result.status === 'failed') {
      this.destroy(this.#disguised(result.error));
      return;
    }
    this.#flush();
    if (result.status === 'suspended') {
      this.#interrupted = true;
      const { suspension } = result;
      if (suspension === null || suspension === this.#told) return;
      this.#told = suspension;
      if (!this.emit('suspend', suspension)) Suspension.unheard(suspension);
    } else if (result.status === 'closed') {
      this.#reading = false;
      this.push(null);
      // As net.Socket does: 'end' comes even if nobody reads.
      this.read(0);
    }
  }

  #pumpReads(): void {
    while (this.#reading && this.#phase === 'open' && !this.#exhausted) {
      const result = this.#connection.read(freeSlab);
      this.#exhausted = result.status === 'done' && this.#connection.exhausted;
      this.#wantsRead = result.status === 'want-read';
      if (result.status !== 'done') {
        this.#stopped(result);
        return;
      }
      const chunk = takeFromSlab(result.bytes);
      this.bytesRead += result.bytes;
      // _read may be called from within push(), and must not be undone by its result.
      this.#reading = false;
      let goesOn = true;
      try {
        goesOn = this.push(chunk);
      } finally {
        // Also when a listener threw: the stream would not ask again by itself.
        if (goesOn) this.#reading = true;
      }
    }
    this.#flush();
  }

  #pumpWrites(): void {
    const writing = this.#writing;
    if (writing === undefined) {
      this.#finish();
      return;
    }
    const before = writing.written;
    const stopped = writing.encrypt(this.#connection);
    const count = writing.written - before;
    this.#bytesWritten += count;
    if (stopped !== undefined) {
      this.#stopped(stopped);
      return;
    }
    this.#writing = undefined;
    this.#touch();
    const passedOn = !this.#connection.hasOutput;
    // What is small waits a turn for more, to be gathered with it; it has left already.
    if (passedOn && count >= RECORD_SIZE) this.#written(writing);
    else this.#flush((error) => this.#written(writing, error));
  }

  /** The transport took what was encrypted of `writing`. */
  #written(writing: PendingWrite, error?: Error | null): void {
    this.#touch();
    const rest = !writing.done;
    if (error || (rest && this.#phase !== 'open')) {
      writing.callback(error ?? this.#over?.() ?? this.#disconnected());
    } else if (rest) {
      this.#writing = writing;
      this.#advance();
    } else {
      writing.callback();
    }
  }

  /** close_notify, then the end of the transport's writing side, as node:tls does. */
  #finish(): void {
    const final = this.#final;
    if (final === undefined) return;
    const result = this.#connection.shutdown();
    if (result.status !== 'done') {
      // In the middle of a renegotiation: it is tried again when that goes on.
      this.#stopped(result);
      return;
    }
    this.#final = undefined;
    this.#flush();
    // 'finish' is when all of it was passed on: after it we may be destroyed.
    this.#lower.transport?.end(final);
  }

  /** Sends what the machine has for the peer. */
  #flush(written?: (error?: Error | null) => void): void {
    if (!this.#connection.hasOutput) {
      if (written !== undefined) process.nextTick(written);
      return;
    }
    if (this.#lower.flush(written) !== 'gone') return;
    if (written !== undefined) {
      process.nextTick(written, this.#disconnected());
    } else if (this.#phase === 'handshake') {
      // Somebody else ended the stream below: the server would wait for this for ever.
      this.destroy(this.#disconnected());
    }
  }

  // ---- the end

  /** The transport is gone. The server may have left an alert that says more. */
  #lost(error?: Error): void {
    if (this.#connection.waiting) {
      this.#connection.receiveEnd(error);
      this.#advance();
    }
    if (!this.destroyed) this.destroy(error ?? this.#disconnected());
  }

  /** A peer that is gone before the connection is secure is told of as node:tls does. */
  #disguised(error: Error | undefined): Error | undefined {
    if (!(error instanceof TLSClientCertError)) return error;
    // With several servers around, the sentence alone does not tell which.
    Object.assign(error, this.#connectOptions);
    const truncated = error.reason === 'unexpected eof while reading';
    return truncated && this.#phase === 'handshake' ? this.#disconnected() : error;
  }

  #disconnected(): TLSClientCertError {
    const error = this.#connection.waiting
      ? gaveUpError()
      : new TLSClientCertError('ECONNRESET', this.#howDisconnected());
    return Object.assign(error, this.#connectOptions);
  }

  #howDisconnected(): string {
    if (this.#phase === 'open') {
      return 'The connection was closed without a close_notify alert, so what was received may be cut short.';
    }
    // Programs match on this text of node:tls.
    return 'Client network socket disconnected before secure TLS connection was established';
  }
}
