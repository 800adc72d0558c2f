import type { X509Certificate } from 'node:crypto';
import { Moved, type NativeConnection, Step } from './binding';
import { type ClientAuth, failed, NOT_REQUESTED } from './client-auth';
import { ClientCertExchange } from './client-cert-exchange';
import { connectionError } from './connection-error';
import { ESTABLISHED, NATIVE } from './connection-facts';
import type { ConnectionListener, ConnectionResult } from './connection-result';
import { Diagnostics } from './diagnostics';
import { destroyedError, gaveUpError } from './failures';
import type { ProtocolSettings } from './protocol-options';
import { readClientAuth } from './read-client-auth';
import { ServerJudgement } from './server-judgement';
import { answerSharedKey, type PskCallback } from './shared-key';

const WANT_READ: ConnectionResult = { status: 'want-read' };
const CLOSED: ConnectionResult = { status: 'closed' };
const DONE: ConnectionResult = { status: 'done', bytes: 0 };

/**
 * Runs an operation of the native machine until it is done or has to wait, and does what that wants on
 * the way: judges, asks, tells.
 */
export abstract class ConnectionMachine extends ServerJudgement {
  /** @internal Whether another `read()` would be `'want-read'`, as far as that is known. */
  exhausted = false;
  /** @internal Whether there may be something for `drain()`. */
  hasOutput = false;
  /** @internal */
  protected override [NATIVE]: NativeConnection | null;
  /** @internal The first handshake is complete on our side. */
  protected override [ESTABLISHED] = false;
  /** @internal Why it failed, once it has. */
  protected error: Error | undefined;
  /** @internal */
  protected peerEnded = false;
  /** @internal What cut the connection, where that was not the peer. */
  protected cutBy: Error | undefined;
  /** @internal No answer would reach anybody. */
  protected abandoned = false;
  /** @internal */
  readonly diagnostics: Diagnostics = new Diagnostics(this);
  readonly #listener: ConnectionListener;
  /** From the server's first question on. */
  #exchange: ClientCertExchange | undefined;
  #running = false;
  #clientAuth: ClientAuth = NOT_REQUESTED;
  #logsKeys = false;
  #traces = false;

  /** @internal */
  protected constructor(
    native: NativeConnection,
    settings: ProtocolSettings,
    listener: ConnectionListener,
  ) {
    super(settings);
    this[NATIVE] = native;
    this.#listener = listener;
    if (settings.enableTrace) this.enableTrace();
  }

  /** @internal The operation returns a count of bytes, or what it needs first as a negative {@link Step}. */
  protected run(operation: (native: NativeConnection) => number): ConnectionResult {
    const nested = this.#running;
    this.#running = true;
    try {
      while (true) {
        const exchange = this.#exchange;
        if (exchange !== undefined) {
          // An unanswered question holds up everything behind it.
          if (exchange.waiting && !this.abandoned) {
            return { status: 'suspended', suspension: exchange.suspension };
          }
          this.#applyAnswers(exchange);
        }
        const native = this[NATIVE];
        if (native === null || this.error !== undefined) return this.fail(this.error);
        const result = operation(native);
        if (this[NATIVE] === null) return this.fail();
        if (result > 0) {
          this.exhausted = (result & Moved.exhausted) !== 0;
          this.hasOutput = (result & Moved.output) !== 0;
          return { status: 'done', bytes: result & Moved.bytes };
        }
        this.hasOutput = true;
        this.#tellJournal(native);
        if (this[NATIVE] === null) return this.fail();
        switch (-result) {
          case Step.done:
            return DONE;
          case Step.wantRead:
            return WANT_READ;
          case Step.closed:
            return this.abandoned ? this.fail(gaveUpError(this.cutBy)) : CLOSED;
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
            this.#tell('ocspResponse', native.ocspResponse());
            break;
          case Step.wantSharedKey:
            this.#giveSharedKey(native);
            break;
          case Step.newSession:
            this.#tellSession(native);
            break;
          case Step.renegotiated:
            this.diagnostics.handshake(this, this.settings.hostname);
            this.#tell('renegotiated');
            break;
          default:
            return this.fail(this.#failure(native));
        }
      }
    } finally {
      this.#running = nested;
    }
  }

  /** @internal */
  protected fail(error: Error = destroyedError('connection')): ConnectionResult {
    this.error ??= error;
    const auth = this[NATIVE] === null ? this.#clientAuth : this.clientAuth;
    if (auth.status === 'pending') this.#clientAuth = failed(this.error);
    const why = this.error;
    this.#tellFailure(() => why);
    this.#exchange?.end(() => why);
    return { status: 'failed', error: why };
  }

  /** @internal What the first handshake wrote last never left: the server was shown nothing. */
  neverLeft(error: Error): void {
    const { status } = this.clientAuth;
    if (status === 'sent' || status === 'declined') this.#clientAuth = failed(error);
  }

  /** Those who are told may destroy us meanwhile. */
  #tellFailure(error: () => Error): void {
    this.diagnostics.answer(() => ({ kind: 'failure', error: error() }));
    this.diagnostics.signed(error);
    this.diagnostics.failed(this, this.settings.hostname, error);
  }

