/** ECDSA signatures: from r and s side by side to DER, as OpenSSL takes it. */
import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { TLSClientCertError } from '../../lib/index';
import { encodeEcdsaSignature } from '../../lib/signers/ecdsa';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

test.each(['prime256v1', 'secp384r1', 'secp521r1'])('OpenSSL takes it: %s', (namedCurve) => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve });
  // Often enough that r or s begins with zeros, and with a bit that reads as a sign.
  for (let i = 0; i < 100; i += 1) {
    const data = Buffer.from(`message ${i}`);
    const raw = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
    expect(verify('sha256', data, publicKey, encodeEcdsaSignature(raw))).toBe(true);
  }
});

test.each([
  ['short numbers', '01 02', '30 06 02 01 01 02 01 02'],
  ['leading zeros go', '0000 01  0000 7f', '30 06 02 01 01 02 01 7f'],
  ['a top bit gets a zero', '80 ff', '30 08 02 02 0080 02 02 00ff'],
  ['a zero within stays', '0100 0080', '30 08 02 02 0100 02 02 0080'],
  ['nothing but zeros', '0000 0000', '30 06 02 01 00 02 01 00'],
])('the shortest form: %s', (_what, raw, der) => {
  expect(Buffer.from(encodeEcdsaSignature(hex(raw)))).toEqual(hex(der));
});

test('a long length: two numbers of P-521', () => {
  const der = encodeEcdsaSignature(Buffer.alloc(132, 0x55));
  expect(Buffer.from(der.subarray(0, 6))).toEqual(hex('30 8188 02 42 55'));
  expect(der).toHaveLength(3 + 2 * 68);
});

test.each([0, 1, 63])('%i bytes are no signature', (size) => {
  const encode = () => encodeEcdsaSignature(new Uint8Array(size));
  expect(encode).toThrow(TLSClientCertError);
  expect(encode).toThrow(
    expect.objectContaining({ code: 'ERR_SIGNATURE_INVALID', reason: 'ecdsa-signature-length' }),
  );
});

test.each(['prime256v1', 'secp384r1', 'secp521r1'])(
  'DER is not encoded again: %s',
  (namedCurve) => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve });
    let even = 0;
    for (let i = 0; i < 40; i += 1) {
      const der = sign('sha256', Buffer.from(`message ${i}`), privateKey);
      if (der.length % 2 !== 0) continue;
      even += 1;
      expect(() => encodeEcdsaSignature(der)).toThrow(
        expect.objectContaining({
          code: 'ERR_SIGNATURE_INVALID',
          reason: 'ecdsa-signature-encoded',
        }),
      );
    }
    expect(even).toBeGreaterThan(0);
  },
);

test.each([
  ['P-256, brainpoolP256r1', 64, [0x30, 62]],
  ['P-384, brainpoolP384r1', 96, [0x30, 94]],
  ['brainpoolP512r1', 128, [0x30, 126]],
  ['P-521', 132, [0x30, 0x81, 129]],
])('r and s that begin as DER does are r and s: %s', (_curves, size, start) => {
  const raw = Buffer.alloc(size, 1);
  raw.set(start);
  const numbers = 2 * (2 + size / 2);
  expect(encodeEcdsaSignature(raw)).toHaveLength((numbers < 0x80 ? 2 : 3) + numbers);
});
