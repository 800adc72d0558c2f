/** The key usage of certificates that openssl made, and of DER that is none. */
import { X509Certificate } from 'node:crypto';
import { keyUsage } from '../../lib/select/key-usage';
import { Issuer } from '../support/issue';
import { loadPki } from '../support/pki';

const pki = loadPki();
const raw = (pem: string) => new X509Certificate(pem).raw;
const ALL =
  'digitalSignature, nonRepudiation, keyEncipherment, dataEncipherment, keyAgreement, keyCertSign, cRLSign, encipherOnly, decipherOnly';

let issuer: Issuer;
beforeAll(async () => {
  issuer = await Issuer.create();
});
afterAll(() => issuer.remove());

test.each([
  ['digital-signature', ['keyUsage = digitalSignature'], ['digitalSignature']],
  ['key-encipherment', ['keyUsage = critical, keyEncipherment'], ['keyEncipherment']],
  ['last-bit', ['keyUsage = decipherOnly'], ['decipherOnly']],
  ['all', [`keyUsage = critical, ${ALL}`], ALL.split(', ')],
  [
    'behind-others',
    ['basicConstraints = CA:FALSE', 'extendedKeyUsage = clientAuth', 'keyUsage = cRLSign'],
    ['cRLSign'],
  ],
  ['no-such-extension', ['extendedKeyUsage = clientAuth'], undefined],
])('openssl made: %s', async (name, extensions, usages) => {
  const { cert } = await issuer.issue({ name, extensions, issuer: pki.clientCaA });
  expect(keyUsage(raw(cert))).toEqual(usages);
});

test('that of the PKI, and its authorities', () => {
  expect(keyUsage(raw(pki.clients.ec256.cert))).toEqual(['digitalSignature']);
  expect(keyUsage(raw(pki.clientCaA.cert))).toEqual(['keyCertSign', 'cRLSign']);
});

/** DER of one element; the length in its shortest form. */
function der(tag: number, ...content: (readonly number[])[]): number[] {
  const bytes = content.flat();
  if (bytes.length < 0x80) return [tag, bytes.length, ...bytes];
  return [tag, 0x82, bytes.length >> 8, bytes.length & 0xff, ...bytes];
}

const OID = [0x55, 0x1d, 0x0f];
const KEY_USAGE = der(0x06, OID);
/** As much of a certificate as is looked at, with this in its extensions. */
const certificate = (...extensions: number[][]) =>
  Uint8Array.from(der(0x30, der(0x30, der(0x02, [1]), der(0xa3, der(0x30, ...extensions)))));
const withBits = (...bits: number[]) =>
  certificate(der(0x30, KEY_USAGE, der(0x04, der(0x03, bits))));

test('bits by hand', () => {
  expect(keyUsage(withBits(7, 0x80))).toEqual(['digitalSignature']);
  expect(keyUsage(withBits(7, 0x00, 0x80))).toEqual(['decipherOnly']);
  expect(keyUsage(withBits(0))).toEqual([]);
  const unknown = der(0x30, der(0x06, [0x2a, 0x03]), der(0x04, [0x05, 0x00]));
  const critical = der(0x30, KEY_USAGE, der(0x01, [0xff]), der(0x04, der(0x03, [6, 0x40])));
  expect(keyUsage(certificate(unknown, critical))).toEqual(['nonRepudiation']);
  expect(keyUsage(certificate(unknown))).toBeUndefined();
});

test.each<[string, Uint8Array]>([
  ['nothing', new Uint8Array()],
  ['something else', Uint8Array.of(0x02, 0x01, 0x00)],
  ['a certificate of nothing', Uint8Array.of(0x30, 0x00)],
  ['bytes behind the end', Uint8Array.of(...withBits(7, 0x80), 0)],
  ['a second element behind the end', Uint8Array.of(...withBits(7, 0x80), 0x05, 0x00)],
  ['an indefinite length', Uint8Array.of(0x30, 0x80, 0x30, 0x00, 0x00, 0x00)],
  ['a length in a long form', Uint8Array.of(0x30, 0x81, 0x02, 0x30, 0x00)],
  [
    'a length with a zero before it',
    Uint8Array.from([0x30, 0x82, 0x00, 0x80, 0x30, 0x7e, 0x04, 0x7c, ...Array(0x7c).fill(0)]),
  ],
  ['a length beyond the end', Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x30, 0x00)],
  ['a length of many bytes', Uint8Array.from([0x30, 0xff, ...Array(0x100).fill(0xff)])],
  ['a long tag', Uint8Array.from(der(0x30, der(0x30, der(0x1f, [0]))))],
  [
    'an extension with something else for its identifier',
    certificate(der(0x30, der(0x05, OID), der(0x04, der(0x03, [7, 0x80])))),
  ],
  ['an extension of nothing', certificate(der(0x30))],
  ['an extension without a value', certificate(der(0x30, KEY_USAGE))],
  ['an extension with no octets', certificate(der(0x30, KEY_USAGE, der(0x03, [7, 0x80])))],
  [
    'an extension of two values',
    certificate(der(0x30, KEY_USAGE, der(0x04, der(0x03, [7, 0x80])), der(0x04, [0]))),
  ],
  ['no bit string', certificate(der(0x30, KEY_USAGE, der(0x04, der(0x02, [1]))))],
  ['a bit string of nothing', withBits()],
  ['eight unused bits', withBits(8, 0x80)],
  ['unused bits of no byte', withBits(1)],
])('is no certificate: %s', (_what, bytes) => {
  expect(() => keyUsage(bytes)).toThrow(
    expect.objectContaining({
      code: 'ERR_CREDENTIAL_INVALID',
      reason: 'certificate-malformed',
      message: expect.stringContaining('Have it issued anew'),
    }),
  );
});

test('one cut short anywhere is told, and nothing else happens', () => {
  const whole = raw(pki.clients.ec256.cert);
  for (let length = 0; length < whole.length; length++) {
    expect(() => keyUsage(whole.subarray(0, length))).toThrow(/not encoded as RFC 5280/);
  }
});
