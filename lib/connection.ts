import { AsyncResource } from 'node:async_hooks';
import { X509Certificate } from 'node:crypto';
import type { CipherNameAndProtocol, DetailedPeerCertificate, PeerCertificate } from 'node:tls';
import { binding, type FailureRecord, Moved, type NativeConnection, Step } from './binding';
import { CertificateRequest } from './certificate-request';
import {
  type ClientAuth,
  DECLINED,
  failed,
  isAuthenticated,
  NOT_REQUESTED,
  PENDING,
  requiredError,
  UNCONFIGURED,
} from './client-auth';
import { Credential } from './credential';
import { Diagnostics } from './diagnostics';
import { invalidArgType, TLSClientCertError } from './errors';
import {
  contextError,
  gaveUpError,
  protocolError,
  signatureError,
  translated,
  unusableError,
} from './failures';
import { detailedCertificate, legacyCertificate, parseCertificates } from './peer-certificate';
import { normalizeProtocol, type ProtocolOptions, type ProtocolSettings } from './protocol-options';
import { type Outcome, Question } from './question';
import { SecureContext } from './secure-context';
import { judgeServer } from './server-identity';
import { type SignatureScheme, signatureSchemeName } from './signature-schemes';
import { Signing, type SigningOutcome, type SigningTask } from './signing';
import type { Suspension } from './suspension';
import type { ClientCertCallback } from './types';
import { explainWrongSignature } from './wrong-signature';

/** What an operation of a {@link Connection} led to. */
export type ConnectionResult =
  /** It is done. */
  | {
      readonly status: 'done';
      /** Plaintext bytes read or written, at least 1; 0 for what moves none. */
      readonly bytes: number;
    }
  /** The peer has to send more first: `receive()` it, then call again. */
  | { readonly status: 'want-read' }
  /** The server asked for a client certificate, and the answer, or its signature, is not there yet. */
  | {
      readonly status: 'suspended';
      /** When the callback returned `SUSPEND`; `null` while a promise or a signer is waited for. */
      readonly suspension: Suspension | null;
    }
  /** The peer sent close_notify, and nothing follows. */
  | { readonly status: 'closed' }
  /** The connection failed. What `drain()` gives may tell the peer why. */
  | { readonly status: 'failed'; readonly error: Error };

/** Whom a {@link Connection} tells about what happens beside the results of its operations. */
export interface ConnectionListener {
  /**
   * A suspended operation can go on, or has something new to say: call it again. That is when the
   * answer or a signature came, when there is a {@link Suspension}, and after `receiveEnd()`. Never
   * called from within an operation.
   */
  resumed?(): void;
  /**
   * A session that a later connection may resume, for its option `session`. Called while reading.
   * Where this is undefined the session is let go.
   */
  session?: ((session: Buffer) => void) | undefined;
  /**
   * TLS 1.2: another handshake on this connection is complete, or more than one. Called while reading.
   */
  renegotiated?(): void;
}

const NOT_OPEN: FailureRecord = { reason: 'not-open', index: 0, detail: '', stack: [] };
const WANT_READ: ConnectionResult = { status: 'want-read' };
const CLOSED: ConnectionResult = { status: 'closed' };
const DONE: ConnectionResult = { status: 'done', bytes: 0 };

/** For what a server sends after it was given up. */
const scratch = new Uint8Array(16 * 1024);

/**
 * A TLS connection without I/O, for programs that bring their own: feed it the server's ciphertext
 * by {@link receive}, send what {@link drain} gives after every operation. `TLSSocket` is built on it.
 *
 * It judges the server and puts the server's question. Between two steps, never inside OpenSSL, it
 * runs the caller's callbacks, which may destroy it from within any operation.
 */
