/** Keys of the Web Crypto API, none of them extractable, sign for the certificates that they belong to. */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  subtle,
  verify,
  type webcrypto,
} from 'node:crypto';
import { inspect } from 'node:util';
import { Credential } from '../../lib/index';
import type { SignatureScheme } from '../../lib/signature-schemes';
import { webCryptoSigner } from '../../lib/signers/webcrypto';
import { dial, expectIdentity, failure, hangUp, secured, withSServer } from '../support/client';
import { openssl } from '../support/openssl';
import { type ClientKind, loadPki } from '../support/pki';

const pki = loadPki();
const required = { requestCert: 'required', clientCa: pki.clientCasPath } as const;
const { signal } = new AbortController();

type ImportAlgorithm = Parameters<typeof subtle.importKey>[2];

/** A client's private key, not extractable, for signing alone. */
async function imported(kind: ClientKind, algorithm: ImportAlgorithm) {
  const { key, keyPath } = pki.clients[kind];
  // Web Crypto takes the key of an RSASSA-PSS certificate only when it is called a plain RSA key.
  const pem =
    kind === 'rsa-pss'
      ? (await openssl(['rsa', '-in', keyPath, '-traditional'], pki.dir)).replaceAll('-PSS', '')
      : key;
  const pkcs8 = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign']);
}

const rsa = (name: string, bits: number) => ({ name, hash: `SHA-${bits}` });
const ec = (bits: number) => ({ name: 'ECDSA', namedCurve: `P-${bits}` });
const PKCS1 = 'RSASSA-PKCS1-v1_5';
const ECDSA_SCHEMES = [
  'ecdsa_secp256r1_sha256',
  'ecdsa_secp384r1_sha384',
  'ecdsa_secp521r1_sha512',
] as const;

const KEYS: [ClientKind, ImportAlgorithm, readonly SignatureScheme[]][] = [
  ['rsa', rsa(PKCS1, 256), ['rsa_pkcs1_sha256']],
  ['rsa', rsa(PKCS1, 384), ['rsa_pkcs1_sha384']],
  ['rsa', rsa(PKCS1, 512), ['rsa_pkcs1_sha512']],
  ['rsa', rsa('RSA-PSS', 256), ['rsa_pss_rsae_sha256', 'rsa_pss_pss_sha256']],
  ['rsa', rsa('RSA-PSS', 384), ['rsa_pss_rsae_sha384', 'rsa_pss_pss_sha384']],
  ['rsa', rsa('RSA-PSS', 512), ['rsa_pss_rsae_sha512', 'rsa_pss_pss_sha512']],
  ['rsa-pss', rsa('RSA-PSS', 256), ['rsa_pss_rsae_sha256', 'rsa_pss_pss_sha256']],
  ['ec256', ec(256), ECDSA_SCHEMES],
  ['ec384', ec(384), ECDSA_SCHEMES],
  ['ec521', ec(521), ECDSA_SCHEMES],
  ['ed25519', { name: 'Ed25519' }, ['ed25519']],
  ['ed448', { name: 'Ed448' }, ['ed448']],
];

/** Whether it is what TLS asks for: the hash and padding of the scheme, salt as long as the hash, DER. */
function verified(scheme: string, data: Uint8Array, key: KeyObject, signature: Uint8Array) {
  const hash = /sha\d+$/.exec(scheme)?.[0];
  if (!scheme.startsWith('rsa')) return verify(hash, data, { key, dsaEncoding: 'der' }, signature);
  const pss = scheme.startsWith('rsa_pss');
  const padding = pss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  return verify(hash, data, pss ? { key, padding, saltLength } : { key, padding }, signature);
}

test.each(KEYS)('%s as %j declares what it can, and signs so', async (kind, algorithm, schemes) => {
  const signer = webCryptoSigner(await imported(kind, algorithm));
  expect(signer.schemes).toEqual(schemes);
  const key = createPublicKey(pki.clients[kind].cert);
  const data = Buffer.from('what the handshake was so far');
  for (const scheme of schemes) {
    const signature = await signer.sign(data, scheme, { signal });
    expect({ scheme, good: verified(scheme, data, key, signature) }).toEqual({
      scheme,
      good: true,
    });
    expect(verified(scheme, Buffer.from('something else'), key, signature)).toBe(false);
  }
});

test('any number of signatures at the same time', async () => {
  const signer = webCryptoSigner(await imported('ec256', ec(256)));
  const key = createPublicKey(pki.clients.ec256.cert);
  const all = Array.from({ length: 20 }, (_, i) => Buffer.from(`text ${i}`));
  const signatures = await Promise.all(
    all.map((data) => signer.sign(data, 'ecdsa_secp256r1_sha256', { signal })),
  );
  signatures.forEach((signature, i) => {
    expect(verified('ecdsa_secp256r1_sha256', all[i] as Buffer, key, signature)).toBe(true);
  });
});

