/** The identities at hand beside what a server asks for, as they are put before a person. */
import type { X509Certificate } from 'node:crypto';
import type { CertificateRequest } from '../../certificate-request';
import type { Credential } from '../../credential';
import { messageOf } from '../../errors';
import { type Reason, reasonsAgainst } from '../../select/reasons';
import type { Identity } from '../identities';

export interface Candidate {
  readonly identity: Identity;
  /** What speaks against it; empty: it fits, or is not opened yet, so that nobody knows. */
  readonly reasons: readonly Reason[];
}

/** @throws TLSClientCertError `ERR_TLS_CONNECTION_OVER` */
export function candidatesFor(
  request: CertificateRequest,
  identities: readonly Identity[],
): Candidate[] {
  const now = Date.now();
  return identities.map((identity) => ({ identity, reasons: against(request, identity, now) }));
}

function against(request: CertificateRequest, identity: Identity, now: number): readonly Reason[] {
  let credential: Credential | undefined;
  try {
    credential = identity.preview();
  } catch (error) {
    return [{ code: 'unusable', message: messageOf(error) }];
  }
  return credential === undefined ? [] : reasonsAgainst(request, credential, now);
}

/** The shortest that tells it from others: a name, and where its key is if that is no file. */
export function shortName({ certificate, label, device }: Identity): string {
  const name = certificate === undefined ? label : commonName(certificate.subject);
  return device === undefined ? name : `${name} on ${device}`;
}

/** For one line of a list, behind the name: issuer, end of validity, key. */
export function summaryOf({ certificate, needs }: Identity): string[] {
  if (certificate === undefined) return [`not opened yet, needs a ${needs}`];
  return [
    `from ${commonName(certificate.issuer)}`,
    `until ${day(certificate.validTo)}`,
    keyText(certificate),
  ];
}

/** All that is to be known of it before it is sent: names and values. */
export function detailsOf(identity: Identity, now = Date.now()): (readonly [string, string])[] {
  const { certificate, device, label, where, keyWhere, needs } = identity;
  const place = device === undefined ? keyWhere : `${label} on ${device}`;
  const secret = NEEDS[needs];
  const key: readonly [string, string] = [
    'Key',
    secret === undefined ? place : `${place}, ${secret}`,
  ];
  if (certificate === undefined) return [['File', where], key];
  return [
    ['Subject', nameText(certificate.subject)],
    ['Issuer', nameText(certificate.issuer)],
    ['Valid', validityText(certificate, now)],
    ['Type', keyText(certificate)],
    key,
  ];
}

const NEEDS = {
  nothing: undefined,
  passphrase: 'needs its passphrase',
  pin: 'needs the PIN',
  'pin-pad': 'needs the PIN, at the reader',
} as const;

function validityText({ validFrom, validTo }: X509Certificate, now: number): string {
  const days = Math.floor((Date.parse(validTo) - now) / 86_400_000);
  if (Date.parse(validFrom) > now) return `not before ${day(validFrom)}`;
  if (days < 0) return `expired on ${day(validTo)}`;
  return `until ${day(validTo)} (${days === 1 ? '1 day' : `${days} days`})`;
}

/** As people know it: `RSA 2048`, `EC P-256`, `Ed25519`. */
export function keyText({ publicKey }: X509Certificate): string {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details } = publicKey;
  if (type === 'rsa' || type === 'rsa-pss') {
    return `${type.toUpperCase()} ${details?.modulusLength ?? ''}`.trimEnd();
  }
  if (type === 'ec') return `EC ${CURVES[details?.namedCurve ?? ''] ?? details?.namedCurve ?? ''}`;
  return type.replace(/^ed/, 'Ed');
}

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

function day(date: string): string {
  return new Date(date).toISOString().slice(0, 10);
}

/** Node has one attribute a line, the most general first. */
function nameText(name: string): string {
  return name.split('\n').reverse().join(', ');
}

function commonName(name: string): string {
  const lines = name.split('\n');
  const found = lines.findLast((line) => line.startsWith('CN='));
  return found?.slice('CN='.length) ?? nameText(name);
}
