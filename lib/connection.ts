import { types } from 'node:util';
import { binding, type FailureRecord, type NativeConnection, Step } from './binding';
import { isAuthenticated, requiredError } from './client-auth';
import { ESTABLISHED, NATIVE } from './connection-facts';
import { ConnectionMachine } from './connection-machine';
import type { ConnectionListener, ConnectionResult } from './connection-result';
import { Credential } from './credential';
import { invalidArgType, outOfRange, TLSClientCertError } from './errors';
import { contextError, destroyedError, gaveUpError, protocolError, translated } from './failures';
import { given } from './given';
import { normalizeProtocol, type ProtocolOptions, type ProtocolSettings } from './protocol-options';
import { SecureContext } from './secure-context';

const NOT_OPEN: FailureRecord = { reason: 'not-open', index: 0, detail: '', stack: [] };
const WANT_READ: ConnectionResult = { status: 'want-read' };

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
export class Connection extends ConnectionMachine {
  #shutDown = false;

  /**
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; RangeError
   *   `ERR_OUT_OF_RANGE`; and what `createSecureContext()` throws.
   */
  constructor(options: ProtocolOptions, listener: ConnectionListener = {}) {
    const settings = normalizeProtocol(options);
    if (listener === null || typeof listener !== 'object') {
      throw invalidArgType('listener', 'of type object', listener);
    }
    super(open(settings), settings, listener);
  }

  // ---- ciphertext

  /** @internal For a transport that moves ciphertext without JavaScript; `null` once destroyed. */
  static nativeOf(connection: Connection): NativeConnection | null {
    return connection[NATIVE];
  }

  /** Ciphertext from the peer, in pieces of any size. It is copied. */
  receive(ciphertext: Uint8Array): void {
    if (!types.isUint8Array(ciphertext)) {
      throw invalidArgType('ciphertext', 'an instance of Uint8Array', ciphertext);
    }
    this[NATIVE]?.receive(ciphertext);
  }

  /**
   * The peer will send no more. What it sent before can still be read. A question that waits for its
   * answer has lost its purpose: the connection fails, by the alert that the peer left behind if it
   * did, as soon as all is read.
   *
   * @param cause - What cut the connection, where that was not the peer.
   */
  receiveEnd(cause?: Error): void {
    this.peerEnded = true;
    this.cutBy = cause;
    this[NATIVE]?.receiveEnd();
    if (!this.waiting || this.abandoned) return;
    this.abandon();
    if (!this[ESTABLISHED]) this.handshake();
    this.notify();
  }

  /** After {@link abandon}: what is sent now is thrown away, and must not seem to be done. */
  #reachesNobody(): ConnectionResult | undefined {
    if (!this.abandoned) return undefined;
    return this.error === undefined ? WANT_READ : this.fail(this.error);
  }

  /** Bytes received and not yet used. */
  get unread(): number {
    return this[NATIVE]?.unread() ?? 0;
  }

  /** @internal The peer sent close_notify, though a read may still have to tell of it. */
  get closedByPeer(): boolean {
    return this[NATIVE]?.closedByPeer() ?? false;
  }

  /** Ciphertext for the peer, undefined when there is none. To be asked for after every operation. */
  drain(): Buffer | undefined {
    this.hasOutput = false;
    return this[NATIVE]?.drain();
  }

  /** @internal For a transport that keeps what it drained: the bytes in it that the server asked for. */
  setUnsentAnswers(bytes: number): void {
    this[NATIVE]?.setUnsentAnswers(bytes);
  }

  // ---- operations

  /**
   * Goes on with the handshake: the first one, or a later one that is under way. `'done'` when none
   * is.
   */
  handshake(): ConnectionResult {
    if (!this[ESTABLISHED]) this.diagnostics.begin();
    this.watchKeys();
    const result = this.run((native) => -native.handshake());
    if (result.status !== 'done' || this[ESTABLISHED]) return result;
    if (this.abandoned) {
      // It is complete on our side only. Why the server gave it up is still to be read.
      let rest: ConnectionResult = result;
      while (rest.status === 'done') rest = this.run((native) => native.read(scratch));
      return rest.status === 'failed' ? rest : this.fail(gaveUpError(this.cutBy));
    }
    this[ESTABLISHED] = true;
    const error = this.#whyUnacceptable(this[NATIVE] as NativeConnection);
    if (error === undefined) {
      this.diagnostics.handshake(this, this.settings.hostname);
      return this[NATIVE] === null ? this.fail() : result;
    }
    // The server has to hear nothing more of us.
    if (this.isSessionReused()) this.drain();
    return this.fail(error);
  }

  /** What only the complete handshake shows. */
  #whyUnacceptable(native: NativeConnection): Error | undefined {
    const error = this.judgeUnseen(native);
    if (error !== undefined) return error;
    if (this[NATIVE] === null) return destroyedError('connection');
    const auth = this.clientAuth;
    return this.settings.requireClientCert && !isAuthenticated(auth)
      ? requiredError(auth)
      : undefined;
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
      this.run((native) => {
        const room = typeof target === 'function' ? target() : target;
        checkRoom(room);
        return this[NATIVE] === null ? -Step.failed : native.read(room);
      })
    );
  }

  /** No data before the server is judged: what keeps the first handshake from being complete. */
  #handshakeFirst(): ConnectionResult | undefined {
    if (this[ESTABLISHED]) return undefined;
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
    if (!types.isUint8Array(plaintext)) {
      throw invalidArgType('plaintext', 'an instance of Uint8Array', plaintext);
    }
    if (this.#shutDown && this[NATIVE] !== null && this.error === undefined) {
      throw new TLSClientCertError(
        'ERR_STREAM_WRITE_AFTER_END',
        'After shutdown() nothing can be written: close_notify was the end.',
      );
    }
    return (
      this.#reachesNobody() ??
      this.#handshakeFirst() ??
      this.run((native) => native.write(plaintext))
    );
  }

  /** Sends close_notify, once no handshake is under way; it does not wait for the peer's. */
  shutdown(): ConnectionResult {
    const result = this.#reachesNobody() ?? this.run((native) => -native.shutdown());
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
      this[NATIVE] === null || this.error !== undefined || !this[ESTABLISHED]
        ? NOT_OPEN
        : this[NATIVE].renegotiate();
    if (failure !== null) return protocolError(failure);
    // As in the options: nothing but `false` turns it off.
    const rejectUnauthorized = given(options, 'rejectUnauthorized');
    if (rejectUnauthorized != null) this.rejectUnauthorized = rejectUnauthorized !== false;
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
    return this[NATIVE]?.setMaxSendFragment(size) ?? false;
  }

  /** From now on a server that asks for a renegotiation fails the connection. */
  disableRenegotiation(): void {
    this[NATIVE]?.disableRenegotiation();
  }
}

function checkRoom(room: unknown): asserts room is Uint8Array {
  if (types.isUint8Array(room)) return;
  throw invalidArgType('target', 'an instance of Uint8Array, or a function that gives one', room);
}

function open(settings: ProtocolSettings): NativeConnection {
  const { session, sessionCredential } = settings;
  return translated(
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
}
