/** The usual mistakes of those who write a signer, and that each is named. */
import {
  constants,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateEncrypt,
  sign,
} from 'node:crypto';
import type { SignatureScheme } from '../../lib/index';
import { explainWrongSignature } from '../../lib/wrong-signature';
import { signWith } from '../support/signers';

const pem = ({ privateKey }: { privateKey: KeyObject }) =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
const rsa = pem(generateKeyPairSync('rsa', { modulusLength: 2048 }));
const p256 = pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }));
const p384 = pem(generateKeyPairSync('ec', { namedCurve: 'P-384' }));
const brainpool = pem(generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }));
const ed25519 = pem(generateKeyPairSync('ed25519'));
const ed448 = pem(generateKeyPairSync('ed448'));
const other = pem(generateKeyPairSync('rsa', { modulusLength: 2048 }));

const data = Buffer.from('what is signed');
const hashed = (name: string) => createHash(name).update(data).digest();
const raw = (key: string, hash: string) => sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
const text = (encoding: BufferEncoding, key: string) =>
  Buffer.from(sign('sha256', data, key).toString(encoding));
const salted = (saltLength: number) =>
  sign('sha256', data, { key: rsa, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });

type Case = [string, SignatureScheme, string, Uint8Array, RegExp];
const PSS = 'rsa_pss_rsae_sha256';
const PKCS1 = 'rsa_pkcs1_sha256';
const ECDSA = 'ecdsa_secp256r1_sha256';

test.each<Case>([
  ['nothing', PSS, rsa, Buffer.alloc(0), /^It is empty/],
  ['base64', PKCS1, rsa, text('base64', rsa), /text: base64/],
  ['base64url', ECDSA, p256, text('base64url', p256), /text: base64/],
  ['hexadecimal', ECDSA, p256, text('hex', p256), /text: base64 or hex/],
  ['base64 and a line feed', PKCS1, rsa, Buffer.from(`${text('base64', rsa)}\n`), /text/],
  ['too short (RSA)', PSS, rsa, Buffer.alloc(255, 1), /has 255 bytes.* has 256/],
  ['too long (Ed25519)', 'ed25519', ed25519, Buffer.alloc(65, 1), /has 65 bytes.* has 64/],
  ['too short (Ed448)', 'ed448', ed448, Buffer.alloc(64, 1), /has 64 bytes.* has 114/],
  ['r and s, P-256', ECDSA, p256, raw(p256, 'sha256'), /r and s side by side.*encodeEcdsa/],
  ['r and s, P-384', 'ecdsa_secp384r1_sha384', p384, raw(p384, 'sha384'), /r and s side by side/],
  ['r and s, another curve', ECDSA, brainpool, raw(brainpool, 'sha256'), /not in DER.*r and s/],
  ['DER and a byte', ECDSA, p256, Buffer.concat([sign('sha256', data, p256), data]), /not in DER/],
  [
    'a hash of the hash (RSA)',
    PSS,
    rsa,
    signWith(rsa, hashed('sha256'), PSS),
    /hash of the hash: the signer/,
  ],
  [
    'a hash of the hash (ECDSA)',
    ECDSA,
    p256,
    sign('sha256', hashed('sha256'), p256),
    /hash of the hash/,
  ],
  [
    'a prehash (Ed25519)',
    'ed25519',
    ed25519,
    sign(null, hashed('sha512'), ed25519),
    /of the sha512 of/,
  ],
  [
    'another hash (ECDSA)',
    ECDSA,
    p256,
    sign('sha384', data, p256),
    /with sha384 in place of sha256/,
  ],
  ['another hash (RSA)', PKCS1, rsa, sign('sha1', data, rsa), /with sha1 in place of sha256/],
  ['v1.5 for PSS', PSS, rsa, signWith(rsa, data, PKCS1), /of PKCS#1 v1\.5 in place of PSS/],
  ['PSS for v1.5', PKCS1, rsa, signWith(rsa, data, PSS), /of PSS in place of PKCS#1 v1\.5/],
  ['PSS without salt', PSS, rsa, salted(0), /salt has to be as long/],
  ['PSS with the longest salt', PSS, rsa, salted(constants.RSA_PSS_SALTLEN_MAX_SIGN), /salt/],
  [
    'no DigestInfo',
    PKCS1,
    rsa,
    privateEncrypt({ key: rsa, padding: constants.RSA_PKCS1_PADDING }, hashed('sha256')),
    /without its DigestInfo/,
  ],
  ["another key's", PSS, rsa, signWith(other, data, PSS), /^Does the signer use the key/],
  ['of other data', 'ed25519', ed25519, sign(null, hashed('md5'), ed25519), /^Does the signer/],
])('%s', (_what, scheme, key, signature, says) => {
  const publicKey = createPublicKey(key);
  expect(explainWrongSignature({ signature, scheme, data, publicKey })).toMatch(says);
});

test('bytes that only look like DER are gone through, whatever is in them', () => {
  const publicKey = createPublicKey(p256);
  for (const signature of [Buffer.of(0x30), Buffer.of(0x30, 0), Buffer.of(0x30, 0x81, 1, 0)]) {
    expect(explainWrongSignature({ signature, scheme: ECDSA, data, publicKey })).not.toBe('');
  }
});
