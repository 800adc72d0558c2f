import type { X509Certificate } from 'node:crypto';
import { printName } from '../names';

/** Subject and issuer by RFC 4514. (Node prints them line by line, in the order of the certificate.) */
export function certificateNames(certificate: Pick<X509Certificate, 'raw'>): {
  readonly subject: string;
  readonly issuer: string;
} {
  const [subject, issuer] = nameFields(certificate.raw).map(printName);
  return { subject: subject ?? '', issuer: issuer ?? '' };
}

const VERSION = 0xa0;

/** Subject and issuer in DER (RFC 5280, section 4.1). */
function nameFields(certificate: Buffer): Buffer[] {
  const signed = contents(contents(certificate, 0).bytes, 0).bytes;
  const fields: Buffer[] = [];
  for (let at = signed[0] === VERSION ? contents(signed, 0).end : 0; fields.length < 5; ) {
    const { end } = contents(signed, at);
    fields.push(signed.subarray(at, end));
    at = end;
  }
  // serialNumber, signature, issuer, validity, subject
  return [fields[4], fields[2]].filter((field) => field !== undefined);
}

/** Of the DER element that begins there. OpenSSL has parsed it before. */
function contents(der: Buffer, at: number): { bytes: Buffer; end: number } {
  const first = der[at + 1] ?? 0;
  const size = first < 0x80 ? 0 : first & 0x7f;
  const length = size === 0 ? first : der.readUIntBE(at + 2, size);
  const start = at + 2 + size;
  return { bytes: der.subarray(start, start + length), end: start + length };
}
