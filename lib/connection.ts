import type { X509Certificate } from 'node:crypto';
import { binding, type FailureRecord, Moved, type NativeConnection, Step } from './binding';
import {
  type ClientAuth,
  failed,
  isAuthenticated,
  NOT_REQUESTED,
  readClientAuth,
  requiredError,
} from './client-auth';
import { ClientCertExchange } from './client-cert-exchange';
import { connectionError } from './connection-error';
import { ESTABLISHED, NATIVE } from './connection-facts';
import type { ConnectionListener, ConnectionResult } from './connection-result';
import { Credential } from './credential';
import { invalidArgType, outOfRange, TLSClientCertError } from './errors';
import { contextError, gaveUpError, protocolError, translated } from './failures';
import { normalizeProtocol, type ProtocolOptions } from './protocol-options';
import { SecureContext } from './secure-context';
import { ServerJudgement } from './server-judgement';
import { answerSharedKey, type PskCallback } from './shared-key';

const NOT_OPEN: FailureRecord = { reason: 'not-open', index: 0, detail: '', stack: [] };
const WANT_READ: ConnectionResult = { status: 'want-read' };
const CLOSED: ConnectionResult = { status: 'closed' };
const DONE: ConnectionResult = { status: 'done', bytes: 0 };

const LARGEST_INT = 2 ** 31 - 1;

/** For what a server sends after it was given up. */
const scratch = new Uint8Array(16 * 1024);

/**
 * A TLS connection without I/O, for programs that bring their own: feed it the server's ciphertext
 * by {@link receive}, send what {@link drain} gives after every operation. `TLSSocket` is built on it.
 *
 * It judges the server and puts the server's question. Between two steps, never inside OpenSSL, it
 * runs the caller's callbacks, which may destroy it from within any operation.
 */
export class Connection extends ServerJudgement {
  /** @internal Whether another `read()` would be `'want-read'`, as far as that is known. */
  exhausted = false;
  /** @internal Whether there may be something for {@link drain}. */
  hasOutput = false;
  readonly #listener: ConnectionListener;
  #native: NativeConnection | null;
  #error: Error | undefined;
  #established = false;
  /** From the server's first question on. */
  #exchange: ClientCertExchange | undefined;
  #peerEnded = false;
  #cutBy: Error | undefined;
  #abandoned = false;
  #shutDown = false;
  #running = false;
  #clientAuth: ClientAuth = NOT_REQUESTED;
  #logsKeys = false;
  #traces = false;

