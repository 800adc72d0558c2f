/**
 * What people want to know of a certificate, in few words.
 */
import type { X509Certificate } from 'node:crypto';

/**
 * The attributes of a name as Node has it: the most specific first, each as `CN=alice`. Node has one a line, and
 * for an empty one nothing, or up to version 22 undefined.
 */
export function attributesOf(name: string | undefined): string[] {
  return (name ?? '').split('\n').reverse();
}

/** What tells whose it is; the whole name where there is no CN. */
export function commonName(name: string | undefined): string {
  const attributes = attributesOf(name);
  // An entry may have several of them, with " + " in between.
  const found = attributes.flatMap((one) => one.split(' + ')).find((one) => one.startsWith('CN='));
  return found?.slice('CN='.length) ?? (attributes.join(',') || '(no name)');
}

/** Who is meant, as short as it can be said. */
export function holderOf({ subject, subjectAltName }: X509Certificate): string {
  // Without a subject, the other names say it (RFC 5280, section 4.2.1.6).
  return subject ? commonName(subject) : (subjectAltName ?? '(no name)');
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
