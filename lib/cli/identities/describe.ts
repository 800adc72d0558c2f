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

/** `'unreadable'`: its beginning or its end is no date. */
export type Validity = 'valid' | 'expired' | 'not-yet-valid' | 'unreadable';

export function validityOf({ validFrom, validTo }: X509Certificate, now = Date.now()): Validity {
  const [from, to] = [Date.parse(validFrom), Date.parse(validTo)];
  if (Number.isNaN(from) || Number.isNaN(to)) return 'unreadable';
  if (now < from) return 'not-yet-valid';
  return now > to ? 'expired' : 'valid';
}

/** ISO 8601. OpenSSL looks into a date only when it compares it, so that there may be anything: then it is `null`. */
export function timeOf(date: string): string | null {
  const time = new Date(date);
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}

/** `2027-03-01`, in UTC. */
export function dayOf(date: string): string {
  return timeOf(date)?.slice(0, 10) ?? NO_DATE;
}

/** What stands in the place of a date that is none. */
export const NO_DATE = 'no date';
