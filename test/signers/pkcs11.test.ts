/** Keys on tokens of SoftHSM: what is found, and signatures that OpenSSL verifies. */
import { constants, verify, X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import type { SignatureScheme } from '../../lib/signature-schemes';
import { type Pkcs11Identity, Pkcs11Module, Pkcs11Uri } from '../../lib/signers/pkcs11/index';
import { pemsOf } from '../support/client';
import { loadPki } from '../support/pki';
import { PIN, SOFTHSM, SoftHsm, useTypeScriptWorkers } from '../support/softhsm';

useTypeScriptWorkers();

const pki = loadPki();
const { clients, deepClient, intermediateA, intermediateA2, clientCaA } = pki;
let softHsm: SoftHsm;

beforeAll(async () => {
  softHsm = await SoftHsm.make({
    tokens: {
      card: [
        { label: 'rsa', id: '01', identity: clients.rsa },
        { label: 'ec256', id: '02', identity: clients.ec256 },
        { label: 'ec384', id: '03', identity: clients.ec384 },
        { label: 'ec521', id: '04', identity: clients.ec521 },
        { label: 'ed25519', id: '05', identity: clients.ed25519 },
        { label: 'ed448', id: '06', identity: clients.ed448 },
      ],
      chained: [
        { label: 'intermediate A', id: '11', identity: intermediateA, parts: ['cert'] },
        { label: 'root', id: '12', identity: clientCaA, parts: ['cert'] },
        { label: 'deep', id: '10', identity: deepClient },
        { label: 'intermediate A2', id: '13', identity: intermediateA2, parts: ['cert'] },
      ],
    },
  });
  await softHsm.select();
}, 60_000);

const signal = new AbortController().signal;

/** Whether node:crypto takes a signature as one of `scheme`. */
function verifies(
  scheme: SignatureScheme,
  data: Uint8Array,
  { certificate: { publicKey } }: Pkcs11Identity,
  signature: Uint8Array,
): boolean {
  const hash = /^ed/.test(scheme) ? null : (/sha\d+$/.exec(scheme)?.[0] ?? null);
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: -1 };
  const how = scheme.startsWith('rsa_pss') ? pss : {};
  return verify(hash, data, { key: publicKey, ...how }, signature);
}

describe('one module', () => {
  let module: Pkcs11Module;
  const asked: string[] = [];
  beforeAll(async () => {
    const pin = ({ purpose }: { purpose: string }) => {
      asked.push(purpose);
      return PIN;
    };
    module = await Pkcs11Module.load(SOFTHSM, { pin });
  });
  afterAll(() => module.close());

  test('lists tokens, without the empty one that SoftHSM always has', async () => {
    const tokens = await module.tokens();
    expect(tokens.map(({ label }) => label).sort()).toEqual(['card', 'chained']);
    expect(tokens[0]).toMatchObject({
      manufacturer: 'SoftHSM project',
      model: 'SoftHSM v2',
      pin: 'many',
      pinPad: false,
      loginRequired: true,
    });
    expect((await module.tokens('pkcs11:token=card')).map(({ label }) => label)).toEqual(['card']);
    expect(await module.tokens('pkcs11:token=nobody')).toEqual([]);
  });

  test('lists identities without a PIN', async () => {
    const identities = await module.identities('pkcs11:token=card');
    expect(identities.map(({ label }) => label).sort()).toEqual(
      ['ec256', 'ec384', 'ec521', 'ed25519', 'ed448', 'rsa'].sort(),
    );
    expect(asked).toEqual([]);
    for (const identity of identities) {
      expect(identity.keySeen).toBe(true);
      expect(identity.certificate.toString()).toBe(
        clients[identity.label as keyof typeof clients].cert,
      );
      expect((await module.identity(identity.uri)).label).toBe(identity.label);
    }
  });

  test('finds the chain, in order, without the root', async () => {
    const identity = await module.identity('pkcs11:token=chained;object=deep');
    expect(pemsOf(identity.chain)).toEqual(
      pemsOf([intermediateA2, intermediateA].map(({ cert }) => new X509Certificate(cert))),
    );
    expect(await module.identities('pkcs11:token=chained')).toHaveLength(1);
  });

  test.each<[string, SignatureScheme[]]>([
    [
      'rsa',
      [
        ...(['rsa_pss_rsae_sha256', 'rsa_pss_rsae_sha384', 'rsa_pss_rsae_sha512'] as const),
        ...(['rsa_pkcs1_sha256', 'rsa_pkcs1_sha384', 'rsa_pkcs1_sha512'] as const),
        'rsa_pkcs1_sha1',
      ],
    ],
    ...(['ec256', 'ec384', 'ec521'] as const).map((name): [string, SignatureScheme[]] => [
      name,
      ['ecdsa_secp256r1_sha256', 'ecdsa_secp384r1_sha384', 'ecdsa_secp521r1_sha512', 'ecdsa_sha1'],
    ]),
    ['ed25519', ['ed25519']],
    ['ed448', ['ed448']],
  ])('signs by %s under every scheme that it declares', async (object, schemes) => {
    const identity = await module.identity(`pkcs11:token=card;object=${object}`);
    expect(identity.key.schemes).toEqual(schemes);
    for (const scheme of schemes) {
      const data = Buffer.from(`to be signed under ${scheme}`);
      const signature = await identity.key.sign(data, scheme, { signal });
      expect({ scheme, good: verifies(scheme, data, identity, signature) }).toEqual({
        scheme,
        good: true,
      });
      expect(verifies(scheme, Buffer.from('other'), identity, signature)).toBe(false);
    }
    // One login for all of them.
    expect(asked).toEqual(['login']);
  });

  test('a scheme of another kind of key is refused', async () => {
    const { key } = await module.identity('pkcs11:token=card;object=rsa');
    await expect(key.sign(Buffer.from('data'), 'ed25519', { signal })).rejects.toMatchObject({
      code: 'ERR_PKCS11_OBJECT',
      reason: 'scheme-unsuitable',
    });
  });

  test('a URI may name the key, or the module and the slot', async () => {
    const [card] = await module.tokens('pkcs11:token=card');
    const uri = new Pkcs11Uri({
      libraryManufacturer: module.library.manufacturer,
      libraryVersion: module.library.version,
      serial: card?.serial,
      slotId: card?.slot.id,
      type: 'private',
      id: Uint8Array.of(2),
    });
    expect((await module.identity(uri)).label).toBe('ec256');
    expect(await module.identities('pkcs11:library-version=1')).toEqual([]);
  });

  test('shows nothing secret', async () => {
    const identity = await module.identity('pkcs11:token=card;object=rsa');
    for (const shown of [module, identity, identity.key, identity.token]) {
      expect(inspect(shown, { depth: 10, showHidden: true })).not.toContain(PIN);
    }
    expect(inspect(identity)).toMatch(/^Pkcs11Identity <rsa, pkcs11:token=card;.*id=%01/);
  });
});
