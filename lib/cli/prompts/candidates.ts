/** The identities at hand beside what a server asks for, as they are put before a person. */
import type { X509Certificate } from 'node:crypto';
import type { CertificateRequest } from '../../certificate-request';
import type { Credential } from '../../credential';
import { messageOf } from '../../errors';
import { type Reason, reasonsAgainst } from '../../select/reasons';
import { certificateNames } from '../certificate-names';
import type { Identity } from '../identities';
import { commonName, dayOf, validityOf } from '../identities/describe';
import { keyName } from '../probe/facts';

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
    `until ${dayOf(certificate.validTo)}`,
    keyName(certificate),
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
  const { subject, issuer } = certificateNames(certificate);
  return [
    ['Subject', subject],
    ['Issuer', issuer],
    ['Valid', validityText(certificate, now)],
    ['Type', keyName(certificate)],
    key,
  ];
}

const NEEDS = {
  nothing: undefined,
  passphrase: 'needs its passphrase',
  pin: 'needs the PIN',
  'pin-pad': 'needs the PIN, at the reader',
} as const;

function validityText(certificate: X509Certificate, now: number): string {
  const { validFrom, validTo } = certificate;
  switch (validityOf(certificate, now)) {
    case 'unreadable':
      return `unreadable: ${dayOf(validFrom)} to ${dayOf(validTo)}`;
    case 'not-yet-valid':
      return `not before ${dayOf(validFrom)}`;
    case 'expired':
      return `expired on ${dayOf(validTo)}`;
    case 'valid': {
      const days = Math.floor((Date.parse(validTo) - now) / 86_400_000);
      return `until ${dayOf(validTo)} (${days === 1 ? '1 day' : `${days} days`})`;
    }
  }
}
