/** What may stand in the place of a key, and what a signer may declare. */
import { createSign, createVerify, generateKeyPairSync, webcrypto } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentialError } from '../../lib/failures';
import {
  Credential,
  createSecureContext,
  type SignatureScheme,
  type TLSClientCertError,
} from '../../lib/index';
import { openssl } from '../support/openssl';
import { loadPki } from '../support/pki';
import { signerOf } from '../support/signers';

const pki = loadPki();
const { cert, key } = pki.clients.ec256;
const sign = () => new Uint8Array(0);

function refusal(options: unknown): TLSClientCertError {
  try {
    new Credential(options as never);
  } catch (error) {
    return error as TLSClientCertError;
  }
  throw new Error('it was taken');
}

describe('schemes', () => {
  const sparse: unknown[] = ['ecdsa_secp256r1_sha256'];
  sparse[2] = 'ed25519';

  test.each<[string, unknown, string, RegExp]>([
    ['a string', 'ed25519', 'ERR_INVALID_ARG_TYPE', /options\.key\.schemes.*Array/],
    ['a set', new Set(['ed25519']), 'ERR_INVALID_ARG_TYPE', /options\.key\.schemes/],
    ['an object', { 0: 'ed25519', length: 1 }, 'ERR_INVALID_ARG_TYPE', /options\.key\.schemes/],
    ['a function', () => ['ed25519'], 'ERR_INVALID_ARG_TYPE', /options\.key\.schemes/],
    ['false', false, 'ERR_INVALID_ARG_TYPE', /options\.key\.schemes/],
    ['an empty list', [], 'ERR_INVALID_ARG_VALUE', /options\.key\.schemes.*names no scheme/],
    [
      'an unknown name',
      ['ed25519', 'RSASSA-PSS'],
      'ERR_INVALID_ARG_VALUE',
      /options\.key\.schemes\[1\].*"RSASSA-PSS".*'rsa_pss_rsae_sha256'/,
    ],
    ["OpenSSL's name", ['ECDSA+SHA256'], 'ERR_INVALID_ARG_VALUE', /schemes\[0\].*"ECDSA\+SHA256"/],
    ['a name of Object.prototype', ['toString'], 'ERR_INVALID_ARG_VALUE', /schemes\[0\]/],
    ['a number', [0x0403], 'ERR_INVALID_ARG_VALUE', /schemes\[0\].*number/],
    ['null in it', [null], 'ERR_INVALID_ARG_VALUE', /schemes\[0\].*null/],
    ['a hole in it', sparse, 'ERR_INVALID_ARG_VALUE', /schemes\[1\].*undefined/],
    ['nothing but holes', new Array(2), 'ERR_INVALID_ARG_VALUE', /schemes\[0\].*undefined/],
  ])('%s: told', (_what, schemes, code, says) => {
    const error = refusal({ cert, key: { sign, schemes } });
    expect(error.code).toBe(code);
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toMatch(says);
  });

  test('for another type of key than the certificate has: told', () => {
    for (const schemes of [['ed25519', 'mldsa44'], ['rsa_pss_rsae_sha256']]) {
      const error = refusal({ cert, key: { sign, schemes } });
      expect(error).toMatchObject({
        code: 'ERR_CREDENTIAL_MISMATCH',
        input: 'key',
        reason: 'schemes-unsuitable',
      });
      expect(error.message).toMatch(/"key" declares no scheme.*"cert" can sign.*type EC/);
    }
  });

  test.each([undefined, null, ['ecdsa_secp384r1_sha384'], ['ed25519', 'ecdsa_secp256r1_sha256']])(
    '%p is taken',
    (schemes) => {
      expect(new Credential({ cert, key: { sign, schemes } as never }).keyType).toBe('ec');
    },
  );

  test('a list that changes afterwards changes nothing', () => {
    const schemes: SignatureScheme[] = ['ecdsa_secp256r1_sha256'];
    const credential = new Credential({ cert, key: { sign, schemes } });
    schemes.push('ed25519');
    expect(Credential.schemesOf(credential)).toEqual(['ecdsa_secp256r1_sha256']);
  });

  test('they are looked at once', () => {
    let looked = 0;
    const signer = {
      sign,
      get schemes() {
        looked += 1;
        return ['ecdsa_secp256r1_sha256'] as const;
      },
    };
    new Credential({ cert, key: signer });
    expect(looked).toBe(1);
  });
});

