import { X509Certificate } from 'node:crypto';
import type { CipherNameAndProtocol, DetailedPeerCertificate } from 'node:tls';
import { binding, type NativeConnection, Step } from './binding';
import { CertificateRequest } from './certificate-request';
import {
  type ClientAuth,
  DECLINED,
  failed,
  NOT_REQUESTED,
  PENDING,
  requiredError,
  UNCONFIGURED,
} from './client-auth';
import { Credential } from './credential';
import { TLSClientCertError } from './errors';
import { contextError, protocolError, translated, unusableError } from './failures';
import { detailedCertificate, legacyCertificate, parseCertificates } from './peer-certificate';
import { type Outcome, Question } from './question';
import { SecureContext } from './secure-context';
import { type IdentityOptions, judgeServer } from './server-identity';
import { signatureSchemeName } from './signature-schemes';
import type { Suspension } from './suspension';
import type { ClientCertCallback } from './types';

/** What a connection needs to know; `options.ts` has the public form and the defaults. */
export interface MachineOptions extends IdentityOptions {
  secureContext: SecureContext;
  clientCertCallback: ClientCertCallback | null;
  clientCertTimeout: number;
  requireClientCert: boolean;
  rejectUnauthorized: boolean;
  /** SNI, or `''`. */
  servername: string;
  alpnProtocols: Uint8Array;
}

/** Whom a connection tells about what happens between two calls. */
export interface MachineOwner {
  /** What was suspended can go on: call it again. */
  resumed(): void;
  /** Emits 'suspend'; false when nobody listens. */
  suspended(suspension: Suspension): boolean;
}

/** Why an operation did not simply succeed, or that it did. */
export type Status = 'done' | 'want-read' | 'suspended' | 'closed' | 'failed';

/**
 * A TLS connection without I/O: ciphertext is fed in and drained by the owner. It judges the server
 * and puts the server's question; between two steps, never inside OpenSSL, it may run the caller's
 * callbacks, and so may be destroyed from within any operation.
 */
export class Connection {
  authorized = false;
  authorizationError: string | null = null;
  /** Set once an operation returned 'failed'. */
  error: Error | undefined;
  readonly #options: MachineOptions;
  readonly #owner: MachineOwner;
  #native: NativeConnection | null;
  #established = false;
  #serverJudged = false;
  #question: Question | undefined;
  #answer: Outcome | undefined;
  #answered: Credential | undefined;
  #declined = false;
  #clientAuth: ClientAuth = NOT_REQUESTED;

  constructor(options: MachineOptions, owner: MachineOwner) {
    this.#options = options;
    this.#owner = owner;
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
  }

  // ---- ciphertext

  receive(ciphertext: Uint8Array): void {
    this.#native?.receive(ciphertext);
  }

  /** The peer will send no more. */
  receiveEnd(): void {
    this.#native?.receiveEnd();
  }

  /** Bytes received and not yet used. */
  get unread(): number {
    return this.#native?.unread() ?? 0;
  }

  /** What is to be sent to the peer; to be asked for after every operation. */
  drain(): Buffer | undefined {
    return this.#native?.drain();
  }

  // ---- operations

  handshake(): Status {
    const status = this.#run((native) => -native.handshake());
    if (status !== 'done' || this.#established) return status as Status;
    this.#established = true;
    const error = this.#whyUnacceptable();
    return error === undefined ? 'done' : this.#fail(error);
  }

  /**
   * A count of bytes read, or why there are none.
   *
   * @param room - Where to read to. Asked for at the last moment: before, callbacks may run that
   *   read into the same memory.
   */
  read(room: () => Uint8Array): number | Status {
    return this.#run((native) => native.read(room()));
  }

  /** How many bytes of `plaintext` were taken, or why none. */
  write(plaintext: Uint8Array): number | Status {
    return this.#run((native) => native.write(plaintext));
  }

  /** Sends close_notify, once no handshake is under way; it does not wait for the peer's. */
  shutdown(): Status {
    return this.#run((native) => -native.shutdown()) as Status;
  }

  /** Frees what is native. A pending question learns `reason`, which is asked for only then. */
  destroy(reason: () => Error): void {
    const auth = this.clientAuth;
    this.#clientAuth = auth.status === 'pending' ? failed(this.error ?? reason()) : auth;
    const native = this.#native;
    this.#native = null;
    native?.destroy();
    this.#question?.cancel(reason());
  }

  /** The operation returns a count of bytes, or what it needs first as a negative {@link Step}. */
  #run(operation: (native: NativeConnection) => number): number | Status {
    while (true) {
      // An unanswered question holds up everything behind it.
      if (this.waiting) return 'suspended';
      this.#applyAnswer();
      const native = this.#native;
      if (native === null || this.error !== undefined) return 'failed';
      const result = operation(native);
      if (result > 0) return result;
      switch (-result) {
        case Step.done:
          return 'done';
        case Step.wantRead:
          return 'want-read';
        case Step.closed:
          return 'closed';
        case Step.wantVerify:
          this.#judge(native);
          break;
        case Step.wantClientCert:
          this.#ask(native);
          break;
        default:
          return this.#fail(this.#failure(native));
      }
    }
  }