  /**
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; RangeError
   *   `ERR_OUT_OF_RANGE`; and what `createSecureContext()` throws.
   */
  constructor(options: ProtocolOptions, listener: ConnectionListener = {}) {
    const settings = normalizeProtocol(options);
    super(settings);
    if (listener === null || typeof listener !== 'object') {
      throw invalidArgType('listener', 'of type object', listener);
    }
    this.#listener = listener;
    const { session, sessionCredential } = settings;
    this.#native = translated(
      () =>
        new binding.Connection(SecureContext.nativeOf(settings.secureContext), {
          serverName: settings.servername,
          alpnProtocols: settings.alpnProtocols,
          credentials: settings.secureContext.credentials.map(Credential.nativeOf),
          asks: settings.clientCertCallback !== null,
          postHandshakeAuth: settings.postHandshakeAuth,
          reselects: settings.reselectClientCert,
          requiresClientCert: settings.requireClientCert,
          renegotiationLimit: settings.renegotiationLimit,
          renegotiationWindow: settings.renegotiationWindow,
          requestsOcsp: settings.requestOCSP,
          minDHSize: Math.min(settings.minDHSize, LARGEST_INT),
          hasSharedKeys: settings.pskCallback !== null,
          session,
          sessionCredential: sessionCredential && Credential.nativeOf(sessionCredential),
        }),
      contextError,
    );
    if (settings.enableTrace) this.enableTrace();
  }

  /** @internal */
  protected override get [NATIVE](): NativeConnection | null {
    return this.#native;
  }

  /** @internal */
  protected override get [ESTABLISHED](): boolean {
    return this.#established;
  }

  // ---- ciphertext

  /** @internal For a transport that moves ciphertext without JavaScript; `null` once destroyed. */
  static nativeOf(connection: Connection): NativeConnection | null {
    return connection.#native;
  }

  /** Ciphertext from the peer, in pieces of any size. It is copied. */
  receive(ciphertext: Uint8Array): void {
    if (!(ciphertext instanceof Uint8Array)) {
      throw invalidArgType('ciphertext', 'an instance of Uint8Array', ciphertext);
    }
    this.#native?.receive(ciphertext);
  }

  /**
   * The peer will send no more. What it sent before can still be read. A question that waits for its
   * answer has lost its purpose: the connection fails, by the alert that the peer left behind if it
   * did, as soon as all is read.
   *
   * @param cause - What cut the connection, where that was not the peer.
   */
  receiveEnd(cause?: Error): void {
    this.#peerEnded = true;
    this.#cutBy = cause;
    this.#native?.receiveEnd();
    if (!this.waiting || this.#abandoned) return;
    this.#abandon();
    if (!this.#established) this.handshake();
    this.#notify();
  }

  /** No answer would reach anybody. The operations go on to what the peer said at last. */
  #abandon(): void {
    this.#abandoned = true;
    this.#exchange?.abandon();
    this.#native?.abandon();
  }

  /** After {@link #abandon}: what is sent now is thrown away, and must not seem to be done. */
  #reachesNobody(): ConnectionResult | undefined {
    if (!this.#abandoned) return undefined;
    return this.#error === undefined ? WANT_READ : this.#fail(this.#error);
  }

  /** Bytes received and not yet used. */
  get unread(): number {
    return this.#native?.unread() ?? 0;
  }

  /** Ciphertext for the peer, undefined when there is none. To be asked for after every operation. */
  drain(): Buffer | undefined {
    this.hasOutput = false;
    return this.#native?.drain();
  }

  // ---- operations

  /**
   * Goes on with the handshake: the first one, or a later one that is under way. `'done'` when none
   * is.
   */
  handshake(): ConnectionResult {
    this.#watchKeys();
    const result = this.#run((native) => -native.handshake());
    if (result.status !== 'done' || this.#established) return result;
    if (this.#abandoned) {
      // It is complete on our side only. Why the server gave it up is still to be read.
      let rest: ConnectionResult = result;
      while (rest.status === 'done') rest = this.#run((native) => native.read(scratch));
      return rest.status === 'failed' ? rest : this.#fail(gaveUpError(this.#cutBy));
    }
    this.#established = true;
    const error = this.#whyUnacceptable(this.#native as NativeConnection);
    if (error === undefined) return result;
    // The server has to hear nothing more of us.
    if (this.isSessionReused()) this.drain();
    return this.#fail(error);
  }

  /**
   * Reads plaintext; `bytes` tells how much. Until the first handshake is complete it goes on with that.
   *
   * @param target - Where to read to, or a function that gives it at the last moment: callbacks may
   *   run before, and may read into memory that is shared.
   */
  read(target: Uint8Array | (() => Uint8Array)): ConnectionResult {
    if (typeof target !== 'function') checkRoom(target);
    return (
      this.#handshakeFirst() ??
      this.#run((native) => {
        const room = typeof target === 'function' ? target() : target;
        checkRoom(room);
        return this.#native === null ? -Step.failed : native.read(room);
      })
    );
  }

  /** No data before the server is judged: what keeps the first handshake from being complete. */
  #handshakeFirst(): ConnectionResult | undefined {
    if (this.#established) return undefined;
    const result = this.handshake();
    return result.status === 'done' ? undefined : result;
  }

  /**
   * Encrypts plaintext; `bytes` tells how much was taken, which may be less than all. Until the first
   * handshake is complete it goes on with that.
   *
   * @throws {@link TLSClientCertError} `ERR_STREAM_WRITE_AFTER_END`: `shutdown()` is done.
   */
  write(plaintext: Uint8Array): ConnectionResult {
    if (!(plaintext instanceof Uint8Array)) {
      throw invalidArgType('plaintext', 'an instance of Uint8Array', plaintext);
    }
    if (this.#shutDown && this.#native !== null && this.#error === undefined) {
      throw new TLSClientCertError(
        'ERR_STREAM_WRITE_AFTER_END',
        'After shutdown() nothing can be written: close_notify was the end.',
      );
    }
    return (
      this.#reachesNobody() ??
      this.#handshakeFirst() ??
      this.#run((native) => native.write(plaintext))
    );
  }

  /** Sends close_notify, once no handshake is under way; it does not wait for the peer's. */
  shutdown(): ConnectionResult {
    const result = this.#reachesNobody() ?? this.#run((native) => -native.shutdown());
    this.#shutDown ||= result.status === 'done';
    return result;
  }

  /**
   * TLS 1.2: begins another handshake on this connection. Read on until
   * {@link ConnectionListener.renegotiated}.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`
   * @returns Why it cannot begin: `ERR_TLS_RENEGOTIATION_REFUSED`, `ERR_TLS_FORBIDDEN_BY_HTTP2`, or
   *   `ERR_SSL_WRONG_SSL_VERSION` on TLS 1.3, which has none. The connection goes on without.
   */
  renegotiate(options: { rejectUnauthorized?: boolean | undefined } = {}): Error | undefined {
    if (options === null || typeof options !== 'object') {
      throw invalidArgType('options', 'of type object', options);
    }
    this.hasOutput = true;
    const failure =
      this.#native === null || this.#error !== undefined || !this.#established
        ? NOT_OPEN
        : this.#native.renegotiate();
    if (failure !== null) return protocolError(failure);
    // As in the options: nothing but `false` turns it off.
    if (options.rejectUnauthorized != null) {
      this.rejectUnauthorized = options.rejectUnauthorized !== false;
    }
    return undefined;
  }

  /**
   * The most plaintext in one record that is sent, in bytes, 512 to 16384.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`; RangeError `ERR_OUT_OF_RANGE`: it is no 32-bit integer.
   * @returns Whether TLS has records of that size; if not, nothing changes.
   */
  setMaxSendFragment(size: number): boolean {
    if (typeof size !== 'number') throw invalidArgType('size', 'of type number', size);
    if (size !== (size | 0)) throw outOfRange('size', 'a 32-bit integer', size);
    return this.#native?.setMaxSendFragment(size) ?? false;
  }

  /** From now on a server that asks for a renegotiation fails the connection. */
  disableRenegotiation(): void {
    this.#native?.disableRenegotiation();
  }

  /**
   * Frees what is native; to be called in the end, whatever happened. A pending question learns the
   * reason.
   */
  destroy(reason?: Error | (() => Error)): void {
    // Made only where someone gets to see it, and the same for all who do.
    let made = this.#error;
    const why = () => {
      made ??= (typeof reason === 'function' ? reason() : reason) ?? destroyedError();
      return made;
    };
    const auth = this.clientAuth;
    this.#clientAuth = auth.status === 'pending' ? failed(why()) : auth;
    const native = this.#native;
    if (native !== null && this.#traces) this.#tellTrace(native);
    this.#native = null;
    native?.destroy();
    this.#exchange?.end(why);
  }

  /** Whether it was destroyed. */
  get destroyed(): boolean {
    return this.#native === null;
  }

  /** The operation returns a count of bytes, or what it needs first as a negative {@link Step}. */
  #run(operation: (native: NativeConnection) => number): ConnectionResult {
    const nested = this.#running;
    this.#running = true;
    try {
      while (true) {
        const exchange = this.#exchange;
        if (exchange !== undefined) {
          // An unanswered question holds up everything behind it.
          if (exchange.waiting && !this.#abandoned) {
            return { status: 'suspended', suspension: exchange.suspension };
          }
          this.#applyAnswers(exchange);
        }
        const native = this.#native;
        if (native === null || this.#error !== undefined) return this.#fail(this.#error);
        const result = operation(native);
        if (this.#native === null) return this.#fail();
        if (result > 0) {
          this.exhausted = (result & Moved.exhausted) !== 0;
          this.hasOutput = (result & Moved.output) !== 0;
          return { status: 'done', bytes: result & Moved.bytes };
        }
        this.hasOutput = true;
        this.#tellJournal(native);
        if (this.#native === null) return this.#fail();
        switch (-result) {
          case Step.done:
            return DONE;
          case Step.wantRead:
            return WANT_READ;
          case Step.closed:
            return this.#abandoned ? this.#fail(gaveUpError(this.#cutBy)) : CLOSED;
          case Step.wantVerify:
            this.#judge(native);
            break;
          case Step.wantClientCert:
            this.#ask(native, Step.wantClientCert);
            break;
          case Step.wantSignature:
            this.#ask(native, Step.wantSignature);
            break;
          case Step.ocspResponse:
            this.#listener.ocspResponse?.(native.ocspResponse());
            break;
          case Step.wantSharedKey:
            this.#giveSharedKey(native);
            break;
          case Step.newSession:
            this.#tellSession(native);
            break;
          case Step.renegotiated:
            this.#listener.renegotiated?.();
            break;
          default:
            return this.#fail(this.#failure(native));
        }
      }
    } finally {
      this.#running = nested;
    }
  }

  #fail(error: Error = destroyedError()): ConnectionResult {
    this.#error ??= error;
    const auth = this.#native === null ? this.#clientAuth : this.clientAuth;
    if (auth.status === 'pending') this.#clientAuth = failed(this.#error);
    const why = this.#error;
    this.#exchange?.end(() => why);
    return { status: 'failed', error: why };
  }

  #failure(native: NativeConnection): Error {
    const failure = native.failure();
    if (this.#abandoned && failure?.alert === undefined) return gaveUpError(this.#cutBy);
    return connectionError(failure, native, this.settings, this.clientAuth, this.#exchange);
  }

  #tellSession(native: NativeConnection): void {
    const deliver = this.#listener.session;
    const session = native.takeSession(deliver !== undefined);
    if (session.length > 0) deliver?.call(this.#listener, session);
  }

  // ---- what is written down

  /** From now on {@link ConnectionListener.trace} gets text about each message. */
  enableTrace(): void {
    this.#traces = this.#native?.trace() ?? false;
  }

  /** Secrets are written down exactly as long as somebody wants them. */
  #watchKeys(): void {
    const wanted = this.#listener.keylog !== undefined;
    if (wanted === this.#logsKeys) return;
    this.#logsKeys = wanted;
    this.#native?.logKeys(wanted);
  }

  #tellJournal(native: NativeConnection): void {
    this.#watchKeys();
    if (this.#logsKeys) {
      const { keylog } = this.#listener;
      for (const line of native.takeKeyLines()) keylog?.call(this.#listener, line);
    }
    if (this.#traces && this.#native !== null) this.#tellTrace(native);
  }

  #tellTrace(native: NativeConnection): void {
    const text = native.takeTrace();
    if (text.length > 0) this.#listener.trace?.(text);
  }

  // ---- the server's identity

  #judge(native: NativeConnection): void {
    const error = this.judge(native);
    if (error !== undefined) this.#fail(error);
  }

  #giveSharedKey(native: NativeConnection): void {
    try {
      const callback = this.settings.pskCallback as PskCallback;
      answerSharedKey(native, callback, () => this.#native !== null);
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** What only the complete handshake shows. */
  #whyUnacceptable(native: NativeConnection): Error | undefined {
    const error = this.judgeUnseen(native);
    if (error !== undefined) return error;
    if (this.#native === null) return destroyedError();
    const auth = this.clientAuth;
    return this.settings.requireClientCert && !isAuthenticated(auth)
      ? requiredError(auth)
      : undefined;
  }

  // ---- the server's question

  /** Whether a question was put and not answered yet, or the answer not signed. */
  get waiting(): boolean {
    return this.#exchange?.waiting ?? false;
  }

  /** @internal No answer can be of use any more, though there is still something to read. */
  giveUpQuestion(reason: Error): void {
    this.#exchange?.giveUp(reason);
  }

  /** Puts the server's question, or its signer's. */
  #ask(native: NativeConnection, step: typeof Step.wantClientCert | typeof Step.wantSignature) {
    // The request was read late, and whoever asked is gone.
    if (this.#peerEnded) {
      this.#abandon();
      return;
    }
    this.#exchange ??= new ClientCertExchange(this.settings, () => this.#notify());
    if (step === Step.wantSignature) {
      this.#exchange.sign(native);
      return;
    }
    this.#exchange.ask(native, {
      native: () => this.#native,
      authorized: this.authorized,
      authorizationError: this.authorizationError,
    });
  }

  #notify(): void {
    // The running operation sees it by itself.
    if (!this.#running) this.#listener.resumed?.();
  }

  #applyAnswers(exchange: ClientCertExchange): void {
    const native = this.#native;
    if (native === null) return;
    const error = exchange.applyAnswer(native) ?? exchange.applySignature(native, this.#abandoned);
    if (error !== undefined) this.#fail(error);
  }

  /** What became of the server's last request for a client certificate. Readable after the end. */
  get clientAuth(): ClientAuth {
    if (this.#native !== null && this.#clientAuth.status !== 'failed') {
      this.#clientAuth = readClientAuth(
        this.#native,
        this.settings,
        this.#exchange,
        this.#abandoned,
      );
    }
    return this.#clientAuth;
  }

  // ---- as whom, to whom

  /** The server name sent (SNI), `false` when none was. */
  get servername(): string | false {
    return this.settings.servername || false;
  }

  /** The client's certificate that was sent, or would be, parsed. */
  getX509Certificate(): X509Certificate | undefined {
    const auth = this.clientAuth;
    const credential = 'credential' in auth ? auth.credential : undefined;
    return (credential ?? this.settings.secureContext.credentials[0])?.certificate;
  }
}

function checkRoom(room: unknown): asserts room is Uint8Array {
  if (room instanceof Uint8Array) return;
  throw invalidArgType('target', 'an instance of Uint8Array, or a function that gives one', room);
}

function destroyedError(): TLSClientCertError {
  return new TLSClientCertError('ERR_TLS_CONNECTION_OVER', 'The connection was destroyed.');
}
