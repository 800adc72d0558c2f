/**
 * Why a credential suits what a server asks for, or why not.
 */
import type { X509Certificate } from 'node:crypto';
import type { CertificateRequest } from '../certificate-request';
import { Credential } from '../credential';
import { messageOf } from '../errors';
import { printName } from '../names';
import { keyUsage } from './key-usage';

/** What speaks for or against a credential, as a word that does not change. */
export type ReasonCode =
  /** It suits, and is the first that does: it is taken. */
  | 'first-match'
  /** It suits as well, but another stands before it. */
  | 'later-match'
  /** Nothing in its chain was issued by an authority that the server accepts. */
  | 'wrong-authority'
  /** The server does not take keys of its type (TLS 1.2 and below; RFC 5246, section 7.4.4). */
  | 'certificate-type'
  /** Its certificate allows no signatures (RFC 5280, section 4.2.1.3). */
  | 'key-usage'
  /** Its certificate is for other purposes than client authentication (RFC 5280, section 4.2.1.12). */
  | 'extended-key-usage'
  /** Its certificate, or one of its chain, is not valid yet. */
  | 'not-yet-valid'
  /** Its certificate, or one of its chain, is not valid any more. */
  | 'expired'
  /** Its certificate, or one of its chain, says by something that is no date when it is valid. */
  | 'validity-unreadable'
  /** Its key can sign under no scheme that the server takes. */
  | 'no-common-scheme'
  /** OpenSSL would sign under a scheme that its signer does not declare. */
  | 'scheme-not-declared'
  /** Its certificate is signed under a scheme that the server does not take. */
  | 'certificate-scheme-refused'
  /** A key in it is too small for the security level. */
  | 'key-too-small'
  /** A signature in it is too weak for the security level. */
  | 'signature-too-weak'
  /** `request.supports()` has another reason against it. */
  | 'unusable';

/** One thing that speaks for or against a credential. */
export interface Reason {
  readonly code: ReasonCode;
  /** The same as a sentence, for people. */
  readonly message: string;
}

/** `error.reason` of `request.supports()` where there is a code for it. */
const UNSUPPORTED: ReadonlySet<string | undefined> = new Set<ReasonCode>([
  'no-common-scheme',
  'scheme-not-declared',
  'certificate-scheme-refused',
  'key-too-small',
  'signature-too-weak',
]);

/** ClientCertificateType by key type. That of ECDSA covers EdDSA (RFC 8422, section 5.5). */
const CERTIFICATE_TYPES: Readonly<Record<string, string>> = {
  rsa: 'rsa_sign',
  'rsa-pss': 'rsa_sign',
  dsa: 'dss_sign',
  ec: 'ecdsa_sign',
  ed25519: 'ecdsa_sign',
  ed448: 'ecdsa_sign',
};

/** id-kp-clientAuth and anyExtendedKeyUsage. */
const FOR_CLIENTS = ['1.3.6.1.5.5.7.3.2', '2.5.29.37.0'];

/** Names listed in a sentence; more are counted. */
const SHOWN = 5;

/** All that speaks against this credential; empty when it suits. `now` in ms since the epoch. */
export function reasonsAgainst(
  request: CertificateRequest,
  credential: Credential,
  now: number,
): Reason[] {
  return [
    ...authority(request, credential),
    ...certificateType(request, credential),
    ...support(request, credential),
    ...usage(credential.certificate),
    ...extendedUsage(credential.certificate),
    ...validity(credential, now),
  ];
}

function* authority(request: CertificateRequest, credential: Credential): Iterable<Reason> {
  if (request.matchesAuthorities(credential)) return;
  const issuers = Credential.nativeOf(credential).issuers().map(printName);
  yield {
    code: 'wrong-authority',
    message:
      `It was issued by ${issuers.join(', that by ')}; the server accepts ` +
      `${list(request.certificateAuthorities)}.`,
  };
}

function* certificateType(request: CertificateRequest, credential: Credential): Iterable<Reason> {
  const type = CERTIFICATE_TYPES[credential.keyType ?? ''];
  const { certificateTypes } = request;
  if (type === undefined || certificateTypes.length === 0 || certificateTypes.includes(type)) {
    return;
  }
  yield {
    code: 'certificate-type',
    message: `Its key is one for ${type}; the server takes ${list(certificateTypes)}.`,
  };
}

function* support(request: CertificateRequest, credential: Credential): Iterable<Reason> {
  const supported = request.supports(credential);
  if (supported === true) return;
  const { reason, message } = supported;
  yield { code: UNSUPPORTED.has(reason) ? (reason as ReasonCode) : 'unusable', message };
}

function* usage(certificate: X509Certificate): Iterable<Reason> {
  try {
    const usages = keyUsage(certificate.raw);
    if (usages === undefined || usages.includes('digitalSignature')) return;
    const message = `Its key usage is ${list(usages)}, without digitalSignature.`;
    yield { code: 'key-usage', message };
  } catch (error) {
    yield { code: 'key-usage', message: messageOf(error) };
  }
}

function* extendedUsage({ keyUsage: purposes }: X509Certificate): Iterable<Reason> {
  // It is Node's name for the extended key usage; without the extension it is undefined.
  if (purposes === undefined || FOR_CLIENTS.some((oid) => purposes.includes(oid))) return;
  yield {
    code: 'extended-key-usage',
    message: `Its extended key usage is ${list(purposes)}, without clientAuth (${FOR_CLIENTS[0]}).`,
  };
}

function* validity(credential: Credential, now: number): Iterable<Reason> {
  for (const [i, certificate] of [credential.certificate, ...credential.chain].entries()) {
    const { validFrom, validTo } = certificate;
    const which = i === 0 ? 'It' : `Certificate ${i} of its chain`;
    if ([validFrom, validTo].some((date) => Number.isNaN(Date.parse(date)))) {
      yield {
        code: 'validity-unreadable',
        message: `${which} is valid from "${validFrom}" to "${validTo}", which are not both dates.`,
      };
    }
    if (now < Date.parse(validFrom)) {
      yield { code: 'not-yet-valid', message: `${which} is not valid before ${validFrom}.` };
    }
    if (now > Date.parse(validTo)) {
      yield { code: 'expired', message: `${which} expired on ${validTo}.` };
    }
  }
}

/** Those that are shown alone are made text: a server may name thousands. */
function list(names: readonly { toString(): string }[]): string {
  if (names.length === 0) return 'nothing';
  const shown = names.slice(0, SHOWN).join('; ');
  return names.length > SHOWN ? `${shown}; and ${names.length - SHOWN} more` : shown;
}
