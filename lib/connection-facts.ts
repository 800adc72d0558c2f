import { X509Certificate } from 'node:crypto';
import type {
  CipherNameAndProtocol,
  DetailedPeerCertificate,
  EphemeralKeyInfo,
  PeerCertificate,
} from 'node:tls';
import type { NativeConnection } from './binding';
import { invalidArgType, outOfRange, TLSClientCertError } from './errors';
import { protocolError, translated } from './failures';
import { detailedCertificate, legacyCertificate, parseCertificates } from './peer-certificate';

/** Names the native connection, for {@link ConnectionFacts} alone. */
export const NATIVE = Symbol('the native connection');

/** Says whether the handshake is complete, for {@link ConnectionFacts} alone. */
export const ESTABLISHED = Symbol('established');

const MOST_MATERIAL = 2 ** 24;

/** What can be asked of a connection, and changes nothing about it. */
export abstract class ConnectionFacts {
  /** @internal `null` once destroyed. */
  protected abstract [NATIVE]: NativeConnection | null;

  // ---- sessions

  /**
   * The session for the option `session` of a later connection; undefined when there is none. On TLS
   * 1.3 sessions come after the handshake: wait for {@link ConnectionListener.session}.
   */
  getSession(): Buffer | undefined {
    return unlessEmpty(this[NATIVE]?.session());
  }

  /** Whether the last handshake resumed a session. */
  isSessionReused(): boolean {
    return this[NATIVE]?.sessionReused() ?? false;
  }

  /** The ticket of the current session, for debugging; undefined when it has none. */
  getTLSTicket(): Buffer | undefined {
    return unlessEmpty(this[NATIVE]?.ticket());
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

  /**
   * What the server contributed to the key exchange: `{ type: 'ECDH', name: 'X25519', size: 253 }`; an
   * empty object when that was not ephemeral, `null` once destroyed.
   */
  getEphemeralKeyInfo(): EphemeralKeyInfo | object | null {
    return this[NATIVE]?.ephemeralKey() ?? null;
  }

  /**
   * Signature algorithms that both sides can, such as `'ECDSA+SHA256'`, the preferred first, as
   * SSL_get_shared_sigalgs(3) has them: empty unless the server asked for a client certificate.
   */
  getSharedSigalgs(): string[] {
    return this[NATIVE]?.sharedSignatureAlgorithms() ?? [];
  }

  /** The Finished message last sent; undefined before. On TLS 1.2 it is what `tls-unique` is made of. */
  getFinished(): Buffer | undefined {
    return unlessEmpty(this[NATIVE]?.finished(false));
  }

  /** The Finished message last received; undefined before. */
  getPeerFinished(): Buffer | undefined {
    return unlessEmpty(this[NATIVE]?.finished(true));
  }

  /** @internal Whether data may flow. */
  protected abstract [ESTABLISHED]: boolean;

  /**
   * Keying material for another protocol, bound to this connection (RFC 5705; RFC 8446, section 7.5).
   *
   * @param length - Bytes wanted, 1 to 2^24; TLS 1.3 has some thousands at most.
   * @param label - From the IANA's registry of exporter labels, or of one's own.
   * @param context - Bound in as well. Left out it is not the same as empty on TLS 1.2.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`; RangeError `ERR_OUT_OF_RANGE`.
   * @throws {@link TLSClientCertError} `ERR_TLS_INVALID_STATE`: the handshake is not complete, or all is
   *   over; `ERR_SSL_…` when OpenSSL cannot.
   */
  exportKeyingMaterial(
    length: number,
    label: string,
    context?: NodeJS.ArrayBufferView | undefined,
  ): Buffer {
    if (typeof length !== 'number') throw invalidArgType('length', 'of type number', length);
    if (!Number.isInteger(length) || length < 1 || length > MOST_MATERIAL) {
      throw outOfRange('length', `an integer >= 1 and <= ${MOST_MATERIAL}`, length);
    }
    if (typeof label !== 'string') throw invalidArgType('label', 'of type string', label);
    if (context !== undefined && !ArrayBuffer.isView(context)) {
      throw invalidArgType('context', 'an instance of Buffer, TypedArray, or DataView', context);
    }
    const native = this[NATIVE];
    if (native === null || !this[ESTABLISHED]) {
      throw new TLSClientCertError(
        'ERR_TLS_INVALID_STATE',
        'There is keying material only while the connection is secure: wait for the end of the handshake.',
      );
    }
    const bytes = context && new Uint8Array(context.buffer, context.byteOffset, context.byteLength);
    return translated(() => native.exportKeyingMaterial(length, label, bytes), protocolError);
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

  /** @internal The server's certificates, its own first, as it sent them. */
  sentCertificates(): X509Certificate[] {
    return (this[NATIVE]?.peerCertificates() ?? []).map((der) => new X509Certificate(der));
  }
}

function unlessEmpty(bytes: Buffer | undefined): Buffer | undefined {
  return bytes === undefined || bytes.length === 0 ? undefined : bytes;
}
