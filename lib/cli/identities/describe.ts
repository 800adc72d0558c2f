/**
 * What people want to know of a certificate, in few words.
 */
import type { X509Certificate } from 'node:crypto';

/** By RFC 4514, as the rest of this package has it. Node has one attribute a line, the most general first. */
export function nameText(name: string): string {
  return name.split('\n').reverse().join(',');
}

/** What tells whose it is; the whole name where there is no CN. */
export function commonName(name: string): string {
  const found = name.split('\n').findLast((line) => line.startsWith('CN='));
  return found?.slice('CN='.length) ?? nameText(name);
}

/** As people know it: `RSA 2048`, `EC P-256`, `Ed25519`. */
export function keyText({ publicKey }: X509Certificate): string {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details } = publicKey;
  if (type === 'rsa' || type === 'rsa-pss' || type === 'dsa') {
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

export type Validity = 'valid' | 'expired' | 'not-yet-valid';

export function validityOf({ validFrom, validTo }: X509Certificate, now = Date.now()): Validity {
  if (now < Date.parse(validFrom)) return 'not-yet-valid';
  return now > Date.parse(validTo) ? 'expired' : 'valid';
}

/** `2027-03-01`, in UTC. */
export function dayOf(date: string): string {
  return new Date(date).toISOString().slice(0, 10);
}
