/** From the library's objects to what the report holds. */
import type { KeyObject, X509Certificate } from 'node:crypto';
import type { CertificateRequest } from '../../certificate-request';
import type { TLSSocket } from '../../tls-socket';
import { certificateNames } from '../certificate-names';
import { whyUntrusted } from '../explain-server';
import { timeOf } from '../identities/describe';
import type { CertificateFacts, ConnectionFacts, RequestFacts, ServerFacts } from './report';

/** @param cipher - Of the ServerHello: on TLS 1.2 OpenSSL names none before the end of the handshake. */
export function connectionFacts(socket: TLSSocket, cipher: string | null): ConnectionFacts {
  const exchange = socket.getEphemeralKeyInfo() as { name?: string; type?: string } | null;
  return {
    protocol: socket.getProtocol(),
    cipher: socket.getCipher()?.standardName ?? cipher,
    keyExchange: exchange?.name ?? exchange?.type ?? null,
    alpn: socket.facts.alpnProtocol || null,
  };
}

export function serverFacts(
  { authorized, authorizationError }: Pick<TLSSocket, 'authorized' | 'authorizationError'>,
  certificates: readonly X509Certificate[],
): ServerFacts {
  return {
    trusted: authorized,
    reason: authorizationError,
    explanation:
      authorizationError === null ? null : (whyUntrusted(authorizationError) ?? authorizationError),
    certificates: certificates.map(certificateFacts),
  };
}

export function certificateFacts(certificate: X509Certificate): CertificateFacts {
  return {
    ...certificateNames(certificate),
    subjectAltNames: certificate.subjectAltName?.match(ALT_NAME) ?? [],
    serialNumber: certificate.serialNumber,
    validFrom: timeOf(certificate.validFrom),
    validTo: timeOf(certificate.validTo),
    key: keyName(certificate),
    fingerprint256: certificate.fingerprint256,
  };
}

/**
 * Of Node's list: what has a comma in it stands in quotation marks. They last until the end where nothing closes them,
 * or each of them would be looked for again.
 */
const ALT_NAME = /(?:"(?:[^"\\]|\\.?)*(?:"|$)|[^", ]|(?<!,) )+/g;

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

const KEYS: Readonly<Record<string, string>> = {
  rsa: 'RSA',
  'rsa-pss': 'RSA-PSS',
  ec: 'EC',
  ed25519: 'Ed25519',
  ed448: 'Ed448',
};

/** Key type and size, for instance `RSA 2048`. */
export function keyName(certificate: X509Certificate): string {
  let key: KeyObject;
  try {
    key = certificate.publicKey;
  } catch {
    return 'unknown';
  }
  const { namedCurve = '', modulusLength } = key.asymmetricKeyDetails ?? {};
  const type = key.asymmetricKeyType ?? 'unknown';
  const size = modulusLength ?? CURVES[namedCurve] ?? namedCurve;
  return `${KEYS[type] ?? type}${size === '' ? '' : ` ${size}`}`;
}

type Asked = Omit<RequestFacts, 'answer' | 'heldMs' | 'serverGaveUp'>;

export function requestFacts(request: CertificateRequest, path: string | null): Asked {
  return {
    when: request.phase,
    path,
    protocol: request.protocol,
    certificateAuthorities: request.certificateAuthorities.map((name) => ({
      name: name.toString(),
      commonName: name.commonName ?? null,
    })),
    signatureSchemes: request.signatureSchemes,
    certificateTypes: request.certificateTypes,
  };
}
