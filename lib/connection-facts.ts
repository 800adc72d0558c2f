import { X509Certificate } from 'node:crypto';
import type { CipherNameAndProtocol, DetailedPeerCertificate, PeerCertificate } from 'node:tls';
import type { NativeConnection } from './binding';
import { detailedCertificate, legacyCertificate, parseCertificates } from './peer-certificate';

/** Names the native connection, for {@link ConnectionFacts} alone. */
export const NATIVE = Symbol('the native connection');

/** What can be asked of a connection, and changes nothing about it. */
export abstract class ConnectionFacts {
  /** @internal `null` once destroyed. */
  protected abstract get [NATIVE](): NativeConnection | null;

  // ---- sessions

  /**
   * The session for the option `session` of a later connection; undefined when there is none. On TLS
   * 1.3 sessions come after the handshake: wait for {@link ConnectionListener.session}.
   */
  getSession(): Buffer | undefined {
    const session = this[NATIVE]?.session();
    return session === undefined || session.length === 0 ? undefined : session;
  }

  /** Whether the last handshake resumed a session. */
  isSessionReused(): boolean {
    return this[NATIVE]?.sessionReused() ?? false;
  }

  // ---- what the handshake led to

  /** The version in use, for instance `'TLSv1.3'`; `null` once destroyed. */
  getProtocol(): string | null {
    return this[NATIVE]?.protocol() ?? null;
  }

  /** The cipher suite as `tls.TLSSocket` reports it; undefined before, `null` once destroyed. */
  getCipher(): CipherNameAndProtocol | null | undefined {
    const cipher = this[NATIVE]?.cipher();
    if (cipher === undefined) return null;
    return cipher.name === null ? undefined : (cipher as CipherNameAndProtocol);
  }

  /** The protocol agreed on by ALPN, `false` when none was. */
  get alpnProtocol(): string | false {
    return this[NATIVE]?.alpnProtocol() || false;
  }

  // ---- certificates

  /**
   * The server's certificate as a legacy object; with `detailed`, linked to its issuers. An empty
   * object when there is none, `null` once destroyed.
   */
  getPeerCertificate(detailed: true): DetailedPeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate;
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate {
    const native = this[NATIVE];
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
    const [leaf] = this[NATIVE]?.peerCertificates() ?? [];
    return leaf === undefined ? undefined : new X509Certificate(leaf);
  }
}