describe('in the place of a key', () => {
  test.each<[string, unknown]>([
    ['sign that is no function', { sign: 'sign' }],
    ['a function with sign', Object.assign(() => {}, { sign })],
    ['an empty object', {}],
    ['null', null],
    ['nothing', undefined],
  ])('%s is none', (_what, notSigner) => {
    expect(refusal({ cert, key: notSigner }).code).toBe('ERR_INVALID_ARG_TYPE');
  });

  test('a passphrase is not for a signer', () => {
    for (const passphrase of ['secret', Buffer.from('secret'), '']) {
      const error = refusal({ cert, key: { sign }, passphrase });
      expect(error.code).toBe('ERR_INVALID_ARG_VALUE');
      expect(error.message).toMatch(/options\.passphrase.*a signer has none/);
      expect(error.message).not.toContain('secret');
    }
  });

  test('a PFX excludes it', () => {
    const error = refusal({ pfx: pki.encodings.pfx, key: { sign } });
    expect(error.code).toBe('ERR_INVALID_ARG_VALUE');
  });

  test('the certificate and the chain are read as with a key', () => {
    expect(refusal({ cert: key, key: { sign } })).toMatchObject({
      code: 'ERR_CREDENTIAL_INVALID',
      input: 'cert',
    });
    expect(refusal({ cert, key: { sign }, chain: [cert, 'none here'] })).toMatchObject({
      code: 'ERR_CREDENTIAL_INVALID',
      input: 'chain[1]',
    });
    const { deepClient } = pki;
    const credential = new Credential({
      cert: deepClient.cert + deepClient.chain,
      key: signerOf(deepClient),
    });
    expect(credential.chain).toHaveLength(2);
    expect(credential.subject).toBe(deepClient.subject);
  });

  test('it is called by nobody before a handshake', () => {
    const counting = signerOf(pki.clients.ec256);
    const credential = new Credential({ cert, key: counting });
    expect([credential.keyType, credential.subject]).toEqual(['ec', pki.clients.ec256.subject]);
    expect(Credential.from(credential)).toBe(credential);
    expect(counting.asked).toEqual([]);
  });
});

