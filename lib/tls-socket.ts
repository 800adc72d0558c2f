import type { X509Certificate } from 'node:crypto';
import net from 'node:net';
import { Duplex } from 'node:stream';
import type { CipherNameAndProtocol, DetailedPeerCertificate, PeerCertificate } from 'node:tls';
import { binding, type NativeConnection, Step } from './binding';
import { CertificateRequest } from './certificate-request';
import { Credential } from './credential';
import { TLSClientCertError } from './errors';
import { contextError, protocolError, translated, unusableError } from './failures';
import type { TLSSocketOptions } from './options';
import { detailedCertificate, legacyCertificate, parseCertificates } from './peer-certificate';
import { type Outcome, Question } from './question';
import { SecureContext } from './secure-context';
import { judgeServer } from './server-identity';
import { signatureSchemeName } from './signature-schemes';
import type { Suspension } from './suspension';
import type { ClientAuth, ClientCertCallback } from './types';

/** Where the connection stands. */
type Phase = 'connecting' | 'handshake' | 'open' | 'over';

/** Ciphertext kept while nobody reads or the handshake waits; beyond it the transport is paused. */
const UNREAD_LIMIT = 64 * 1024;
/** Plaintext encrypted at a time, before the transport is given a chance to say stop. */
const WRITE_PIECE = 128 * 1024;
/** Plaintext is read into slabs that all connections of a thread share. */
const SLAB_SIZE = 64 * 1024;
/** Smaller pieces are copied out, so that they do not keep a whole slab alive. */
const SMALL_PIECE = 8 * 1024;

let slab = Buffer.alloc(0);

interface PendingWrite {
  readonly chunks: readonly Uint8Array[];
  readonly callback: (error?: Error | null) => void;
  chunk: number;
  offset: number;
}

/**
 * The client's end of a TLS connection, made by {@link connect}. Its events, methods and getters
 * are those of `tls.TLSSocket` on the client's side.
 *
 * Beyond those of `stream.Duplex` it emits
 * - `'secureConnect'`: the handshake is complete and the server judged;
 * - `'suspend'` with a {@link Suspension}: the callback returned `SUSPEND`;
 * - `'timeout'`: nothing was read or written for as long as {@link setTimeout} says;
 * - `'lookup'`, `'connect'`, `'ready'` of the `net.Socket` below, when `connect()` made it.
 */
export class TLSSocket extends Duplex {
  /** Always true, as in `node:tls`. */
  readonly encrypted = true;
  /** Whether the server's chain and name were found good. False before `'secureConnect'`. */
  authorized = false;
  /** Why not: a code such as `'DEPTH_ZERO_SELF_SIGNED_CERT'`; else `null`. */
  authorizationError: string | null = null;
  /** The protocol agreed on by ALPN, `false` when none was, `null` before `'secureConnect'`. */
  alpnProtocol: string | false | null = null;
  /** The server name sent (SNI), `false` when none was, `null` before `'secureConnect'`. */
  servername: string | false | null = null;
  /** Plaintext bytes received. */
  bytesRead = 0;
  /** Milliseconds set by {@link setTimeout}. */
  timeout: number | undefined;

  readonly #options: TLSSocketOptions;
  readonly #transport: Duplex;
  #native: NativeConnection | null;
  #phase: Phase = 'connecting';
  #serverJudged = false;
  #question: Question | undefined;
  #answer: Outcome | undefined;
  #answered: Credential | undefined;
  #clientAuth: ClientAuth = NOT_REQUESTED;
  #reading = false;
  #writing: PendingWrite | undefined;
  #bytesWritten = 0;
  #final: ((error?: Error | null) => void) | undefined;
  #transportEnded = false;
  #transportPaused = false;
  #advancing = false;
  #advanceAgain = false;
  #idleTimer: NodeJS.Timeout | undefined;

