/**
 * ECDSA signatures as TLS carries them. PKCS#11 and WebCrypto return r and s side by side.
 */
import { TLSClientCertError } from '../errors';

/** Of r and s on TLS's curves: P-256, P-384 and P-521, and the brainpool curves of 256, 384 and 512 bits. */
const SIZES = new Set([64, 96, 128, 132]);

/**
 * The DER of an `ECDSA-Sig-Value` (RFC 3279, section 2.2.3), as it stands in CertificateVerify
 * (RFC 8446, section 4.2.3).
 *
 * @param raw - r and s as unsigned big-endian numbers of equal length, r first: what `CKM_ECDSA`
 *   (PKCS#11 v2.40 Current Mechanisms, section 2.3.1) and WebCrypto return.
 * @throws {@link TLSClientCertError} `ERR_SIGNATURE_INVALID`: the length is odd, or none, or `raw` is
 *   in DER already.
 */
export function encodeEcdsaSignature(raw: Uint8Array): Uint8Array {
  if (!SIZES.has(raw.length) && isSequence(raw)) {
    throw new TLSClientCertError(
      'ERR_SIGNATURE_INVALID',
      'This ECDSA signature is in DER already: return it from sign() as it is.',
      { input: 'raw', reason: 'ecdsa-signature-encoded' },
    );
  }
  if (raw.length === 0 || raw.length % 2 !== 0) {
    throw new TLSClientCertError(
      'ERR_SIGNATURE_INVALID',
      `An ECDSA signature is r and s, of equal length; this one has ${raw.length} bytes. ` +
        'Pass what the key returned, unchanged.',
      { input: 'raw', reason: 'ecdsa-signature-length' },
    );
  }
  const half = raw.length / 2;
  const content = [...integer(raw.subarray(0, half)), ...integer(raw.subarray(half))];
  return Uint8Array.from([0x30, ...length(content.length), ...content]);
}

/** A DER INTEGER: the shortest form (X.690, section 8.3.2). */
function integer(unsigned: Uint8Array): number[] {
  let start = 0;
  while (start < unsigned.length - 1 && unsigned[start] === 0) start += 1;
  const digits = [...unsigned.subarray(start)];
  // Without it, the number would be negative.
  if ((digits[0] as number) >= 0x80) digits.unshift(0);
  return [0x02, ...length(digits.length), ...digits];
}

/** A DER length (X.690, section 10.1). */
function length(bytes: number): number[] {
  if (bytes < 0x80) return [bytes];
  const digits: number[] = [];
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return [0x80 + digits.length, ...digits];
}

/** Whether it is one SEQUENCE in DER, and nothing behind it. */
export function isSequence(bytes: Uint8Array): boolean {
  // Of the three forms of length that ECDSA signatures need: X.690, section 8.1.3.
  const [tag, length = 0, next = 0] = bytes;
  if (tag !== 0x30) return false;
  return length < 0x80 ? bytes.length === 2 + length : length === 0x81 && bytes.length === 3 + next;
}