test.each(['x25519', 'x448'] as const)('%s signs nothing, whoever has the key', async (type) => {
  const folder = await mkdtemp(join(tmpdir(), 'tcc-x25519-'));
  try {
    const { publicKey } = generateKeyPairSync(type as 'x25519');
    await writeFile(
      join(folder, 'public.pem'),
      publicKey.export({ type: 'spki', format: 'pem' }) as string,
    );
    const { certPath, keyPath } = pki.clientCaA;
    const request = ['req', '-new', '-key', pki.clients.ec256.keyPath, '-subj', '/CN=nobody'];
    await openssl([...request, '-out', 'request.pem'], folder);
    await openssl(
      [
        ...['x509', '-req', '-in', 'request.pem', '-CA', certPath, '-CAkey', keyPath],
        ...['-set_serial', '1', '-force_pubkey', 'public.pem', '-out', 'cert.pem'],
      ],
      folder,
    );
    const made = await readFile(join(folder, 'cert.pem'));
    const error = refusal({ cert: made, key: { sign } });
    expect(error).toMatchObject({
      code: 'ERR_CREDENTIAL_INVALID',
      input: 'cert',
      reason: 'key-type-unsupported',
    });
    expect(error.message).toMatch(/Ed448 keys; .*"cert".*type x/i);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('where OpenSSL has no fibres, an error says what to do', () => {
  const names = {
    cert: 'cert',
    chain: () => 'chain',
    key: () => 'options.key[1]',
    pfx: 'pfx',
    passphrase: 'passphrase',
  };
  const failure = { reason: 'no-fibres', index: 0, detail: '', stack: [] };
  const error = credentialError(failure, names);
  expect(error).toMatchObject({
    code: 'ERR_SIGNER_UNSUPPORTED',
    input: 'options.key[1]',
    reason: 'no-fibres',
  });
  expect(error.message).toMatch(
    /^"options\.key\[1\]" is a signer.*musl.*glibc, or a key in memory/,
  );
});

describe('what stands in the place of a key, and is none', () => {
  test.each<[string, () => unknown, string, RegExp]>([
    ['a number', () => 42, 'ERR_INVALID_ARG_TYPE', /options\.key.*KeyObject or Signer.*number/],
    ['nothing', () => undefined, 'ERR_INVALID_ARG_TYPE', /options\.key.*Signer.*undefined/],
    ['an object', () => ({ Sign: sign }), 'ERR_INVALID_ARG_TYPE', /options\.key.*Signer/],
    ['a promise', () => Promise.resolve(key), 'ERR_INVALID_ARG_VALUE', /options\.key.*await it/],
    ["node:crypto's Sign", () => createSign('sha256'), 'ERR_INVALID_ARG_TYPE', /options\.key/],
    ["node:crypto's Verify", () => createVerify('sha256'), 'ERR_INVALID_ARG_TYPE', /options\.key/],
  ])('%s', (_what, make, code, says) => {
    const error = refusal({ cert, key: make() });
    expect(error).toMatchObject({ code, message: expect.stringMatching(says) });
    expect(() => createSecureContext({ cert, key: make() as never })).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_INVALID_ARG_/) }),
    );
  });

  test('a CryptoKey: the way to one is named', async () => {
    const { subtle } = webcrypto;
    const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
    const pair = await subtle.generateKey(algorithm, false, ['sign', 'verify']);
    const error = refusal({ cert, key: pair.privateKey });
    expect(error.code).toBe('ERR_INVALID_ARG_VALUE');
    expect(error.message).toMatch(/options\.key.*CryptoKey.*webCryptoSigner/);
  });
});

describe('the option credential', () => {
  const made = new Credential({ cert, key });

  test('takes credentials, and what they are made from', () => {
    const own = { cert, key: { sign } };
    const { credentials } = createSecureContext({ credential: [made, own, { cert, key }] });
    expect(credentials[0]).toBe(made);
    expect(credentials.map(({ subject }) => subject)).toEqual(Array(3).fill(made.subject));
    expect(createSecureContext({ credential: made }).credentials).toEqual([made]);
    expect(createSecureContext({ credential: { cert, key } }).credentials).toHaveLength(1);
  });

  const cases: [string, unknown, object][] = [
    ['a string', 'PEM', { code: 'ERR_INVALID_ARG_TYPE', message: / "options\.credential" / }],
    ['a string in a list', [made, 'x'], { message: / "options\.credential\[1\]" / }],
    ['no key', { cert }, { message: / "options\.credential\.key" / }],
    ['no key in a list', [{ cert }], { message: / "options\.credential\[0\]\.key" / }],
    [
      'an unreadable certificate',
      { cert: 'x', key },
      { code: 'ERR_CREDENTIAL_INVALID', input: 'options.credential.cert' },
    ],
    [
      'an unreadable chain',
      [{ cert, key, chain: ['x'] }],
      { code: 'ERR_CREDENTIAL_INVALID', input: 'options.credential[0].chain[0]' },
    ],
    [
      "another one's key",
      { cert, key: pki.otherEcClient.key },
      { code: 'ERR_CREDENTIAL_MISMATCH', input: 'options.credential.key' },
    ],
  ];

  test.each(cases)(
    '%s: told, and where',
    (_what, credential, {
      message,
      ...rest
    }: {
      message?: RegExp;
    }) => {
      let error: unknown;
      try {
        createSecureContext({ credential: credential as never });
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toMatchObject(rest);
      if (message !== undefined) expect((error as Error).message).toMatch(message);
    },
  );
});