export class Connection {
  /** @internal Whether another `read()` would be `'want-read'`, as far as that is known. */
  exhausted = false;
  /** @internal Whether there may be something for {@link drain}. */
  hasOutput = false;
  /** @internal What is the caller's runs in the context in which the connection was made. */
  readonly scope = new AsyncResource('TLSClientCert');
  /** @internal */
  readonly diagnostics: Diagnostics = new Diagnostics(this);
  /** Whether the server's chain and name were found good. */
  authorized = false;
  /** Why not: a code such as `'DEPTH_ZERO_SELF_SIGNED_CERT'`; else `null`. */
  authorizationError: string | null = null;
  readonly #settings: ProtocolSettings;
  readonly #listener: ConnectionListener;
  #native: NativeConnection | null;
  #error: Error | undefined;
  #rejectUnauthorized: boolean;
  #established = false;
  #serverJudged = false;
  #question: Question | undefined;
  #answer: Outcome | undefined;
  #answered: Credential | undefined;
  /** Which of the callback's the server was shown last: not one whose signature is waited for. */
  #shownLast: Credential | undefined;
  #signing: Signing | undefined;
  #signed: SigningOutcome | undefined;
  #declined = false;
  #peerEnded = false;
  #cutBy: Error | undefined;
  #abandoned = false;
  #shutDown = false;
  #running = false;
  #clientAuth: ClientAuth = NOT_REQUESTED;

