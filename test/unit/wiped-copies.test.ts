/** What was copied of a key or passphrase to be handed to the addon is wiped once it was read; what is the caller's stays. */
import { createPrivateKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { binding } from '../../lib/binding';
import {
  Connection,
  Credential,
  type CredentialOptions,
  createSecureContext,
} from '../../lib/index';
import { loadPki } from '../support/pki';

const { clients, encodings } = loadPki();
const { cert, key } = clients.ec256;
const { passphrase, encryptedPkcs8Pem, pfx } = encodings;
const keyObject = createPrivateKey(key);

/** The memory that the addon was given, and what was in it then. */
interface Given {
  readonly memory: Uint8Array;
  readonly held: string;
}
let given: Given[];
const note = (memory: Uint8Array | undefined) => {
  if (memory !== undefined) given.push({ memory, held: Buffer.from(memory).toString('latin1') });
};

/** What is to be certificates, where a key is among them. */
const noteKey = (memory: Uint8Array) => {
  if (String(Buffer.from(memory)).includes('PRIVATE KEY')) note(memory);
};

beforeEach(() => {
  given = [];
  const { Credential: Native, openStore } = binding;
  jest.spyOn(binding, 'Credential').mockImplementation((inputs) => {
    if ('certificate' in inputs)
      for (const one of [inputs.certificate, ...inputs.chain]) noteKey(one);
    if ('pfx' in inputs) note(inputs.passphrase);
    else if ('keys' in inputs) {
      for (const { bytes, passphrase } of inputs.keys) {
        note(bytes);
        note(passphrase);
      }
    }
    return new Native(inputs);
  });
  jest.spyOn(binding, 'openStore').mockImplementation((options) => {
    note(options.passphrase);
    return openStore(options);
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** That the addon was given just these, and nothing is left of them. */
function expectWiped(...secrets: (string | Buffer)[]): void {
  expect(given.map(({ held }) => held)).toEqual(
    secrets.map((secret) => Buffer.from(secret as string).toString('latin1')),
  );
  expect(given.map(({ memory }) => memory.every((byte) => byte === 0))).toEqual(
    secrets.map(() => true),
  );
}

const der = () => keyObject.export({ type: 'pkcs8', format: 'der' });

const forms: [string, CredentialOptions, () => (string | Buffer)[]][] = [
  ['a key', { cert, key }, () => [key]],
  ['a KeyObject', { cert, key: keyObject }, () => [der()]],
  [
    'a key and its passphrase',
    { cert, key: encryptedPkcs8Pem, passphrase },
    () => [encryptedPkcs8Pem, passphrase],
  ],
  ['the passphrase of a PFX', { pfx, passphrase }, () => [passphrase]],
  [
    'texts that have a certificate and the key in them',
    { cert: cert + key, chain: [cert + key], key: key + cert },
    () => [cert + key, cert + key, key + cert],
  ],
];

test.each(forms)(
  'nothing is left of %s that a Credential was made of',
  (_what, options, secrets) => {
    new Credential(options);
    expectWiped(...secrets());
  },
);

test.each([
  [
    'of a context',
    () => createSecureContext({ cert, key: [{ pem: encryptedPkcs8Pem, passphrase }] }),
  ],
  [
    'of a connection',
    () => new Connection({ host: 'localhost', cert, key: encryptedPkcs8Pem, passphrase }),
  ],
])('nothing is left of a key and its passphrase: %s', (_what, make) => {
  make();
  expectWiped(encryptedPkcs8Pem, passphrase);
});

test.each([
  ['a wrong passphrase', { cert, key: encryptedPkcs8Pem, passphrase: 'not it' }],
  ['the passphrase of something else', { pfx: Buffer.from('none'), passphrase: 'not it' }],
])('nothing is left of what was of no use: %s', (_what, options) => {
  expect(() => new Credential(options)).toThrow();
  expectWiped(...('key' in options ? [encryptedPkcs8Pem, 'not it'] : ['not it']));
});

describe('a store', () => {
  let folder: string;
  let path: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-wiped-'));
    path = join(folder, 'key.pem');
    writeFileSync(path, encryptedPkcs8Pem);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('nothing is left of its passphrase, while it is still being opened', async () => {
    const opening = Credential.fromStore(path, { cert, passphrase });
    await Promise.resolve();
    expectWiped(passphrase);
    expect((await opening).subject).toBe(clients.ec256.subject);
  });

  test('nothing is left of a key that is in the text of its certificate', async () => {
    await Credential.fromStore(path, { cert: cert + key, passphrase });
    expectWiped(cert + key, passphrase, cert + key);
  });

  test("the caller's passphrase is left alone", async () => {
    const own = Buffer.from(passphrase);
    await Credential.fromStore(path, { cert, passphrase: own });
    expectWiped(passphrase);
    expect(own.toString()).toBe(passphrase);
  });

  test.each([
    ['at once', []],
    ['in its turn', ['a-device']],
  ])('a passphrase that the caller wipes after the call serves: %s', async (_when, providers) => {
    const own = Buffer.from(passphrase);
    // There is no such provider; it is asked for all the same.
    const opening = Credential.fromStore(path, { cert, passphrase: own, providers }).catch(
      () => {},
    );
    own.fill(0);
    await opening;
    expectWiped(passphrase);
  });

  test('nothing is left of a passphrase whose turn never came', async () => {
    const copies = jest.spyOn(Uint8Array, 'from');
    const own = Buffer.from(passphrase);
    const controller = new AbortController();
    const options = { cert, passphrase: own, providers: ['a-device'], signal: controller.signal };
    const opening = Credential.fromStore(path, options);
    controller.abort(new Error('not wanted'));
    await expect(opening).rejects.toThrow('not wanted');
    await new Promise(setImmediate);
    expect(given).toEqual([]);
    expect(copies).toHaveBeenCalledTimes(1);
    expect(copies.mock.results[0]?.value.every((byte: number) => byte === 0)).toBe(true);
  });
});

test("the caller's bytes are handed on as they are, and left alone", () => {
  const own = { key: Buffer.from(encryptedPkcs8Pem), passphrase: Buffer.from(passphrase) };
  new Credential({ cert, ...own });
  expect(given[0]?.memory).toBe(own.key);
  expect(given[1]?.memory).toBe(own.passphrase);
  expect([own.key, own.passphrase].map(String)).toEqual([encryptedPkcs8Pem, passphrase]);
});
