/** Tokens with something missing, double or restricted. */
import { constants, verify } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignatureScheme } from '../../lib/signature-schemes';
import { type Pkcs11Identity, Pkcs11Module } from '../../lib/signers/pkcs11/index';
import { openssl } from '../support/openssl';
import { loadPki } from '../support/pki';
import { PIN, type Placed, SOFTHSM, SoftHsm, useTypeScriptWorkers } from '../support/softhsm';

useTypeScriptWorkers();

const { clients, clientB, otherEcClient } = loadPki();
let softHsm: SoftHsm;
let cards: Pkcs11Module;

async function card(placed: readonly Placed[], mechanisms?: string): Promise<void> {
  softHsm = await SoftHsm.make({
    tokens: { card: placed },
    ...(mechanisms !== undefined && { mechanisms }),
  });
  await softHsm.select();
  cards = await Pkcs11Module.load(SOFTHSM, { pin: () => PIN });
}
afterEach(async () => {
  await cards.close();
  await softHsm.remove();
});

const labels = async (uri?: string) => (await cards.identities(uri)).map(({ label }) => label);
const data = Buffer.from('to be signed');
const sign = async (identity: Pkcs11Identity, scheme: SignatureScheme) =>
  identity.key.sign(data, scheme, { signal: new AbortController().signal });

test('a certificate without its key: known at the first signature, or, after a login, at once', async () => {
  await card([
    { label: 'good', id: '01', identity: clients.ec256 },
    { label: 'lonely', id: '02', identity: clients.ec384, parts: ['cert'] },
  ]);
  // It may be hidden; what is seen comes first.
  expect(await labels()).toEqual(['good', 'lonely']);
  const lonely = await cards.identity('pkcs11:object=lonely');
  expect(lonely.keySeen).toBe(false);
  const missing = {
    code: 'ERR_PKCS11_OBJECT',
    reason: 'key-not-found',
    message: expect.stringMatching(/^The token "card" \(serial \w+\) has the certificate "lonely"/),
  };
  await expect(sign(lonely, 'ecdsa_secp384r1_sha384')).rejects.toMatchObject(missing);
  expect(await labels()).toEqual(['good']);
  await expect(cards.identity('pkcs11:object=lonely')).rejects.toMatchObject(missing);
});

test('a key that is hidden until the login, with no public key', async () => {
  await card([
    {
      label: 'hidden',
      id: '01',
      identity: clients.ec256,
      parts: ['private', 'cert'],
      args: ['--private'],
    },
  ]);
  const identity = await cards.identity('pkcs11:token=card');
  expect(identity.keySeen).toBe(false);
  const signature = await sign(identity, 'ecdsa_secp256r1_sha256');
  expect(verify('sha256', data, identity.certificate.publicKey, signature)).toBe(true);
  expect((await cards.identity('pkcs11:token=card')).keySeen).toBe(true);
});

test('a key without its certificate', async () => {
  await card([{ label: 'bare', id: '01', identity: clients.ec256, parts: ['private', 'public'] }]);
  expect(await labels()).toEqual([]);
  for (const uri of ['pkcs11:token=card', 'pkcs11:object=bare', 'pkcs11:type=public;id=%01']) {
    await expect(cards.identity(uri)).rejects.toMatchObject({
      code: 'ERR_PKCS11_OBJECT',
      reason: 'certificate-not-found',
    });
  }
});

test('two keys with one id: refused before the login, and at it where they were hidden', async () => {
  await card([
    { label: 'one', id: '01', identity: clients.ec256 },
    { label: 'two', id: '01', identity: otherEcClient, parts: ['private', 'public'] },
    { label: 'three', id: '03', identity: clientB, parts: ['private', 'cert'] },
    { label: 'four', id: '03', identity: clients.rsa, parts: ['private'] },
  ]);
  const ambiguous = { code: 'ERR_PKCS11_OBJECT', reason: 'key-ambiguous' };
  await expect(cards.identity('pkcs11:object=one')).rejects.toMatchObject(ambiguous);
  expect(await labels()).toEqual(['three']);
  const three = await cards.identity('pkcs11:object=three');
  await expect(sign(three, 'ecdsa_secp256r1_sha256')).rejects.toMatchObject(ambiguous);
  expect(await labels()).toEqual([]);
});

test.each(['ec256', 'rsa'] as const)(
  'one public key that is there twice is one key: %s',
  async (kind) => {
    const placed = { id: '01', identity: clients[kind] };
    await card([
      { label: 'twin', ...placed },
      { label: 'twin', ...placed, parts: ['public'] },
    ]);
    const twin = await cards.identity('pkcs11:object=twin');
    expect(twin.keySeen).toBe(true);
    expect(await labels()).toEqual(['twin']);
    await expectGood(twin, twin.key.schemes[0] as SignatureScheme);
  },
);

test('those whose keys are seen come first', async () => {
  const lonely = { identity: clients.ec384, parts: ['cert'] } as const;
  await card([
    { label: 'lonely one', id: '01', ...lonely },
    { label: 'good one', id: '02', identity: clients.ec256 },
    { label: 'lonely two', id: '03', ...lonely },
    { label: 'good two', id: '04', identity: clients.rsa },
    { label: 'lonely three', id: '05', ...lonely },
  ]);
  const seen = (await cards.identities()).map(({ keySeen }) => keySeen);
  expect(seen).toEqual([true, true, false, false, false]);
});

