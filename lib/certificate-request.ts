import { X509Certificate } from 'node:crypto';
import { binding, type NativeConnection, type NativeRequest } from './binding';
import { Credential, certificateBytes, sharedCredential } from './credential';
import {
  type CertificateInput,
  type CredentialOptions,
  readCertificate,
} from './credential-options';
import { TLSClientCertError } from './errors';
import { unusableError } from './failures';
import { printName } from './names';
import { signatureSchemeName } from './signature-schemes';

/** A distinguished name (X.501), such as a server lists for the authorities it accepts. */
export class DistinguishedName {
  /** As it stood in the server's message. */
  readonly der: Buffer;
  #parsed: { text: string; attributes: [string, string][] } | undefined;

  private constructor(der: Buffer) {
    this.der = der;
  }

  /** @internal */
  static of(der: Buffer): DistinguishedName {
    return new DistinguishedName(der);
  }

  /**
   * Attribute types (`'CN'`, `'O'`, …; dotted OIDs for rare ones) with their values, in encoded
   * order: the most general first. A type may occur more than once.
   */
  get attributes(): readonly (readonly [type: string, value: string])[] {
    return this.#parse().attributes;
  }

  /** The last (most specific) value of `CN`, if there is one. */
  get commonName(): string | undefined {
    return this.attributes.findLast(([type]) => type === 'CN')?.[1];
  }

  /** RFC 4514: the most specific attribute first, for instance `CN=Staff CA,O=Example,C=DE`. */
  toString(): string {
    return this.#parse().text;
  }

  /** The same as {@link toString}. */
  toJSON(): string {
    return this.toString();
  }

  /** Whether both are one name by RFC 5280, section 7.1: string type, case and surplus blanks aside. */
  equals(other: DistinguishedName): boolean {
    return binding.haveCommonName([this.der], [other.der]);
  }

  #parse() {
    this.#parsed ??= binding.parseName(this.der) ?? { text: printName(this.der), attributes: [] };
    return this.#parsed;
  }
}

/** ClientCertificateType by its IANA name (RFC 5246, section 7.4.4; RFC 8422, section 5.5). */
const CERTIFICATE_TYPES: Readonly<Record<number, string>> = {
  1: 'rsa_sign',
  2: 'dss_sign',
  3: 'rsa_fixed_dh',
  4: 'dss_fixed_dh',
  64: 'ecdsa_sign',
  65: 'rsa_fixed_ecdh',
  66: 'ecdsa_fixed_ecdh',
};

/** What the request does not know by itself. @internal */
export interface RequestSurroundings {
  /** `null` once the connection is gone. */
  native: () => NativeConnection | null;
  protocol: string;
  servername: string | null;
  authorized: boolean;
  authorizationError: string | null;
}

/**
 * What a server asked for (CertificateRequest: RFC 8446, section 4.3.2; RFC 5246, section 7.4.4),
 * and who is asking.
 */
export class CertificateRequest {
  /** When it was asked: in the first handshake, a renegotiation (TLS 1.2), or after it (TLS 1.3). */
  readonly phase: 'handshake' | 'renegotiation' | 'post-handshake';
  /** `'TLSv1.2'`, `'TLSv1.3'`. */
  readonly protocol: string;
  /** The name that was sent to the server (SNI), or `null`. */
  readonly servername: string | null;
  /** Names of the authorities that the server accepts; empty when it takes any, or did not say. */
  readonly certificateAuthorities: readonly DistinguishedName[];
  /** What the server takes as signatures, by IANA name, in its order of preference. */
  readonly signatureSchemes: readonly string[];
  /** Key types by IANA name, for instance `'ecdsa_sign'`. Empty on TLS 1.3, which has none. */
  readonly certificateTypes: readonly string[];
  /** Whether the server's chain and name were found good. */
  readonly authorized: boolean;
  /**
   * Why not, as a code such as `'DEPTH_ZERO_SELF_SIGNED_CERT'`, else `null`. With
   * `rejectUnauthorized`, the default, an unauthorized server is never heard.
   */
  readonly authorizationError: string | null;
  /** How often this request was put to the callback, from 1: more with `suspension.resume()`. */
  readonly attempt: number;
  readonly #around: RequestSurroundings;
  #serverCertificates: readonly X509Certificate[] | undefined;

