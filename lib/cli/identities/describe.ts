/**
 * What people want to know of a certificate, in few words.
 */
import type { X509Certificate } from 'node:crypto';

/** What tells whose it is; the whole name where there is no CN. Node has one attribute a line. */
export function commonName(name: string): string {
  const found = name.split('\n').findLast((line) => line.startsWith('CN='));
  return found?.slice('CN='.length) ?? name.split('\n').reverse().join(',');
}

export type Validity = 'valid' | 'expired' | 'not-yet-valid';

export function validityOf({ validFrom, validTo }: X509Certificate, now = Date.now()): Validity {
  if (now < Date.parse(validFrom)) return 'not-yet-valid';
  return now > Date.parse(validTo) ? 'expired' : 'valid';
}

/** `2027-03-01`, in UTC. */
export function dayOf(date: string): string {
  return new Date(date).toISOString().slice(0, 10);
}