test('an id as tools show it, which a URI would have percent-encoded', async () => {
  await card([
    { label: 'one', id: '01', identity: clients.ec256 },
    { label: 'two', id: 'ab02', identity: clients.rsa },
  ]);
  const hints = { '01': '%01', ab02: '%AB%02', 'AB:02': '%AB%02' };
  for (const [id, hint] of Object.entries(hints)) {
    await expect(cards.identity(`pkcs11:id=${id}`)).rejects.toMatchObject({
      code: 'ERR_PKCS11_OBJECT',
      reason: 'not-found',
      message: expect.stringMatching(
        new RegExp(` whose id is ${id} in hexadecimal: in a URI that is id=${hint}\\.$`),
      ),
    });
    await cards.identity(`pkcs11:id=${hint}`);
  }
  for (const id of ['03', '1', '%03', 'ab0', 'key']) {
    await expect(cards.identity(`pkcs11:id=${id}`)).rejects.not.toThrow('hexadecimal');
  }
});

test('several certificates, or none', async () => {
  await card([
    { label: 'one', id: '01', identity: clients.ec256 },
    { label: 'two', id: '02', identity: clients.rsa },
  ]);
  await expect(cards.identity('pkcs11:token=card')).rejects.toMatchObject({
    code: 'ERR_PKCS11_OBJECT',
    reason: 'certificate-ambiguous',
    message: expect.stringContaining('"one" (CN=client ec256,O=tls-client-cert tests)'),
  });
  await expect(cards.identity('pkcs11:object=three')).rejects.toMatchObject({
    code: 'ERR_PKCS11_OBJECT',
    reason: 'not-found',
  });
  await expect(cards.identity('pkcs11:token=other')).rejects.toMatchObject({
    code: 'ERR_PKCS11_TOKEN',
    reason: 'not-found',
    message: expect.stringContaining('"card"'),
  });
});

test('several certificates, of which one has no subject', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tls-client-cert-nameless-'));
  const nameless = {
    ...clients.ec256,
    certPath: join(folder, 'cert.pem'),
    keyPath: join(folder, 'key.pem'),
  };
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
  await openssl([...made, '-subj', '/', '-keyout', 'key.pem', '-out', 'cert.pem'], folder);
  await card([
    { label: 'one', id: '01', identity: nameless },
    { label: 'two', id: '02', identity: clients.rsa },
  ]);
  await rm(folder, { recursive: true });
  await expect(cards.identity('pkcs11:token=card')).rejects.toMatchObject({
    reason: 'certificate-ambiguous',
    message: expect.stringContaining('"one" ()'),
  });
});

/** By what is done, what OpenSSL says of it. */
async function expectGood(identity: Pkcs11Identity, scheme: SignatureScheme): Promise<void> {
  const signature = await sign(identity, scheme);
  const hash = /sha\d+$/.exec(scheme)?.[0] ?? null;
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: Number(hash?.slice(3)) / 8 };
  const key = { key: identity.certificate.publicKey, ...(scheme.includes('pss') && pss) };
  expect({ scheme, good: verify(hash, data, key, signature) }).toEqual({ scheme, good: true });
}

describe('mechanisms', () => {
  const rsa: Placed = { label: 'rsa', id: '01', identity: clients.rsa };
  const pkcs1 = ['rsa_pkcs1_sha256', 'rsa_pkcs1_sha384', 'rsa_pkcs1_sha512', 'rsa_pkcs1_sha1'];
  const pss = ['rsa_pss_rsae_sha256', 'rsa_pss_rsae_sha384', 'rsa_pss_rsae_sha512'];

  test.each([
    ['raw RSA alone', 'CKM_RSA_X_509', [...pss, ...pkcs1]],
    ['no raw RSA', 'CKM_RSA_PKCS,CKM_RSA_PKCS_PSS', [...pss, ...pkcs1]],
    ['neither PSS nor raw RSA', 'CKM_RSA_PKCS', pkcs1],
    ['PSS alone', 'CKM_RSA_PKCS_PSS', pss],
  ])('a token with %s', async (_what, mechanisms, schemes) => {
    await card([rsa], mechanisms);
    const identity = await cards.identity('pkcs11:token=card');
    expect(identity.key.schemes).toEqual(schemes);
    for (const scheme of identity.key.schemes) await expectGood(identity, scheme);
  });

  test('a token with none of them', async () => {
    await card([rsa], 'CKM_ECDSA');
    expect(await labels()).toEqual([]);
    await expect(cards.identity('pkcs11:token=card')).rejects.toMatchObject({
      code: 'ERR_PKCS11_OBJECT',
      reason: 'no-mechanism',
    });
  });

  test('a key that allows raw RSA alone, as far as it is shown', async () => {
    const args = ['--allowed-mechanisms', 'RSA-X-509'];
    await card([{ ...rsa, args }]);
    const identity = await cards.identity('pkcs11:token=card');
    for (const scheme of identity.key.schemes) await expectGood(identity, scheme);
    await softHsm.place('card', {
      ...rsa,
      id: '02',
      label: 'narrow',
      args: ['--allowed-mechanisms', 'RSA-PKCS'],
    });
    await expect(cards.identity('pkcs11:object=narrow')).resolves.toMatchObject({
      key: { schemes: pkcs1 },
    });
  });

  test('a key that turns out, after the login, to allow less than was declared', async () => {
    await card([{ ...rsa, args: ['--allowed-mechanisms', 'RSA-PKCS'] }]);
    const identity = await cards.identity('pkcs11:token=card');
    expect(identity.key.schemes).toContain('rsa_pss_rsae_sha256');
    await expect(sign(identity, 'rsa_pss_rsae_sha256')).rejects.toMatchObject({
      code: 'ERR_PKCS11_OBJECT',
      reason: 'no-mechanism',
    });
    const after = await cards.identity('pkcs11:token=card');
    expect(after.key.schemes).toEqual(pkcs1);
  });
});