  /**
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; RangeError
   *   `ERR_OUT_OF_RANGE`; and what `createSecureContext()` throws.
   */
  constructor(options: ProtocolOptions, listener: ConnectionListener = {}) {
    const settings = normalizeProtocol(options);
    if (listener === null || typeof listener !== 'object') {
      throw invalidArgType('listener', 'of type object', listener);
    }
    this.#settings = settings;
    this.#listener = listener;
    this.#rejectUnauthorized = settings.rejectUnauthorized;
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
          session,
          sessionCredential: sessionCredential && Credential.nativeOf(sessionCredential),
        }),
      contextError,
    );
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
    this.#answered = this.#shownLast;
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
    if (!this.#established) this.diagnostics.begin();
    const result = this.#run((native) => -native.handshake());
    if (result.status !== 'done' || this.#established) return result;
    if (this.#abandoned) {
      // It is complete on our side only. Why the server gave it up is still to be read.
      let rest: ConnectionResult = result;
      while (rest.status === 'done') rest = this.#run((native) => native.read(scratch));
      return rest.status === 'failed' ? rest : this.#fail(gaveUpError(this.#cutBy));
    }
    this.#established = true;
    const error = this.#whyUnacceptable();
    if (error === undefined) {
      this.diagnostics.handshake(this, this.#settings.hostname);
      return this.#native === null ? this.#fail() : result;
    }
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
      this.#rejectUnauthorized = options.rejectUnauthorized !== false;
    }
    return undefined;
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
    this.#tellFailure(why);
    const native = this.#native;
    this.#native = null;
    native?.destroy();
    const waits = [this.#question, this.#signing];
    this.#question = undefined;
    this.#signing = undefined;
    for (const wait of waits) wait?.cancel(why());
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
        // An unanswered question holds up everything behind it.
        if (this.waiting && !this.#abandoned) {
          return { status: 'suspended', suspension: this.#question?.suspension ?? null };
        }
        this.#applyAnswer();
        this.#applySignature();
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
            this.#ask(native);
            break;
          case Step.wantSignature:
            this.#sign(native);
            break;
          case Step.newSession:
            this.#tellSession(native);
            break;
          case Step.renegotiated:
            this.diagnostics.handshake(this, this.#settings.hostname);
            this.scope.runInAsyncScope(() => this.#listener.renegotiated?.());
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
    this.#tellFailure(() => this.#error as Error);
    const waits = [this.#question, this.#signing];
    this.#question = undefined;
    this.#signing = undefined;
    for (const wait of waits) wait?.cancel(this.#error);
    return { status: 'failed', error: this.#error };
  }

  /** Those who are told may destroy us meanwhile. */
  #tellFailure(error: () => Error): void {
    this.diagnostics.answer(() => ({ kind: 'failure', error: error() }));
    this.diagnostics.signed(error);
    this.diagnostics.failed(this, this.#settings.hostname, error);
  }

  #failure(native: NativeConnection): Error {
    const failure = native.failure();
    if (this.#abandoned && failure?.alert === undefined) return gaveUpError(this.#cutBy);
    const auth = this.clientAuth;
    const shown = this.#shown(native);
    const credential = shown ?? this.#settings.secureContext.credentials[0];
    // What these are about is the credential that was to be sent.
    const unusable =
      failure !== null && ABOUT_CREDENTIALS.has(failure.reason) && credential !== undefined;
    return unusable
      ? unusableError(failure, Credential.presentationOf(credential, native.protocol()))
      : protocolError(failure, {
          declined: auth.status === 'declined' ? auth.reason : undefined,
          limitedBySigners: SecureContext.isLimitedBySigners(this.#settings.secureContext),
          identity: auth.status === 'declined' ? undefined : shown?.subject,
        });
  }

  /** The credential that the server was shown last. */
  #shown(native: NativeConnection): Credential | undefined {
    const { staticCredential } = native.clientAuth();
    return this.#settings.secureContext.credentials[staticCredential] ?? this.#answered;
  }

  #tellSession(native: NativeConnection): void {
    const deliver = this.#listener.session;
    const session = native.takeSession(deliver !== undefined);
    if (session.length === 0) return;
    this.scope.runInAsyncScope(() => deliver?.call(this.#listener, session));
  }

  // ---- the server's identity

  #judge(native: NativeConnection): void {
    const refusal = this.#refusal(native);
    // checkServerIdentity is the caller's: it may have closed us.
    if (this.#native === null) return;
    if (refusal === null) {
      native.acceptServer();
      return;
    }
    // Once more into the handshake, which ends it with the alert that fits.
    native.refuseServer(refusal.number);
    native.handshake();
    this.#fail(refusal.error);
  }

  /** What the server's chain and name have against them that counts. */
  #refusal(native: NativeConnection) {
    const refusal = this.scope.runInAsyncScope(() =>
      judgeServer(native.serverChainError(), this.#settings, {
        leaf: () => native.peerCertificates()[0],
        detailed: () => this.getPeerCertificate(true),
      }),
    );
    this.#serverJudged = true;
    this.authorized = refusal === null;
    this.authorizationError = refusal?.code ?? null;
    return refusal !== null && (this.#rejectUnauthorized || refusal.fatal) ? refusal : null;
  }

  /** What only the complete handshake shows. */
  #whyUnacceptable(): Error | undefined {
    const native = this.#native as NativeConnection;
    // A resumed handshake brings no certificate: the one that the session was made with is judged
    // by the name that is asked for now.
    if (!this.#serverJudged && native.peerCertificates().length > 0) {
      const refusal = this.#refusal(native);
      if (refusal !== null) return refusal.error;
      if (this.#native === null) return destroyedError();
    }
    if (!this.#serverJudged) {
      const code = 'ERR_TLS_NO_SERVER_CERTIFICATE';
      this.authorizationError = code;
      if (this.#rejectUnauthorized) {
        return new TLSClientCertError(
          code,
          'The server presented no certificate, so nothing shows who it is. With rejectUnauthorized (the default) such a connection is refused.',
        );
      }
    }
    const auth = this.clientAuth;
    return this.#settings.requireClientCert && !isAuthenticated(auth)
      ? requiredError(auth)
      : undefined;
  }

  // ---- the server's question

  /** Whether a question was put and not answered yet, or the answer not signed. */
  get waiting(): boolean {
    return (
      (this.#question !== undefined && this.#answer === undefined) ||
      (this.#signing !== undefined && this.#signed === undefined)
    );
  }

  /** @internal No answer can be of use any more, though there is still something to read. */
  giveUpQuestion(reason: Error): void {
    this.#question?.cancel(reason);
    this.#signing?.cancel(reason);
  }

  get #callback(): ClientCertCallback | null {
    const { clientCertCallback, secureContext } = this.#settings;
    return clientCertCallback ?? secureContext.getClientCertCallback();
  }

  #ask(native: NativeConnection): void {
    // The request was read late, and whoever asked is gone.
    if (this.#peerEnded) {
      this.#abandon();
      return;
    }
    this.#answer = undefined;
    this.#question ??= new Question(
      {
        settled: (outcome) => {
          this.#answer = outcome;
          this.#notify();
        },
        suspended: () => {
          this.diagnostics.suspend('suspension');
          this.#notify();
        },
      },
      this.#settings.clientCertTimeout,
    );
    const request = CertificateRequest.of(native.request(), {
      native: () => this.#native,
      protocol: native.protocol(),
      servername: this.#settings.servername || null,
      authorized: this.authorized,
      authorizationError: this.authorizationError,
    });
    this.diagnostics.request(request);
    const question = this.#question;
    if (question === undefined) return;
    // The context's callback may have been taken away between two attempts.
    const callback = this.#callback ?? (() => null);
    this.scope.runInAsyncScope(() => question.put(request, callback));
    if (this.waiting && question.suspension === null) this.diagnostics.suspend('promise');
  }

  #notify(): void {
    // The running operation sees it by itself.
    if (!this.#running) this.scope.runInAsyncScope(() => this.#listener.resumed?.());
  }

  /** Tells the machine what was answered, if it was. */
  #applyAnswer(): void {
    const answer = this.#answer;
    const native = this.#native;
    if (answer === undefined || native === null) return;
    if (answer.kind === 'again') {
      // The answer stays until the next call into OpenSSL has led to the callback once more.
      native.askAgain();
      return;
    }
    this.#question = undefined;
    this.#answer = undefined;
    this.diagnostics.answer(() => answer);
    if (this.#native === null) return;
    if (answer.kind === 'failure') {
      this.#fail(answer.error);
    } else if (answer.kind === 'decline') {
      if (this.#settings.requireClientCert) this.#fail(requiredError(DECLINED));
      else native.decline();
      this.#declined = true;
    } else {
      const credential = Credential.nativeOf(answer.credential);
      const refusal = native.whyNotSent(credential);
      if (refusal !== null)
        this.#fail(
          unusableError(refusal, Credential.presentationOf(answer.credential, native.protocol())),
        );
      else native.answer(credential);
      this.#answered = answer.credential;
      if (Credential.signerOf(answer.credential) === null) this.#shownLast = answer.credential;
    }
  }

  /** Asks the credential's signer for what the handshake waits for. */
  #sign(native: NativeConnection): void {
    // As in #ask().
    if (this.#peerEnded) {
      this.#abandon();
      return;
    }
    const credential = this.#shown(native);
    const signer = credential && Credential.signerOf(credential);
    if (credential === undefined || signer === null || signer === undefined) {
      throw new Error('a signature is wanted of a credential that has no signer');
    }
    const { scheme, data } = native.signatureRequest();
    this.#signed = undefined;
    const signing = new Signing((outcome) => {
      this.#signed = outcome;
      this.#notify();
    });
    this.#signing = signing;
    const task: SigningTask = {
      signer,
      data,
      scheme: signatureSchemeName(scheme) as SignatureScheme,
      subject: credential.subject,
    };
    this.diagnostics.sign(credential, task.scheme);
    this.scope.runInAsyncScope(() => signing.begin(task, this.#settings.clientCertTimeout));
    if (this.waiting) this.diagnostics.suspend('signature');
  }

  /** Hands the signature to the machine, if it came. */
  #applySignature(): void {
    const outcome = this.#signed;
    const native = this.#native;
    if (outcome === undefined || native === null) return;
    this.#signing = undefined;
    this.#signed = undefined;
    if (this.#abandoned) return;
    if (outcome.kind === 'failure') {
      this.diagnostics.signed(() => outcome.error);
      this.#fail(outcome.error);
      return;
    }
    const { signature } = outcome;
    const failure = native.sign(signature);
    if (failure === null) {
      this.#shownLast = this.#answered;
      this.diagnostics.signed(() => null);
      return;
    }
    const { subject, certificate } = this.#shown(native) as Credential;
    const { scheme, data } = native.signatureRequest();
    const { publicKey } = certificate;
    const wrong = { signature, scheme: signatureSchemeName(scheme), data, publicKey };
    const error = signatureError(failure, subject, explainWrongSignature(wrong));
    this.diagnostics.signed(() => error);
    this.#fail(error);
  }

  /** What became of the server's last request for a client certificate. Readable after the end. */
  get clientAuth(): ClientAuth {
    if (this.#native !== null && this.#clientAuth.status !== 'failed') {
      this.#clientAuth = this.#readClientAuth(this.#native);
    }
    return this.#clientAuth;
  }

  #readClientAuth(native: NativeConnection): ClientAuth {
    const { certificate, scheme, staticCredential, resumed, resumedAsSomebody } =
      native.clientAuth();
    const { secureContext, sessionCredential } = this.#settings;
    const credential = secureContext.credentials[staticCredential];
    switch (this.#abandoned ? 'requested' : certificate) {
      case 'not-requested':
        if (!resumed) return NOT_REQUESTED;
        return {
          status: 'resumed',
          requested: false,
          sent: false,
          credential: resumedAsSomebody ? (credential ?? sessionCredential ?? null) : null,
        };
      case 'requested':
        return PENDING;
      case 'sent-empty':
        return this.#declined ? DECLINED : UNCONFIGURED;
      case 'sent':
        return {
          status: 'sent',
          requested: true,
          sent: true,
          credential: (credential ?? this.#answered) as Credential,
          signatureScheme: scheme === null ? null : signatureSchemeName(scheme),
        };
    }
  }

  // ---- sessions

  /**
   * The session for the option `session` of a later connection; undefined when there is none. On TLS
   * 1.3 sessions come after the handshake: wait for {@link ConnectionListener.session}.
   */
  getSession(): Buffer | undefined {
    const session = this.#native?.session();
    return session === undefined || session.length === 0 ? undefined : session;
  }

  /** Whether the last handshake resumed a session. */
  isSessionReused(): boolean {
    return this.#native?.sessionReused() ?? false;
  }

  // ---- what the handshake led to

  /** The version in use, for instance `'TLSv1.3'`; `null` once destroyed. */
  getProtocol(): string | null {
    return this.#native?.protocol() ?? null;
  }

  /** The cipher suite as `tls.TLSSocket` reports it; undefined before, `null` once destroyed. */
  getCipher(): CipherNameAndProtocol | null | undefined {
    if (this.#native === null) return null;
    const cipher = this.#native.cipher();
    return cipher.name === null ? undefined : (cipher as CipherNameAndProtocol);
  }

  /** The protocol agreed on by ALPN, `false` when none was. */
  get alpnProtocol(): string | false {
    return this.#native?.alpnProtocol() || false;
  }

  /** The server name sent (SNI), `false` when none was. */
  get servername(): string | false {
    return this.#settings.servername || false;
  }

  /**
   * The server's certificate as a legacy object; with `detailed`, linked to its issuers. An empty
   * object when there is none, `null` once destroyed.
   */
  getPeerCertificate(detailed: true): DetailedPeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate {
    const native = this.#native;
    if (native === null) return null as unknown as DetailedPeerCertificate;
    const sent = native.peerCertificates();
    if (sent[0] === undefined) return {} as DetailedPeerCertificate;
    // Issuers that the server did not send come from the trust store, as in node:tls.
    if (detailed) {
      return detailedCertificate(parseCertificates([...sent, ...native.verifiedCertificates()]));
    }
    return legacyCertificate(new X509Certificate(sent[0]));
  }

  /** The server's certificate, parsed; undefined when there is none. */
  getPeerX509Certificate(): X509Certificate | undefined {
    const [leaf] = this.#native?.peerCertificates() ?? [];
    return leaf === undefined ? undefined : new X509Certificate(leaf);
  }

  /** The client's certificate that was sent, or would be, parsed. */
  getX509Certificate(): X509Certificate | undefined {
    const auth = this.clientAuth;
    const credential = 'credential' in auth ? auth.credential : undefined;
    return (credential ?? this.#settings.secureContext.credentials[0])?.certificate;
  }
}

/** Failures that are about the credential that was to be sent. */
const ABOUT_CREDENTIALS: ReadonlySet<string> = new Set([
  'key-too-small',
  'signature-too-weak',
  'no-common-scheme',
  'certificate-scheme-refused',
  'scheme-not-declared',
  'not-sent',
]);

function checkRoom(room: unknown): asserts room is Uint8Array {
  if (room instanceof Uint8Array) return;
  throw invalidArgType('target', 'an instance of Uint8Array, or a function that gives one', room);
}

function destroyedError(): TLSClientCertError {
  return new TLSClientCertError('ERR_TLS_CONNECTION_OVER', 'The connection was destroyed.');
}
