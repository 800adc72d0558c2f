import { AsyncResource } from 'node:async_hooks';
import type { NativeConnection } from './binding';
import { ConnectionFacts, NATIVE } from './connection-facts';
import { TLSClientCertError } from './errors';
import type { ProtocolSettings } from './protocol-options';
import { judgeServer, type Refusal } from './server-identity';

/** What is found of the server, at its certificate or, where it sends none, after the handshake. */
export abstract class ServerJudgement extends ConnectionFacts {
  /** @internal What is the caller's runs in the context in which the connection was made. */
  readonly scope = new AsyncResource('TLSClientCert');
  /** Whether the server's chain and name were found good. */
  authorized = false;
  /** Why not: a code such as `'DEPTH_ZERO_SELF_SIGNED_CERT'`; else `null`. */
  authorizationError: string | null = null;
  /** @internal */
  protected readonly settings: ProtocolSettings;
  /** @internal */
  protected rejectUnauthorized: boolean;
  #judged = false;

  /** @internal */
  protected constructor(settings: ProtocolSettings) {
    super();
    this.settings = settings;
    this.rejectUnauthorized = settings.rejectUnauthorized;
  }

  /** @internal Judges the certificate just received. Returns what the connection fails with. */
  protected judge(native: NativeConnection): Error | undefined {
    const refusal = this.#refusal(native);
    // checkServerIdentity is the caller's: it may have closed us.
    if (this[NATIVE] === null) return undefined;
    if (refusal === null) {
      native.acceptServer();
      return undefined;
    }
    // Once more into the handshake, which ends it with the alert that fits.
    native.refuseServer(refusal.number);
    native.handshake();
    return refusal.error;
  }

  /** @internal The same once the handshake is complete, where it brought no certificate. */
  protected judgeUnseen(native: NativeConnection): Error | undefined {
    if (this.#judged) return undefined;
    // A resumed handshake brings no certificate: the one that the session was made with is judged
    // by the name that is asked for now.
    if (native.peerCertificates().length > 0) return this.#refusal(native)?.error;
    if (this.settings.pskCallback !== null && native.bySharedKey()) {
      // As in node:tls: only where the session is new, and against no certificate at all.
      if (!native.sessionReused()) return this.#refusal(native)?.error;
      this.authorized = true;
      return undefined;
    }
    const code = 'ERR_TLS_NO_SERVER_CERTIFICATE';
    this.authorizationError = code;
    return this.rejectUnauthorized
      ? new TLSClientCertError(
          code,
          'The server presented no certificate, so nothing shows who it is. With rejectUnauthorized (the default) such a connection is refused.',
        )
      : undefined;
  }

  /** What the server's chain and name have against them that counts. */
  #refusal(native: NativeConnection): Refusal | null {
    const refusal = this.scope.runInAsyncScope(() =>
      judgeServer(native.serverChainError(), this.settings, {
        leaf: () => native.peerCertificates()[0],
        detailed: () => this.getPeerCertificate(true),
      }),
    );
    this.#judged = true;
    this.authorized = refusal === null;
    this.authorizationError = refusal?.code ?? null;
    return refusal !== null && (this.rejectUnauthorized || refusal.fatal) ? refusal : null;
  }
}