  /** @internal Use {@link connect}. */
  constructor(transport: Duplex, options: TLSSocketOptions) {
    super({
      allowHalfOpen: options.allowHalfOpen,
      emitClose: false,
      ...(options.highWaterMark === undefined ? {} : { highWaterMark: options.highWaterMark }),
    });
    this.#options = options;
    this.#transport = transport;
    this.#native = translated(
      () =>
        new binding.Connection(SecureContext.nativeOf(options.secureContext), {
          serverName: options.servername,
          alpnProtocols: options.alpnProtocols,
          credentials: options.secureContext.credentials.map(Credential.nativeOf),
          asks: options.clientCertCallback !== null,
        }),
      contextError,
    );
    this.#listen();
    if (transport instanceof net.Socket && transport.connecting) {
      transport.once('connect', () => this.#start());
    } else {
      // Not before the caller had a chance to add listeners.
      process.nextTick(() => this.#start());
    }
  }

  // ---- what became of the handshake

  /** What became of the server's request for a client certificate. It stays readable after close. */
  get clientAuth(): ClientAuth {
    if (this.#native !== null && this.#clientAuth.status !== 'failed') {
      this.#clientAuth = this.#readClientAuth(this.#native);
    }
    return this.#clientAuth;
  }

  /** The version in use, for instance `'TLSv1.3'`; `null` once closed. */
  getProtocol(): string | null {
    return this.#native?.protocol() ?? null;
  }

  /** The cipher suite in use, as `tls.TLSSocket` reports it; undefined before there is one. */
  getCipher(): CipherNameAndProtocol {
    const cipher = this.#native?.cipher();
    return (cipher?.name == null ? undefined : cipher) as CipherNameAndProtocol;
  }

  /**
   * The server's certificate as a legacy object; with `detailed`, linked to its issuers. An empty
   * object when there is none, and `null` once closed.
   */
  getPeerCertificate(detailed: true): DetailedPeerCertificate;
  getPeerCertificate(detailed?: false): PeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate {
    if (this.#native === null) return null as unknown as PeerCertificate;
    const chain = parseCertificates(this.#native.peerCertificates());
    const leaf = chain[0];
    if (leaf === undefined) return {} as PeerCertificate;
    return detailed ? detailedCertificate(chain) : legacyCertificate(leaf);
  }

  /** The server's certificate, parsed; undefined when there is none. */
  getPeerX509Certificate(): X509Certificate | undefined {
    const [leaf] = this.#native?.peerCertificates() ?? [];
    return leaf === undefined ? undefined : parseCertificates([leaf])[0];
  }

  /** The client's certificate that was sent, or would be; an empty object when there is none. */
  getCertificate(): PeerCertificate | object | null {
    if (this.#native === null) return null;
    const certificate = this.getX509Certificate();
    return certificate === undefined ? {} : legacyCertificate(certificate);
  }

  /** The client's certificate that was sent, or would be, parsed. */
  getX509Certificate(): X509Certificate | undefined {
    const auth = this.clientAuth;
    if (auth.status === 'sent') return auth.credential.certificate;
    return this.#options.secureContext.credentials[0]?.certificate;
  }

  /** Whether the handshake is still to come or under way. */
  get secureConnecting(): boolean {
    return this.#phase === 'connecting' || this.#phase === 'handshake';
  }

  // ---- what belongs to the transport

  /** Plaintext bytes written, those included that wait to be encrypted. */
  get bytesWritten(): number {
    return this.#bytesWritten + this.writableLength;
  }

  /** Whether the `net.Socket` below is still connecting. */
  get connecting(): boolean {
    return this.#socket.connecting ?? false;
  }

  /** As of `net.Socket`. */
  get pending(): boolean {
    return this.#socket.pending ?? false;
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }

  get remotePort(): number | undefined {
    return this.#socket.remotePort;
  }

  get remoteFamily(): string | undefined {
    return this.#socket.remoteFamily;
  }

  get localAddress(): string | undefined {
    return this.#socket.localAddress;
  }

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  get localFamily(): string | undefined {
    return this.#socket.localFamily;
  }

  /** The local address, as of `net.Socket`; an empty object where there is none. */
  address(): net.AddressInfo | object {
    return this.#socket.address?.() ?? {};
  }

  /** As of `net.Socket`; without effect on a transport that has no such thing. */
  setNoDelay(noDelay?: boolean): this {
    this.#socket.setNoDelay?.(noDelay);
    return this;
  }

  /** As of `net.Socket`; without effect on a transport that has no such thing. */
  setKeepAlive(enable?: boolean, initialDelay?: number): this {
    this.#socket.setKeepAlive?.(enable, initialDelay);
    return this;
  }

  /** As of `net.Socket`; without effect on a transport that has no such thing. */
  ref(): this {
    this.#socket.ref?.();
    return this;
  }

  /** As of `net.Socket`; without effect on a transport that has no such thing. */
  unref(): this {
    this.#socket.unref?.();
    return this;
  }

  /**
   * Emits `'timeout'` after so many milliseconds without anything read or written; 0 turns it off.
   * As in `net.Socket` the connection stays open.
   */
  setTimeout(milliseconds: number, callback?: () => void): this {
    // Node's own check, for the same errors on the same values.
    if (callback !== undefined && typeof callback !== 'function') {
      throw Object.assign(new TypeError('The "callback" argument must be of type function.'), {
        code: 'ERR_INVALID_ARG_TYPE',
      });
    }
    if (typeof milliseconds !== 'number' || !(milliseconds >= 0) || milliseconds === Infinity) {
      const code = typeof milliseconds === 'number' ? 'ERR_OUT_OF_RANGE' : 'ERR_INVALID_ARG_TYPE';
      const kind = typeof milliseconds === 'number' ? RangeError : TypeError;
      throw Object.assign(new kind('The "msecs" argument must be a non-negative finite number.'), {
        code,
      });
    }
    this.timeout = milliseconds;
    clearTimeout(this.#idleTimer);
    this.#idleTimer = undefined;
    if (milliseconds === 0) {
      if (callback !== undefined) this.removeListener('timeout', callback);
    } else {
      if (callback !== undefined) this.once('timeout', callback);
      this.#idleTimer = setTimeout(() => this.emit('timeout'), milliseconds).unref();
    }
    return this;
  }

  /** Ends the writing side and destroys the socket once everything was written. */
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', this.destroy);
  }

  /** The transport, as far as it has what a `net.Socket` has. */
  get #socket(): Partial<net.Socket> {
    return this.#transport as Partial<net.Socket>;
  }

  // ---- the stream

  override _read(): void {
    this.#reading = true;
    this.#advance();
  }

  override _write(
    chunk: Uint8Array,
    _encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    this.#writing = { chunks: [chunk], callback, chunk: 0, offset: 0 };
    this.#advance();
  }

  override _writev(items: { chunk: Uint8Array }[], callback: (error?: Error | null) => void): void {
    const chunks = items.map(({ chunk }) => chunk);
    this.#writing = { chunks, callback, chunk: 0, offset: 0 };
    this.#advance();
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#final = callback;
    this.#advance();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const auth = this.clientAuth;
    // Made only where someone gets to see it.
    const reason = () =>
      error ?? new TLSClientCertError('ERR_TLS_CONNECTION_OVER', 'The socket was destroyed.');
    this.#clientAuth = auth.status === 'pending' ? failedWith(reason()) : auth;
    const wasOpen = this.#phase === 'open';
    this.#phase = 'over';
    clearTimeout(this.#idleTimer);
    const native = this.#native;
    // An alert that says why, if there is one.
    const lastWords = native?.drain();
    this.#native = null;
    native?.destroy();
    this.#question?.cancel(reason());
    const writing = this.#writing;
    this.#writing = undefined;
    writing?.callback(reason());
    this.#closeTransport(lastWords, wasOpen, () => {
      callback(error);
      // As net.Socket: after 'error', and with whether there was one.
      process.nextTick(() => this.emit('close', error !== null));
    });
  }

  // ---- the transport's events

  #listen(): void {
    const transport = this.#transport;
    transport.on('data', (chunk: Uint8Array) => {
      if (this.#native === null) return;
      this.#touch();
      this.#native.receive(chunk);
      this.#advance();
      this.#regulate();
    });
    transport.on('end', () => {
      this.#transportEnded = true;
      this.#native?.receiveEnd();
      // OpenSSL would not look at it before the question is answered.
      if (this.#question !== undefined) this.destroy(this.#disconnected());
      else this.#advance();
    });
    // Stays when we are over: a transport may fail while it closes.
    transport.on('error', (error: Error) => this.destroy(error));
    transport.on('close', () => {
      if (!this.destroyed && !this.#transportEnded) this.destroy(this.#disconnected());
    });
    for (const name of ['lookup', 'connect', 'ready'] as const) {
      if (this.#options.ownsTransport) {
        transport.on(name, (...args: unknown[]) => this.emit(name, ...args));
      }
    }
    // Until there is something to do with it.
    transport.pause();
  }

  #start(): void {
    if (this.destroyed) return;
    this.#phase = 'handshake';
    if (this.#transport.destroyed || this.#transport.readableEnded) {
      this.destroy(this.#disconnected());
      return;
    }
    this.#transport.resume();
    this.#touch();
    this.#advance();
  }

  /** Pauses the transport while too much lies unread. Below that it flows, so that its end is seen. */
  #regulate(): void {
    if (this.#native === null) return;
    const pause = this.#native.unread() > UNREAD_LIMIT;
    if (pause === this.#transportPaused) return;
    this.#transportPaused = pause;
    if (pause) this.#transport.pause();
    else this.#transport.resume();
  }

  #touch(): void {
    this.#idleTimer?.refresh();
  }

  #closeTransport(lastWords: Buffer | undefined, wasOpen: boolean, done: () => void): void {
    const transport = this.#transport;
    if (transport.destroyed) {
      done();
      return;
    }
    if (lastWords !== undefined && transport.writable) transport.write(lastWords);
    if (transport instanceof net.Socket) {
      // The kernel has taken a short write by the time that write() returns.
      transport.once('close', done);
      transport.destroy();
    } else if (lastWords !== undefined && !wasOpen && transport.writable) {
      // Another stream may need its time to pass the alert on; we need not wait for it.
      transport.end(() => transport.destroy());
      setTimeout(() => transport.destroy(), 1000).unref();
      done();
    } else {
      transport.destroy();
      done();
    }
  }

  // ---- the machine

  /** Goes on as far as possible. Called again from within, it goes round once more. */
  #advance(): void {
    if (this.#advancing) {
      this.#advanceAgain = true;
      return;
    }
    this.#advancing = true;
    try {
      do {
        this.#advanceAgain = false;
        // An unanswered question holds up everything behind it.
        if (this.#question !== undefined && this.#answer === undefined) break;
        this.#applyAnswer();
        if (this.#phase === 'handshake') this.#handshake();
        if (this.#phase === 'open') this.#pumpReads();
        if (this.#phase === 'open') this.#pumpWrites();
      } while (this.#advanceAgain && this.#phase !== 'over');
    } finally {
      this.#advancing = false;
      this.#regulate();
    }
  }

  #handshake(): void {
    while (this.#native !== null) {
      const step = this.#native.handshake();
      if (step === Step.done) {
        this.#flush();
        this.#secured();
        return;
      }
      if (!this.#handle(step)) return;
    }
  }

  /** What any operation may need first. True: try it again now. */
  #handle(step: Step): boolean {
    const native = this.#native as NativeConnection;
    switch (step) {
      case Step.wantRead:
        this.#flush();
        return false;
      case Step.wantVerify:
        this.#judge(native);
        return this.#native !== null;
      case Step.wantClientCert:
        this.#flush();
        if (this.#question === undefined || this.#answer?.kind === 'again') this.#ask(native);
        return this.#native !== null && this.#applyAnswer();
      case Step.closed:
        this.#flush();
        this.#reading = false;
        this.push(null);
        // As net.Socket does: 'end' comes even if nobody reads.
        this.read(0);
        return false;
      default:
        this.destroy(this.#failure(native));
        return false;
    }
  }

  #secured(): void {
    const refusal = this.#whyUnacceptable();
    if (refusal !== undefined) {
      this.destroy(refusal);
      return;
    }
    const native = this.#native as NativeConnection;
    this.#phase = 'open';
    this.alpnProtocol = native.alpnProtocol() || false;
    this.servername = this.#options.servername || false;
    this.#touch();
    this.emit('secureConnect');
    // Alerts and the server's end are to be seen even if nobody reads, as in net.Socket.
    if (!this.destroyed && !this.isPaused()) this.read(0);
  }

  /** What only the complete handshake shows. */
  #whyUnacceptable(): TLSClientCertError | undefined {
    const { rejectUnauthorized, requireClientCert } = this.#options;
    if (!this.#serverJudged) {
      this.authorizationError = 'ERR_TLS_NO_SERVER_CERTIFICATE';
      if (rejectUnauthorized) {
        return new TLSClientCertError(
          'ERR_TLS_NO_SERVER_CERTIFICATE',
          'The server presented no certificate, so nothing shows who it is. With rejectUnauthorized (the default) such a connection is refused.',
        );
      }
    }
    if (requireClientCert && !this.clientAuth.sent) return requiredError(this.clientAuth);
    return undefined;
  }

  #judge(native: NativeConnection): void {
    const chainError = native.serverChainError();
    const verdict = judgeServer(chainError, this.#options, () => this.getPeerCertificate(true));
    // checkServerIdentity is the caller's: it may have closed us.
    if (this.#native === null) return;
    this.#serverJudged = true;
    this.authorized = verdict === null;
    this.authorizationError = verdict?.code ?? null;
    if (verdict === null || !(this.#options.rejectUnauthorized || verdict.fatal)) {
      native.acceptServer();
      return;
    }
    // Once more into the handshake, which ends it with the alert that fits.
    native.refuseServer(verdict.number);
    native.handshake();
    this.destroy(verdict.error);
  }

  // ---- the question

  #ask(native: NativeConnection): void {
    const { clientCertCallback, secureContext, clientCertTimeout } = this.#options;
    const callback = clientCertCallback ?? secureContext.getClientCertCallback();
    this.#answer = undefined;
    this.#question ??= new Question(
      { settled: (outcome) => this.#settled(outcome), suspended: (s) => this.#suspended(s) },
      clientCertTimeout,
    );
    const request = new CertificateRequest(native.request(), {
      native: () => this.#native,
      protocol: native.protocol(),
      servername: this.#options.servername || null,
      authorized: this.authorized,
      authorizationError: this.authorizationError,
    });
    this.#question.put(request, callback ?? declines);
  }

  #suspended(suspension: Suspension): boolean {
    return this.emit('suspend', suspension);
  }

  #settled(outcome: Outcome): void {
    this.#answer = outcome;
    this.#advance();
  }

  /** Tells the machine what was answered. False while there is nothing to tell, or when it failed. */
  #applyAnswer(): boolean {
    const answer = this.#answer;
    const native = this.#native;
    if (answer === undefined || native === null) return false;
    switch (answer.kind) {
      case 'again':
        // Kept until the callback is asked, which the next call into OpenSSL leads to.
        native.askAgain();
        return true;
      case 'decline':
        if (this.#options.requireClientCert) {
          this.destroy(requiredError(DECLINED));
          return false;
        }
        native.decline();
        break;
      case 'credential': {
        const credential = Credential.nativeOf(answer.credential);
        const refusal = native.whyNotSent(credential);
        if (refusal !== null) {
          this.destroy(unusableError(refusal, describeSubject(answer.credential)));
          return false;
        }
        native.answer(credential);
        this.#answered = answer.credential;
        break;
      }
      case 'failure':
        this.destroy(answer.error);
        return false;
    }
    this.#question = undefined;
    this.#answer = undefined;
    return true;
  }

  #readClientAuth(native: NativeConnection): ClientAuth {
    const seen = native.clientAuth();
    if (!seen.requested) return NOT_REQUESTED;
    if (seen.sent) {
      const credential =
        this.#options.secureContext.credentials[seen.staticCredential] ?? this.#answered;
      return {
        status: 'sent',
        requested: true,
        sent: true,
        credential: credential as Credential,
        signatureScheme: seen.scheme === null ? null : signatureSchemeName(seen.scheme),
      };
    }
    if (this.#phase !== 'open') return PENDING;
    const asked =
      this.#options.clientCertCallback ?? this.#options.secureContext.getClientCertCallback();
    return asked === null ? UNCONFIGURED : DECLINED;
  }

  // ---- data

  #pumpReads(): void {
    while (this.#reading && this.#native !== null) {
      if (slab.length < SMALL_PIECE) slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
      const count = this.#native.read(slab);
      if (count > 0) {
        const piece = slab.subarray(0, count);
        let chunk: Buffer = piece;
        if (count < SMALL_PIECE) chunk = Buffer.from(piece);
        else slab = slab.subarray(count);
        this.bytesRead += count;
        // _read may be called from within push(), and must not be undone by its result.
        this.#reading = false;
        if (this.push(chunk)) this.#reading = true;
      } else if (!this.#handle(-count as Step)) {
        return;
      }
    }
    // Alerts and the like may have come of it.
    this.#flush();
  }

  #pumpWrites(): void {
    const writing = this.#writing;
    if (writing === undefined) {
      this.#finish();
      return;
    }
    let encrypted = 0;
    while (writing.chunk < writing.chunks.length && encrypted < WRITE_PIECE) {
      const chunk = writing.chunks[writing.chunk] as Uint8Array;
      if (writing.offset === chunk.length) {
        writing.chunk++;
        writing.offset = 0;
        continue;
      }
      const end = Math.min(chunk.length, writing.offset + WRITE_PIECE - encrypted);
      const count = (this.#native as NativeConnection).write(chunk.subarray(writing.offset, end));
      if (count > 0) {
        writing.offset += count;
        encrypted += count;
        this.#bytesWritten += count;
      } else if (!this.#handle(-count as Step)) {
        return;
      }
    }
    this.#writing = undefined;
    this.#touch();
    this.#flush((error) => {
      this.#touch();
      if (error) {
        writing.callback(error);
      } else if (writing.chunk < writing.chunks.length) {
        this.#writing = writing;
        this.#advance();
      } else {
        writing.callback();
      }
    });
  }

  /** close_notify, then the end of the transport's writing side, as node:tls does. */
  #finish(): void {
    const final = this.#final;
    if (final === undefined || this.#native === null) return;
    this.#final = undefined;
    this.#native.shutdown();
    this.#flush();
    if (this.#transport.writable) this.#transport.end();
    final();
  }

  /** Sends what the machine has for the peer. */
  #flush(written?: (error?: Error | null) => void): void {
    const bytes = this.#native?.drain();
    if (bytes === undefined) {
      if (written !== undefined) process.nextTick(written);
    } else if (this.#transport.writable) {
      this.#transport.write(bytes, written);
    } else if (written !== undefined) {
      process.nextTick(written, this.#disconnected());
    }
  }

  // ---- the end

  #failure(native: NativeConnection): TLSClientCertError {
    const failure = native.failure();
    if (failure === null) return this.#disconnected();
    const truncated = failure.stack[0]?.reason === 'unexpected eof while reading';
    if (this.#phase === 'handshake' && truncated) return this.#disconnected();
    if (failure.stack.length > 0 && failure.reason === 'protocol') return protocolError(failure);
    const credential = this.#answered ?? this.#options.secureContext.credentials[0];
    return credential === undefined
      ? protocolError(failure)
      : unusableError(failure, describeSubject(credential));
  }

  #disconnected(): TLSClientCertError {
    const { host, port, path, localAddress } = this.#options.connectOptions;
    const error = new TLSClientCertError('ECONNRESET', this.#howDisconnected());
    return Object.assign(error, { host, port, path, localAddress });
  }

  #howDisconnected(): string {
    if (this.#question !== undefined) {
      return 'The server closed the connection while the client certificate callback had not answered yet.';
    }
    if (this.#phase === 'open') {
      return 'The connection was closed without a close_notify alert: what was received may be cut short.';
    }
    // Programs match on this text of node:tls.
    return 'Client network socket disconnected before secure TLS connection was established';
  }
}

function failedWith(error: Error): ClientAuth {
  return { status: 'failed', requested: true, sent: false, error };
}

const NOT_REQUESTED: ClientAuth = { status: 'not-requested', requested: false, sent: false };
const PENDING: ClientAuth = { status: 'pending', requested: true, sent: false };
const DECLINED: ClientAuth = {
  status: 'declined',
  requested: true,
  sent: false,
  reason: 'callback',
};
const UNCONFIGURED: ClientAuth = {
  status: 'declined',
  requested: true,
  sent: false,
  reason: 'nothing-configured',
};

/** Stands in when the context's callback was taken away between two attempts. */
const declines: ClientCertCallback = () => null;

function describeSubject(credential: Credential): string {
  return `"${credential.subject}"`;
}

function requiredError(auth: ClientAuth): TLSClientCertError {
  const why =
    auth.status === 'not-requested'
      ? 'the server asked for none'
      : auth.status === 'declined' && auth.reason === 'nothing-configured'
        ? 'neither a callback nor a certificate is configured'
        : 'the client certificate callback declined';
  return new TLSClientCertError(
    'ERR_CLIENT_CERT_REQUIRED',
    `requireClientCert is set, but no client certificate was sent: ${why}.`,
  );
}
