/** What a key is asked for under a scheme; the encodings are verified by OpenSSL. */
import {
  constants,
  generateKeyPairSync,
  type KeyObject,
  privateEncrypt,
  verify,
  X509Certificate,
} from 'node:crypto';
import type { SignatureScheme } from '../../lib/signature-schemes';
import { CKM } from '../../lib/signers/pkcs11/constants';
import { finished, schemesOf, variantsOf } from '../../lib/signers/pkcs11/schemes';
import { loadPki } from '../support/pki';

const EVERY = Object.values(CKM);
const data = Buffer.from('to be signed');
const publicKeyOf = (kind: 'rsa' | 'rsa-pss') =>
  new X509Certificate(loadPki().clients[kind].cert).publicKey;

/** Sizes whose encoding is shorter than the modulus, or leaves bits free, are among them. */
test.each([1024, 1025, 1031, 2048, 2049])('raw RSA by %i bits', (modulusLength) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength });
  const schemes = schemesOf(publicKey, [CKM.rsaX509], undefined);
  expect(schemes.includes('rsa_pss_rsae_sha512')).toBe(modulusLength > 1040);
  for (const scheme of schemes) {
    const variants = variantsOf(publicKey, scheme, data);
    const raw = variants.find(({ mechanism }) => mechanism === CKM.rsaX509);
    const key = { key: privateKey, padding: constants.RSA_NO_PADDING };
    const signature = privateEncrypt(key, raw?.data ?? data);
    const hash = /sha\d+$/.exec(scheme)?.[0] ?? '';
    const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: -1 };
    const how = { key: publicKey, ...(scheme.includes('pss') && padding) };
    expect({ scheme, good: verify(hash, data, how, signature) }).toEqual({ scheme, good: true });
  }
});

test('a key for PSS alone', () => {
  const all = ['rsa_pss_pss_sha256', 'rsa_pss_pss_sha384', 'rsa_pss_pss_sha512'];
  expect(schemesOf(publicKeyOf('rsa-pss'), EVERY, undefined)).toEqual(all);
  const { publicKey } = generateKeyPairSync('rsa-pss', {
    modulusLength: 1024,
    hashAlgorithm: 'sha256',
    mgf1HashAlgorithm: 'sha256',
  });
  expect(schemesOf(publicKey, EVERY, undefined)).toEqual(['rsa_pss_pss_sha256']);
});

test("the token's mechanisms and the key's have to agree", () => {
  const rsa = publicKeyOf('rsa');
  const schemes = (mechanisms: number[], allowed?: number[]) => schemesOf(rsa, mechanisms, allowed);
  expect(schemes(EVERY, [CKM.rsaPkcs]).every((name) => name.startsWith('rsa_pkcs1'))).toBe(true);
  expect(schemes([CKM.rsaPkcs], [CKM.rsaPkcsPss])).toEqual([]);
  expect(schemes([CKM.ecdsa, CKM.eddsa])).toEqual([]);
});

test.each([
  ['brainpoolP256r1', 'ecdsa_brainpoolP256r1tls13_sha256'],
  ['brainpoolP384r1', 'ecdsa_brainpoolP384r1tls13_sha384'],
  ['brainpoolP512r1', 'ecdsa_brainpoolP512r1tls13_sha512'],
  ['prime256v1', undefined],
])('%s goes with %s alone of those for Brainpool', (namedCurve, scheme) => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve });
  const brainpool = schemesOf(publicKey, EVERY, undefined).filter((name) => name.includes('brain'));
  expect(brainpool).toEqual(scheme === undefined ? [] : [scheme]);
});

test('a hash that is longer than the curve is cut', () => {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const size = (scheme: SignatureScheme) => variantsOf(publicKey, scheme, data)[0]?.data.length;
  expect(size('ecdsa_secp521r1_sha512')).toBe(32);
  expect(size('ecdsa_sha1')).toBe(20);
});

test('zeros that a token leaves out at the front come back', () => {
  const key: KeyObject = publicKeyOf('rsa');
  const signature = finished(key, CKM.rsaPkcs, Uint8Array.of(1, 2, 3));
  expect(signature).toHaveLength(256);
  expect([...signature.subarray(-4)]).toEqual([0, 1, 2, 3]);
});