  #failure(native: NativeConnection): Error {
    const failure = native.failure();
    if (this.abandoned && failure?.alert === undefined) return gaveUpError(this.cutBy);
    return connectionError(failure, native, this.settings, this.clientAuth, this.#exchange);
  }

  /**
   * Frees what is native; to be called in the end, whatever happened. A pending question learns the
   * reason.
   */
  destroy(reason?: Error | (() => Error)): void {
    // Made only where someone gets to see it, and the same for all who do.
    let made = this.error;
    const why = () => {
      made ??= (typeof reason === 'function' ? reason() : reason) ?? destroyedError('connection');
      return made;
    };
    const auth = this.clientAuth;
    this.#clientAuth = auth.status === 'pending' ? failed(why()) : auth;
    this.#tellFailure(why);
    const native = this[NATIVE];
    if (native !== null && this.#traces) this.#tellTrace(native);
    this[NATIVE] = null;
    native?.destroy();
    this.#exchange?.end(why);
  }

  /** Whether it was destroyed. */
  get destroyed(): boolean {
    return this[NATIVE] === null;
  }

  // ---- what is told on the way

  /** In the caller's context: what brought us here may be another. */
  #tell<Name extends keyof ConnectionListener>(
    name: Name,
    ...args: Parameters<NonNullable<ConnectionListener[Name]>>
  ): void {
    const tell = this.#listener[name] as ((...args: unknown[]) => void) | undefined;
    if (tell !== undefined) this.scope.runInAsyncScope(tell, this.#listener, ...args);
  }

  /** To those who only look on: what they throw keeps nothing from happening. */
  #show(name: 'keylog' | 'trace', shown: Buffer): void {
    try {
      this.#tell(name, shown);
    } catch (error) {
      process.nextTick(() => {
        throw error;
      });
    }
  }

  #tellSession(native: NativeConnection): void {
    const session = native.takeSession(this.#listener.session !== undefined);
    if (session.length > 0) this.#tell('session', session);
  }

  /** From now on {@link ConnectionListener.trace} gets text about each message. */
  enableTrace(): void {
    this.#traces = this[NATIVE]?.trace() ?? false;
  }

  /** @internal Secrets are written down exactly as long as somebody wants them. */
  protected watchKeys(): void {
    const wanted = this.#listener.keylog !== undefined;
    if (wanted === this.#logsKeys) return;
    this.#logsKeys = wanted;
    this[NATIVE]?.logKeys(wanted);
  }

  #tellJournal(native: NativeConnection): void {
    this.watchKeys();
    if (this.#logsKeys) {
      for (const line of native.takeKeyLines()) this.#show('keylog', line);
    }
    if (this.#traces && this[NATIVE] !== null) this.#tellTrace(native);
  }

  #tellTrace(native: NativeConnection): void {
    const text = native.takeTrace();
    if (text.length > 0) this.#show('trace', text);
  }

  // ---- what the handshake needs

  #judge(native: NativeConnection): void {
    const error = this.judge(native);
    if (error !== undefined) this.fail(error);
  }

  #giveSharedKey(native: NativeConnection): void {
    try {
      const callback = this.settings.pskCallback as PskCallback;
      this.scope.runInAsyncScope(() =>
        answerSharedKey(native, callback, () => this[NATIVE] !== null),
      );
    } catch (error) {
      this.fail(error as Error);
    }
  }

  /** Whether a question was put and not answered yet, or the answer not signed. */
  get waiting(): boolean {
    return this.#exchange?.waiting ?? false;
  }

  /** @internal No answer can be of use any more, though there is still something to read. */
  giveUpQuestion(reason: Error): void {
    this.#exchange?.giveUp(reason);
  }

  /** @internal No answer would reach anybody. The operations go on to what the peer said at last. */
  protected abandon(): void {
    this.abandoned = true;
    this.#exchange?.abandon();
    this[NATIVE]?.abandon();
  }

  /** Puts the server's question, or its signer's. */
  #ask(native: NativeConnection, step: typeof Step.wantClientCert | typeof Step.wantSignature) {
    // The request was read late, and whoever asked is gone.
    if (this.peerEnded) {
      this.abandon();
      return;
    }
    this.#exchange ??= new ClientCertExchange(this.settings, {
      scope: this.scope,
      diagnostics: this.diagnostics,
      native: () => this[NATIVE],
      notify: () => this.notify(),
    });
    if (step === Step.wantSignature) {
      this.#exchange.sign(native);
      return;
    }
    this.#exchange.ask(native, {
      authorized: this.authorized,
      authorizationError: this.authorizationError,
    });
  }

  /** @internal */
  protected notify(): void {
    // The running operation sees it by itself.
    if (!this.#running) this.#tell('resumed');
  }

  #applyAnswers(exchange: ClientCertExchange): void {
    const native = this[NATIVE];
    if (native === null) return;
    const error = exchange.applyAnswer(native) ?? exchange.applySignature(native, this.abandoned);
    if (error !== undefined) this.fail(error);
  }

  /** What became of the server's last request for a client certificate. Readable after the end. */
  get clientAuth(): ClientAuth {
    if (this[NATIVE] !== null && this.#clientAuth.status !== 'failed') {
      this.#clientAuth = readClientAuth(
        this[NATIVE],
        this.settings,
        this.#exchange,
        this.abandoned,
      );
    }
    return this.#clientAuth;
  }

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
