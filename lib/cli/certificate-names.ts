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

/** Subject and issuer (RFC 5280, section 4.1), encoded as they are there. */
function nameFields(certificate: Buffer): Buffer[] {
  const body = headerAt(certificate, 0).start;
  const first = headerAt(certificate, body).start;
  const fields: Buffer[] = [];
  let at = certificate[first] === VERSION ? endOf(certificate, first) : first;
  while (fields.length < 5) {
    const end = endOf(certificate, at);
    fields.push(certificate.subarray(at, end));
    at = end;
  }
  // serialNumber, signature, issuer, validity, subject
  return [fields[4], fields[2]].filter((field) => field !== undefined);
}

/** Behind the element that begins there. One without a length lasts until the end of contents of its own. */
function endOf(bytes: Buffer, at: number): number {
  let position = at;
  let open = 0;
  do {
    const { start, length } = headerAt(bytes, position);
    if (length === undefined) open++;
    // Nothing else begins with 0. Behind the end of all there are only these, so that it ends in any case.
    else if (open > 0 && (bytes[position] ?? 0) === 0) open--;
    position = start + (length ?? 0);
  } while (open > 0);
  return position;
}

const LONG_TAG = 0x1f;
const INDEFINITE = 0x80;

/**
 * Where the contents begin, and how long they are, if that is said. OpenSSL has parsed it before, and takes BER (X.690,
 * section 8.1) of a certificate: lengths of more digits than they need, or none at all.
 */
function headerAt(bytes: Buffer, at: number): { start: number; length: number | undefined } {
  let start = at + 1;
  if (((bytes[at] ?? 0) & LONG_TAG) === LONG_TAG) {
    while ((bytes[start] ?? 0) >= 0x80) start++;
    start++;
  }
  const first = bytes[start++] ?? 0;
  if (first === INDEFINITE) return { start, length: undefined };
  if (first < INDEFINITE) return { start, length: first };
  let length = 0;
  for (const end = start + (first & 0x7f); start < end; start++) {
    length = length * 256 + (bytes[start] ?? 0);
  }
  return { start, length };
}