describe('is refused', () => {
  const generate = async (algorithm: object, usages: webcrypto.KeyUsage[]) =>
    (await subtle.generateKey(algorithm as never, false, usages)) as webcrypto.CryptoKeyPair;
  const modulus = { modulusLength: 2048, publicExponent: Uint8Array.of(1, 0, 1) };

  test.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'a public key',
      async () => (await generate(ec(256), ['sign', 'verify'])).publicKey,
      /'key' must be a private key, not a public one/,
    ],
    [
      'a secret key',
      () => subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign']),
      /'key' must be a private key, not a secret one/,
    ],
    [
      'a key that is not for signatures',
      async () =>
        (await generate({ name: 'ECDH', namedCurve: 'P-256' }, ['deriveBits'])).privateKey,
      /'key' is for ECDH; TLS signs by/,
    ],
    [
      'a key that is bound to SHA-1',
      async () =>
        (await generate({ ...rsa('RSA-PSS', 1), ...modulus }, ['sign', 'verify'])).privateKey,
      /'key' is bound to SHA-1: generate or import it with SHA-256/,
    ],
  ])('%s', async (_what, make, sentence) => {
    const key = (await make()) as webcrypto.CryptoKey;
    expect(() => webCryptoSigner(key)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringMatching(sentence),
      }),
    );
  });

  test("a key without the usage 'sign'", async () => {
    const key = await imported('ec256', ec(256));
    // Web Crypto makes no private key without a usage; one of another maker may be.
    Object.defineProperty(key, 'usages', { value: [] });
    expect(() => webCryptoSigner(key)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining("lacks the usage 'sign'"),
      }),
    );
  });

  test.each([
    ['nothing', undefined],
    ['a KeyObject', createPrivateKey(pki.clients.ec256.key)],
    ['what looks like one', { type: 'private', usages: ['sign'], algorithm: { name: 'Ed25519' } }],
  ])('%s', (_what, key) => {
    expect(() => webCryptoSigner(key as never)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_TYPE',
        message: expect.stringContaining('The "key" argument must be an instance of CryptoKey'),
      }),
    );
  });

  test('a scheme that was not declared', async () => {
    const signer = webCryptoSigner(await imported('rsa', rsa('RSA-PSS', 256)));
    await expect(signer.sign(Buffer.of(1), 'rsa_pkcs1_sha256', { signal })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('rsa_pss_rsae_sha256, rsa_pss_pss_sha256'),
    });
  });
});

test('the signer shows nothing of the key', async () => {
  const extractable = await subtle.generateKey(ec(256), true, ['sign', 'verify']);
  const signer = webCryptoSigner(extractable.privateKey);
  const shown = inspect(signer, { depth: 9, showHidden: true, getters: true });
  expect(shown).not.toMatch(/CryptoKey|PRIVATE/);
});

/** What the server takes; what it sees is judged by the server, and by `expectIdentity`. */
const HANDSHAKES: [ClientKind, ImportAlgorithm, 'TLSv1.2' | 'TLSv1.3', string, SignatureScheme][] =
  [
    ['rsa', rsa(PKCS1, 256), 'TLSv1.2', 'RSA-PSS+SHA256:RSA+SHA256', 'rsa_pkcs1_sha256'],
    ['rsa', rsa(PKCS1, 384), 'TLSv1.2', 'RSA+SHA256:RSA+SHA384', 'rsa_pkcs1_sha384'],
    ['rsa', rsa('RSA-PSS', 256), 'TLSv1.2', 'RSA-PSS+SHA256:RSA+SHA256', 'rsa_pss_rsae_sha256'],
    ['rsa', rsa('RSA-PSS', 256), 'TLSv1.3', '', 'rsa_pss_rsae_sha256'],
    ['rsa', rsa('RSA-PSS', 512), 'TLSv1.3', '', 'rsa_pss_rsae_sha512'],
    ['rsa-pss', rsa('RSA-PSS', 256), 'TLSv1.2', '', 'rsa_pss_pss_sha256'],
    ['rsa-pss', rsa('RSA-PSS', 384), 'TLSv1.3', '', 'rsa_pss_pss_sha384'],
    ['ec256', ec(256), 'TLSv1.2', '', 'ecdsa_secp256r1_sha256'],
    ['ec256', ec(256), 'TLSv1.2', 'ECDSA+SHA512', 'ecdsa_secp521r1_sha512'],
    [
      'ec256',
      ec(256),
      'TLSv1.3',
      'ECDSA+SHA512:ECDSA+SHA384:ECDSA+SHA256',
      'ecdsa_secp256r1_sha256',
    ],
    ['ec384', ec(384), 'TLSv1.2', 'ECDSA+SHA256', 'ecdsa_secp256r1_sha256'],
    ['ec384', ec(384), 'TLSv1.3', '', 'ecdsa_secp384r1_sha384'],
    ['ec521', ec(521), 'TLSv1.3', '', 'ecdsa_secp521r1_sha512'],
    ['ed25519', { name: 'Ed25519' }, 'TLSv1.2', '', 'ed25519'],
    ['ed25519', { name: 'Ed25519' }, 'TLSv1.3', '', 'ed25519'],
    ['ed448', { name: 'Ed448' }, 'TLSv1.3', '', 'ed448'],
  ];

describe('handshakes', () => {
  test.each(HANDSHAKES)(
    '%s as %j on %s %s: %s',
    async (kind, algorithm, protocol, accepted, scheme) => {
      const key = webCryptoSigner(await imported(kind, algorithm));
      const credential = new Credential({ cert: pki.clients[kind].cert, key });
      const args = accepted === '' ? [] : ['-client_sigalgs', accepted];
      await withSServer({ ...required, protocol, args }, async (server) => {
        const socket = await secured(dial(server, { clientCertCallback: () => credential }));
        expect(socket.clientAuth).toMatchObject({ status: 'sent', signatureScheme: scheme });
        await expectIdentity(server, pki.clients[kind]);
        await hangUp(socket);
      });
    },
  );

  test('an RSASSA-PKCS1-v1_5 key and TLS 1.3 have no scheme in common', async () => {
    const key = webCryptoSigner(await imported('rsa', rsa(PKCS1, 256)));
    await withSServer({ ...required, protocol: 'TLSv1.3' }, async (server) => {
      const socket = dial(server, {
        clientCertCallback: () => ({ cert: pki.clients.rsa.cert, key }),
      });
      expect(await failure(socket)).toMatchObject({
        code: 'ERR_CREDENTIAL_UNUSABLE',
        reason: 'no-common-scheme',
      });
    });
  });
});