  private constructor(native: NativeRequest, around: RequestSurroundings) {
    this.phase = native.phase;
    this.protocol = around.protocol;
    this.servername = around.servername;
    this.certificateAuthorities = native.authorities.map(DistinguishedName.of);
    this.signatureSchemes = native.signatureSchemes.map(signatureSchemeName);
    this.certificateTypes = native.certificateTypes.map(
      (type) => CERTIFICATE_TYPES[type] ?? `0x${type.toString(16).padStart(2, '0')}`,
    );
    this.authorized = around.authorized;
    this.authorizationError = around.authorizationError;
    this.attempt = native.attempt;
    this.#around = around;
  }

  /** @internal */
  static of(native: NativeRequest, around: RequestSurroundings): CertificateRequest {
    return new CertificateRequest(native, around);
  }

  /** The server's certificates, its own first, as it sent them. */
  get serverCertificates(): readonly X509Certificate[] {
    this.#serverCertificates ??= this.#native()
      .peerCertificates()
      .map((der) => new X509Certificate(der));
    return this.#serverCertificates;
  }

  /**
   * Whether this credential would be sent: `true`, or the error with which the connection would
   * fail (`ERR_CREDENTIAL_UNUSABLE`, its `reason` says why). Compare with `=== true`: an error is
   * truthy.
   *
   * The acceptable authorities do not enter into it: OpenSSL sends what it is given, and servers
   * may accept it. See {@link matchesAuthorities}.
   *
   * @throws {@link TLSClientCertError} `ERR_TLS_CONNECTION_OVER`; `ERR_CREDENTIAL_…` when options
   *   make no credential.
   */
  supports(credential: Credential | CredentialOptions): true | TLSClientCertError {
    const parsed = sharedCredential(credential);
    const failure = this.#native().whyNotSent(Credential.nativeOf(parsed));
    return failure === null
      ? true
      : unusableError(failure, Credential.presentationOf(parsed, this.protocol));
  }

  /**
   * Whether the certificate, or one of its chain, was issued by one of
   * {@link certificateAuthorities}; always true when the server named none. Names are compared as
   * {@link DistinguishedName.equals} does. A certificate alone will do, so that no passphrase is needed
   * to find the ones that fit.
   *
   * @throws {@link TLSClientCertError} `ERR_CREDENTIAL_INVALID`: no certificate can be read.
   * @see RFC 8446, section 4.2.4
   */
  matchesAuthorities(certificate: Credential | CertificateInput): boolean {
    if (this.certificateAuthorities.length === 0) return true;
    const names = this.certificateAuthorities.map(({ der }) => der);
    return binding.haveCommonName(issuersOf(certificate), names);
  }

  #native(): NativeConnection {
    const native = this.#around.native();
    if (native === null) {
      throw new TLSClientCertError(
        'ERR_TLS_CONNECTION_OVER',
        'The connection that this certificate request belongs to is closed: nothing can be asked of it any more.',
      );
    }
    return native;
  }
}

function issuersOf(certificate: Credential | CertificateInput): Buffer[] {
  if (Credential.is(certificate)) return Credential.nativeOf(certificate).issuers();
  const issuers = binding.issuers(certificateBytes(readCertificate(certificate, 'certificate')));
  if (issuers !== null) return issuers;
  throw new TLSClientCertError(
    'ERR_CREDENTIAL_INVALID',
    '"certificate" holds no readable certificate (PEM or DER; the contents, not a file name).',
    { input: 'certificate' },
  );
}
