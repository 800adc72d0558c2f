/**
 * What a connection tells those who watch the process: `node:diagnostics_channel`, and `NODE_DEBUG`.
 */
import { channel } from 'node:diagnostics_channel';
import { performance } from 'node:perf_hooks';
import type { CipherNameAndProtocol } from 'node:tls';
import { debuglog } from 'node:util';
import type { CertificateRequest } from './certificate-request';
import type { ClientAuth } from './client-auth';
import type { Credential } from './credential';

/**
 * In every message. Times are in milliseconds. No key can be read out of a message; a `Credential` in it can be
 * used as by those who made it.
 */
export interface DiagnosticsMessage {
  /**
   * The `TLSSocket`, or the `Connection` where there is no socket above it: the same object in all messages
   * of one connection.
   */
  readonly source: object;
}

/** `tls-client-cert:request`: the callback is about to be asked. */
export interface RequestMessage extends DiagnosticsMessage {
  readonly request: CertificateRequest;
}

/** `tls-client-cert:suspend`: the handshake waits. */
export interface SuspendMessage extends DiagnosticsMessage {
  readonly request: CertificateRequest | null;
  /** `'promise'`: the callback's; `'suspension'`: it returned `SUSPEND`; `'signature'`: a signer's. */
  readonly waitingFor: 'promise' | 'suspension' | 'signature';
}

/** `tls-client-cert:answer`: what came of a request that the callback was asked for. */
export interface AnswerMessage extends DiagnosticsMessage {
  readonly request: CertificateRequest;
  /** `'failed'`: there was no answer, or none of use; the connection fails. */
  readonly answer: 'credential' | 'declined' | 'failed';
  /** With `'credential'`: what is to be sent. */
  readonly credential: Credential | null;
  /** With `'failed'`. */
  readonly error: Error | null;
  /** Since the request, over all attempts. */
  readonly duration: number;
}

/** `tls-client-cert:sign`: a signer gave a signature, or failed to. */
export interface SignMessage extends DiagnosticsMessage {
  readonly credential: Credential;
  /** An IANA name, for instance `'ecdsa_secp256r1_sha256'`. */
  readonly scheme: string;
  readonly error: Error | null;
  /** Since it was asked. */
  readonly duration: number;
}

/** `tls-client-cert:handshake`: a handshake is complete, or the first one failed. */
export interface HandshakeMessage extends DiagnosticsMessage {
  readonly phase: 'handshake' | 'renegotiation';
  /** Whom the server had to be: `servername`, else `host`. */
  readonly hostname: string;
  readonly error: Error | null;
  /** `null` when it did not get as far as that, as all that follow. */
  readonly protocol: string | null;
  readonly cipher: string | null;
  readonly alpnProtocol: string | false | null;
  /** Whether a session was resumed. */
  readonly resumed: boolean;
  readonly authorized: boolean;
  readonly authorizationError: string | null;
  readonly clientAuth: ClientAuth;
  /** Since the first byte could leave; `null` for renegotiations. */
  readonly duration: number | null;
}

const channels = {
  request: channel('tls-client-cert:request'),
  suspend: channel('tls-client-cert:suspend'),
  answer: channel('tls-client-cert:answer'),
  sign: channel('tls-client-cert:sign'),
  handshake: channel('tls-client-cert:handshake'),
};

const debug = debuglog('tls-client-cert');

/** What {@link HandshakeMessage} is read from. */
interface Handshaken {
  readonly alpnProtocol: string | false;
  readonly authorized: boolean;
  readonly authorizationError: string | null;
  readonly clientAuth: ClientAuth;
  getProtocol(): string | null;
  getCipher(): CipherNameAndProtocol | null | undefined;
  isSessionReused(): boolean;
}

/** An {@link AnswerMessage} in the making. */
type Answered =
  | { readonly kind: 'credential'; readonly credential: Credential }
  | { readonly kind: 'decline' }
  | { readonly kind: 'failure'; readonly error: Error };

/** Of the connections that are in the debug log, each has a number. */
let numbered = 0;

/**
 * What one connection tells. Messages are made only for those who listen; a listener may destroy the connection,
 * and what it throws is an uncaught exception, as `diagnostics_channel` has it.
 */
export class Diagnostics {
  /** As of {@link DiagnosticsMessage}. */
  source: object;
  #number = 0;
  #begunAt: number | undefined;
  #told = false;
  #request: CertificateRequest | null = null;
  #requestedAt = 0;
  #signing: { credential: Credential; scheme: string; at: number } | undefined;

  constructor(source: object) {
    this.source = source;
  }

  /** The first handshake begins, or goes on. */
  begin(): void {
    this.#begunAt ??= performance.now();
  }