  #fail(error: Error): 'failed' {
    this.error = error;
    if (this.clientAuth.status === 'pending') this.#clientAuth = failed(error);
    return 'failed';
  }

  #failure(native: NativeConnection): Error {
    const failure = native.failure();
    const credential = this.#answered ?? this.#options.secureContext.credentials[0];
    // Everything but the protocol's own failures is about the credential that was to be sent.
    return failure === null || failure.reason === 'protocol' || credential === undefined
      ? protocolError(failure, this.clientAuth.status === 'declined')
      : unusableError(failure, credential.subject);
  }

  // ---- the server's identity

  #judge(native: NativeConnection): void {
    const chainError = native.serverChainError();
    const refusal = judgeServer(chainError, this.#options, {
      leaf: () => native.peerCertificates()[0],
      detailed: () => this.peerCertificate(true),
    });
    // checkServerIdentity is the caller's: it may have closed us.
    if (this.#native === null) return;
    this.#serverJudged = true;
    this.authorized = refusal === null;
    this.authorizationError = refusal?.code ?? null;
    if (refusal === null || !(this.#options.rejectUnauthorized || refusal.fatal)) {
      native.acceptServer();
      return;
    }
    // Once more into the handshake, which ends it with the alert that fits.
    native.refuseServer(refusal.number);
    native.handshake();
    this.#fail(refusal.error);
  }

  /** What only the complete handshake shows. */
  #whyUnacceptable(): TLSClientCertError | undefined {
    const { rejectUnauthorized, requireClientCert } = this.#options;
    if (!this.#serverJudged) {
      const code = 'ERR_TLS_NO_SERVER_CERTIFICATE';
      this.authorizationError = code;
      if (rejectUnauthorized) {
        return new TLSClientCertError(
          code,
          'The server presented no certificate, so nothing shows who it is. With rejectUnauthorized (the default) such a connection is refused.',
        );
      }
    }
    if (requireClientCert && !this.clientAuth.sent) return requiredError(this.clientAuth);
    return undefined;
  }

  // ---- the server's question

  /** Whether a question was put and not answered yet. */
  get waiting(): boolean {
    return this.#question !== undefined && this.#answer === undefined;
  }

  get #callback(): ClientCertCallback | null {
    const { clientCertCallback, secureContext } = this.#options;
    return clientCertCallback ?? secureContext.getClientCertCallback();
  }

  #ask(native: NativeConnection): void {
    this.#answer = undefined;
    this.#question ??= new Question(
      {
        settled: (outcome) => {
          this.#answer = outcome;
          this.#owner.resumed();
        },
        suspended: (suspension) => this.#owner.suspended(suspension),
      },
      this.#options.clientCertTimeout,
    );
    const request = CertificateRequest.of(native.request(), {
      native: () => this.#native,
      protocol: native.protocol(),
      servername: this.#options.servername || null,
      authorized: this.authorized,
      authorizationError: this.authorizationError,
    });
    // The context's callback may have been taken away between two attempts.
    this.#question.put(request, this.#callback ?? (() => null));
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
    if (answer.kind === 'failure') {
      this.#fail(answer.error);
    } else if (answer.kind === 'decline') {
      if (this.#options.requireClientCert) this.#fail(requiredError(DECLINED));
      else native.decline();
      this.#declined = true;
    } else {
      const credential = Credential.nativeOf(answer.credential);
      const refusal = native.whyNotSent(credential);
      if (refusal !== null) this.#fail(unusableError(refusal, answer.credential.subject));
      else native.answer(credential);
      this.#answered = answer.credential;
    }
  }

  get clientAuth(): ClientAuth {
    if (this.#native !== null && this.#clientAuth.status !== 'failed') {
      this.#clientAuth = this.#readClientAuth(this.#native);
    }
    return this.#clientAuth;
  }

  #readClientAuth(native: NativeConnection): ClientAuth {
    const { certificate, scheme, staticCredential } = native.clientAuth();
    switch (certificate) {
      case 'not-requested':
        return NOT_REQUESTED;
      case 'requested':
        return PENDING;
      case 'sent-empty':
        return this.#declined ? DECLINED : UNCONFIGURED;
      case 'sent':
        return {
          status: 'sent',
          requested: true,
          sent: true,
          credential: (this.#options.secureContext.credentials[staticCredential] ??
            this.#answered) as Credential,
          signatureScheme: scheme === null ? null : signatureSchemeName(scheme),
        };
    }
  }

  // ---- what the handshake led to

  protocol(): string | null {
    return this.#native?.protocol() ?? null;
  }

  /** `null` once destroyed, undefined before there is one. */
  cipher(): CipherNameAndProtocol | null | undefined {
    if (this.#native === null) return null;
    const cipher = this.#native.cipher();
    return cipher.name === null ? undefined : (cipher as CipherNameAndProtocol);
  }

  /** `false` when none was agreed on. */
  alpnProtocol(): string | false {
    return this.#native?.alpnProtocol() || false;
  }

  /** `null` once destroyed, an empty object when there is none. */
  peerCertificate(detailed: boolean): DetailedPeerCertificate {
    const native = this.#native;
    if (native === null) return null as unknown as DetailedPeerCertificate;
    const sent = native.peerCertificates();
    if (sent[0] === undefined) return {} as DetailedPeerCertificate;
    // Issuers that the server did not send come from the trust store, as in node:tls.
    if (detailed) {
      return detailedCertificate(parseCertificates([...sent, ...native.verifiedCertificates()]));
    }
    return legacyCertificate(new X509Certificate(sent[0])) as DetailedPeerCertificate;
  }

  peerX509Certificate(): X509Certificate | undefined {
    const [leaf] = this.#native?.peerCertificates() ?? [];
    return leaf === undefined ? undefined : new X509Certificate(leaf);
  }

  /** What was sent, or would be. */
  get credential(): Credential | undefined {
    const auth = this.clientAuth;
    return auth.status === 'sent' ? auth.credential : this.#options.secureContext.credentials[0];
  }

  get isDestroyed(): boolean {
    return this.#native === null;
  }
}
