/**
 * What a certificate allows its key to be used for. `node:crypto` shows the extended key usage alone
 * (and calls it `keyUsage`), so this walks the DER to the one extension that is missing there.
 */
import { TLSClientCertError } from '../errors';

/** The bits in their order (RFC 5280, section 4.2.1.3). */
const KEY_USAGES = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;

/** A key usage by its name in RFC 5280. */
export type KeyUsage = (typeof KEY_USAGES)[number];

/** id-ce-keyUsage, 2.5.29.15, without tag and length. */
const KEY_USAGE = Uint8Array.of(0x55, 0x1d, 0x0f);

const BOOLEAN = 0x01;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const SEQUENCE = 0x30;
/** `extensions [3]` of a TBSCertificate (RFC 5280, section 4.1). */
const EXTENSIONS = 0xa3;

/**
 * The key usage of a certificate; undefined when it has no such extension, and may be used for
 * anything.
 *
 * @param certificate - In DER.
 * @throws {@link TLSClientCertError} `ERR_CREDENTIAL_INVALID`: it is no DER of a certificate.
 * @see RFC 5280, section 4.2.1.3
 */
export function keyUsage(certificate: Uint8Array): readonly KeyUsage[] | undefined {
  const body = only(only(certificate, SEQUENCE, true), SEQUENCE, false);
  const extensions = elements(body).find(({ tag }) => tag === EXTENSIONS);
  if (extensions === undefined) return undefined;
  for (const { content } of elements(only(extensions.content, SEQUENCE, true))) {
    const [id, ...rest] = elements(content);
    if (id?.tag !== OBJECT_IDENTIFIER) throw malformed('an extension without its identifier');
    if (Buffer.compare(id.content, KEY_USAGE) !== 0) continue;
    const [value, ...more] = rest[0]?.tag === BOOLEAN ? rest.slice(1) : rest;
    if (value?.tag !== OCTET_STRING || more.length > 0) throw malformed('an extension of no value');
    return usagesOf(only(value.content, BIT_STRING, true));
  }
  return undefined;
}

function usagesOf(bits: Uint8Array): KeyUsage[] {
  const unused = bits[0];
  if (unused === undefined || unused > 7 || (bits.length === 1 && unused > 0)) {
    throw malformed('a bit string of impossible length');
  }
  return KEY_USAGES.filter((_, i) => ((bits[1 + (i >> 3)] ?? 0) & (0x80 >> (i & 7))) !== 0);
}

interface Element {
  readonly tag: number;
  readonly content: Uint8Array;
}

/** The content of the first element, which must have this tag, and be the last if it is `alone`. */
function only(bytes: Uint8Array, tag: number, alone: boolean): Uint8Array {
  const [first, ...rest] = elements(bytes);
  if (first?.tag !== tag) throw malformed(`no tag ${tag} where one has to be`);
  if (alone && rest.length > 0) throw malformed('bytes behind the end');
  return first.content;
}

/** All elements that stand side by side in `bytes` (X.690, section 8.1, with the lengths of 10.1). */
function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  let position = 0;
  const next = () => {
    const byte = bytes[position++];
    if (byte === undefined) throw malformed('an element that is cut short');
    return byte;
  };
  while (position < bytes.length) {
    const tag = next();
    if ((tag & 0x1f) === 0x1f) throw malformed('a tag of several bytes');
    let length = next();
    if (length >= 0x80) {
      const digits = length - 0x80;
      length = 0;
      for (let i = 0; i < digits; i++) length = length * 256 + next();
      if (length < 0x80 || length < 256 ** (digits - 1))
        throw malformed('a length in another than the shortest form');
    }
    if (length > bytes.length - position) throw malformed('an element that is cut short');
    found.push({ tag, content: bytes.subarray(position, position + length) });
    position += length;
  }
  return found;
}

function malformed(what: string): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_CREDENTIAL_INVALID',
    `The certificate is not encoded as RFC 5280 has it, so that its key usage cannot be read: it has ${what}. Have it issued anew.`,
    { reason: 'certificate-malformed' },
  );
}
