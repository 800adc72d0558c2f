import type { X509Certificate } from 'node:crypto';
import type {
  CipherNameAndProtocol,
  DetailedPeerCertificate,
  EphemeralKeyInfo,
  PeerCertificate,
} from 'node:tls';
import type { ClientAuth } from './client-auth';
import type { Connection } from './connection';
import { legacyCertificate } from './peer-certificate';
import { SocketFace } from './socket-face';

/** Names the connection, for {@link SocketFacts} alone. */
export const CONNECTION = Symbol('the connection');

/** What of a `tls.TLSSocket` is the connection's business, passed on to it. */
export abstract class SocketFacts<Self> extends SocketFace<Self> {
  /** @internal */
  protected abstract readonly [CONNECTION]: Connection;

  // ---- what became of the handshake

  /** Whether the server's chain and name were found good. False until they were judged. */
  get authorized(): boolean {
    return this[CONNECTION].authorized;
  }

  /** Why not: a code such as `'DEPTH_ZERO_SELF_SIGNED_CERT'`; else `null`. */
  get authorizationError(): string | null {
    return this[CONNECTION].authorizationError;
  }

  /** What became of the server's last request for a client certificate. Readable after close. */
  get clientAuth(): ClientAuth {
    return this[CONNECTION].clientAuth;
  }

  /** The version in use, for instance `'TLSv1.3'`; `null` once closed. */
  getProtocol(): string | null {
    return this[CONNECTION].getProtocol();
  }

  /** The cipher suite in use, as `tls.TLSSocket` reports it; undefined before, `null` once closed. */
  getCipher(): CipherNameAndProtocol {
    return this[CONNECTION].getCipher() as CipherNameAndProtocol;
  }

  /**
   * The server's certificate as a legacy object; with `detailed`, linked to its issuers. An empty
   * object when there is none, and `null` once closed.
   */
  getPeerCertificate(detailed: true): DetailedPeerCertificate;
  getPeerCertificate(detailed?: false): PeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate {
    return this[CONNECTION].getPeerCertificate(detailed);
  }

  /** The server's certificate, parsed; undefined when there is none. */
  getPeerX509Certificate(): X509Certificate | undefined {
    return this[CONNECTION].getPeerX509Certificate();
  }

  /** @internal What a socket of `node:tls` does not tell, or not before the end of the handshake. */
  get facts(): Connection {
    return this[CONNECTION];
  }

  /** The client's certificate that was sent, or would be; an empty object when there is none. */
  getCertificate(): PeerCertificate | object | null {
    if (this[CONNECTION].destroyed) return null;
    const certificate = this.getX509Certificate();
    return certificate === undefined ? {} : legacyCertificate(certificate);
  }

  /** The client's certificate that was sent, or would be, parsed. */
  getX509Certificate(): X509Certificate | undefined {
    return this[CONNECTION].getX509Certificate();
  }

  /**
   * The session for the option `session` of a later connection; undefined when there is none. On TLS
   * 1.3 sessions come after the handshake: `'session'` brings them.
   */
  getSession(): Buffer | undefined {
    return this[CONNECTION].getSession();
  }

  /** Whether the last handshake resumed a session. */
  isSessionReused(): boolean {
    return this[CONNECTION].isSessionReused();
  }

  /** The ticket of the current session, for debugging; undefined when it has none. */
  getTLSTicket(): Buffer | undefined {
    return this[CONNECTION].getTLSTicket();
  }

  /**
   * What the server contributed to the key exchange, for instance
   * `{ type: 'ECDH', name: 'X25519', size: 253 }`; an empty object when that was not ephemeral, `null`
   * once closed.
   */
  getEphemeralKeyInfo(): EphemeralKeyInfo | object | null {
    return this[CONNECTION].getEphemeralKeyInfo();
  }

  /** As of {@link Connection.getSharedSigalgs}. */
  getSharedSigalgs(): string[] {
    return this[CONNECTION].getSharedSigalgs();
  }

  /** The Finished message last sent; undefined before. */
  getFinished(): Buffer | undefined {
    return this[CONNECTION].getFinished();
  }

  /** The Finished message last received; undefined before. */
  getPeerFinished(): Buffer | undefined {
    return this[CONNECTION].getPeerFinished();
  }

  /** As of {@link Connection.exportKeyingMaterial}. */
  exportKeyingMaterial(
    length: number,
    label: string,
    context?: NodeJS.ArrayBufferView | undefined,
  ): Buffer {
    return this[CONNECTION].exportKeyingMaterial(length, label, context);
  }

  // ---- how it goes on

  /** As of {@link Connection.setMaxSendFragment}. */
  setMaxSendFragment(size: number): boolean {
    return this[CONNECTION].setMaxSendFragment(size);
  }

  /**
   * From now on text about every message is written to `stderr`, as `openssl s_client -trace` has it. It
   * may show secrets.
   */
  enableTrace(): void {
    this[CONNECTION].enableTrace();
  }
}