  request(request: CertificateRequest): void {
    // Further attempts belong to the first.
    if (this.#request === null) this.#requestedAt = performance.now();
    this.#request = request;
    if (channels.request.hasSubscribers) {
      const message: RequestMessage = { source: this.source, request };
      channels.request.publish(message);
    }
    if (debug.enabled) {
      const { phase, protocol, servername, attempt } = request;
      const count = request.certificateAuthorities.length;
      this.#log(
        `request (${phase}, ${protocol}) of ${servername ?? 'a server without a name'}, attempt ${attempt}, acceptable authorities: ${count}`,
      );
    }
  }

  suspend(waitingFor: SuspendMessage['waitingFor']): void {
    if (channels.suspend.hasSubscribers) {
      const message: SuspendMessage = { source: this.source, request: this.#request, waitingFor };
      channels.suspend.publish(message);
    }
    if (debug.enabled) this.#log(`suspended, waiting for the ${waitingFor}`);
  }

  /** Says nothing unless there is a request that was not answered. */
  answer(outcome: () => Answered): void {
    const request = this.#request;
    if (request === null) return;
    this.#request = null;
    if (!channels.answer.hasSubscribers && !debug.enabled) return;
    const answered = outcome();
    const answer = ANSWERS[answered.kind];
    const credential = answered.kind === 'credential' ? answered.credential : null;
    const error = answered.kind === 'failure' ? answered.error : null;
    const duration = performance.now() - this.#requestedAt;
    if (channels.answer.hasSubscribers) {
      const { source } = this;
      const message: AnswerMessage = { source, request, answer, credential, error, duration };
      channels.answer.publish(message);
    }
    if (debug.enabled) {
      const what = credential?.subject ?? saying(error);
      this.#log(`answer after ${rounded(duration)} ms: ${answer}${what && ` (${what})`}`);
    }
  }

  /** A signer is asked. */
  sign(credential: Credential, scheme: string): void {
    this.#signing = { credential, scheme, at: performance.now() };
  }

  /** Says nothing unless a signer was asked, and its signature not spoken of yet. */
  signed(failure: () => Error | null): void {
    const signing = this.#signing;
    if (signing === undefined) return;
    this.#signing = undefined;
    if (!channels.sign.hasSubscribers && !debug.enabled) return;
    const { credential, scheme } = signing;
    const error = failure();
    const duration = performance.now() - signing.at;
    if (channels.sign.hasSubscribers) {
      const message: SignMessage = { source: this.source, credential, scheme, error, duration };
      channels.sign.publish(message);
    }
    if (debug.enabled) {
      const outcome = error === null ? 'signed' : `not signed: ${saying(error)}`;
      const who = credential.subject;
      this.#log(`signature (${scheme}) of ${who} after ${rounded(duration)} ms: ${outcome}`);
    }
  }

  /** A handshake is complete. */
  handshake(connection: Handshaken, hostname: string): void {
    this.#handshake(connection, hostname, null);
  }

  /** Says nothing unless the first handshake had begun and was not complete. */
  failed(connection: Handshaken, hostname: string, error: () => Error): void {
    if (this.#begunAt !== undefined && !this.#told) this.#handshake(connection, hostname, error);
  }

  #handshake(connection: Handshaken, hostname: string, why: (() => Error) | null): void {
    const first = !this.#told;
    this.#told = true;
    if (!channels.handshake.hasSubscribers && !debug.enabled) return;
    const error = why?.() ?? null;
    const duration = first ? performance.now() - (this.#begunAt ?? performance.now()) : null;
    const cipher = connection.getCipher()?.name ?? null;
    const far = cipher !== null;
    const message: HandshakeMessage = {
      source: this.source,
      phase: first ? 'handshake' : 'renegotiation',
      hostname,
      error,
      protocol: far ? connection.getProtocol() : null,
      cipher,
      alpnProtocol: far ? connection.alpnProtocol : null,
      resumed: connection.isSessionReused(),
      authorized: connection.authorized,
      authorizationError: connection.authorizationError,
      clientAuth: connection.clientAuth,
      duration,
    };
    if (channels.handshake.hasSubscribers) channels.handshake.publish(message);
    if (debug.enabled) {
      const took = duration === null ? '' : ` after ${rounded(duration)} ms`;
      const outcome =
        error === null
          ? `complete: ${message.protocol}, ${cipher}, client certificate ${message.clientAuth.status}${message.resumed ? ', resumed' : ''}`
          : `failed: ${saying(error)}`;
      this.#log(`${message.phase} with ${hostname}${took} ${outcome}`);
    }
  }

  #log(text: string): void {
    if (this.#number === 0) this.#number = ++numbered;
    debug('#%d %s', this.#number, text);
  }
}

const ANSWERS = { credential: 'credential', decline: 'declined', failure: 'failed' } as const;

function saying(error: (Error & { code?: unknown }) | null): string {
  return error === null ? '' : `${error.code ?? error.name}: ${error.message}`;
}

function rounded(milliseconds: number): string {
  return milliseconds.toFixed(1);
}
