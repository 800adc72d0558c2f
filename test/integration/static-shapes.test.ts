/** `cert`, `key`, `pfx` and `passphrase` in every shape that node:tls takes, beside it. */
import tls from 'node:tls';
import { Credential, createSecureContext, type SecureContextOptions } from '../../lib/index';
import { dial, expectIdentity, hangUp, pemsOf, secured, withSServer } from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';

const pki = loadPki();
const ca = pki.serverCa.cert;
const { rsa, ec256 } = pki.clients;
const { passphrase, encryptedPkcs8Pem, encryptedTraditionalPem, pfx, pfxWithoutPassphrase } =
  pki.encodings;
const { cert, key } = ec256;
const bytes = (text: string) => Buffer.from(text);

const SHAPES: [string, SecureContextOptions][] = [
  ['strings', { cert, key }],
  ['bytes', { cert: bytes(cert), key: bytes(key) }],
  ['lists', { cert: [cert], key: [key] }],
  ['an encrypted key', { cert, key: encryptedPkcs8Pem, passphrase }],
  ['an encrypted traditional key', { cert, key: encryptedTraditionalPem, passphrase }],
  ['{ pem, passphrase }', { cert, key: [{ pem: encryptedPkcs8Pem, passphrase }] }],
  ['{ pem, passphrase } in bytes', { cert, key: [{ pem: bytes(encryptedPkcs8Pem), passphrase }] }],
  ['{ pem }, and a common passphrase', { cert, key: [{ pem: encryptedPkcs8Pem }], passphrase }],
  [
    'its own passphrase before the common one',
    { cert, key: [{ pem: encryptedPkcs8Pem, passphrase }], passphrase: 'wrong' },
  ],
  ['{ pem } that is not encrypted', { cert, key: [{ pem: key }] }],
  ['a PFX', { pfx, passphrase }],
  ['a list of PFX', { pfx: [pfx], passphrase }],
  ['{ buf, passphrase }', { pfx: [{ buf: pfx, passphrase }] }],
  ['{ buf }, and a common passphrase', { pfx: [{ buf: pfx }], passphrase }],
  ['a PFX without a passphrase', { pfx: [{ buf: pfxWithoutPassphrase }] }],
  [
    'several keys, each with its own',
    {
      cert: [cert],
      key: [{ pem: rsa.key }, { pem: encryptedPkcs8Pem, passphrase }],
    },
  ],
];

test.each(SHAPES)('%s: the server sees what it sees of node:tls', async (_what, options) => {
  const server = await startNodeServer({ identity: pki.server });
  const socket = await secured(dial(server, options));
  const seen = await server.sawClient();
  const node = tls.connect({
    ...(options as tls.SecureContextOptions),
    ca,
    port: server.port,
    servername: 'localhost',
  });
  const expected = await server.sawClient(2);
  expect(seen.subject).toBeDefined();
  expect(seen.subject).toBe(expected.subject);
  node.destroy();
  await hangUp(socket);
  await server.close();
});

test('KeyWithPassphrase alone, without a list, is taken as well', () => {
  const single = createSecureContext({ cert, key: { pem: encryptedPkcs8Pem, passphrase } });
  expect(pemsOf(single.credentials.map((it) => it.certificate))).toEqual([cert]);
  const buffer = createSecureContext({ pfx: { buf: pfx, passphrase } });
  expect(buffer.credentials[0]?.chain).toHaveLength(2);
});

test('certificates and PFX together are all kept, in order', () => {
  const context = createSecureContext({ cert, key, pfx: [{ buf: pfx, passphrase }] });
  expect(pemsOf(context.credentials.map((it) => it.certificate))).toEqual([
    cert,
    pki.deepClient.cert,
  ]);
});

test.each<[string, SecureContextOptions, object]>([
  [
    'a key',
    { cert: [rsa.cert, cert], key: [rsa.key, 'none here'] },
    { code: 'ERR_CREDENTIAL_INVALID', input: 'options.key[1]' },
  ],
  [
    'a certificate',
    { cert: [rsa.cert, 'none here'], key: [rsa.key, key] },
    { code: 'ERR_CREDENTIAL_INVALID', input: 'options.cert[1]' },
  ],
  [
    'a key that needs a passphrase',
    { cert, key: [{ pem: encryptedPkcs8Pem }] },
    { code: 'ERR_CREDENTIAL_PASSPHRASE', input: 'options.key[0]' },
  ],
  [
    'a wrong passphrase',
    { cert: [rsa.cert, cert], key: [rsa.key, { pem: encryptedPkcs8Pem, passphrase: 'wrong' }] },
    { code: 'ERR_CREDENTIAL_PASSPHRASE', input: 'options.key[1]' },
  ],
  [
    'a PFX',
    { pfx: [pfx, Buffer.from('none here')], passphrase },
    { code: 'ERR_CREDENTIAL_INVALID', input: 'options.pfx[1]' },
  ],
  [
    "a PFX's passphrase",
    { pfx: [{ buf: pfx, passphrase: 'wrong' }] },
    { code: 'ERR_CREDENTIAL_PASSPHRASE', input: 'options.pfx[0]' },
  ],
  [
    'a pair that does not belong together',
    { cert: rsa.cert, key: pki.otherRsaClient.key },
    { code: 'ERR_CREDENTIAL_MISMATCH' },
  ],
])('what is wrong is named: %s', (_what, options, expected) => {
  expect(() => createSecureContext(options)).toThrow(expect.objectContaining(expected));
});

describe('credentials made before', () => {
  test('are sent as they are, behind those of cert and pfx, by any number of contexts', async () => {
    const own = new Credential({ cert, key });
    const other = new Credential({ cert: rsa.cert, key: rsa.key });
    const first = createSecureContext({ credential: own });
    expect(first.credentials).toEqual([own]);
    expect(first.credentials[0]).toBe(own);
    const both = createSecureContext({ cert: rsa.cert, key: rsa.key, credential: [own, other] });
    expect(both.credentials.slice(1)).toEqual([own, other]);
    await withSServer({ requestCert: 'required', clientCa: pki.clientCasPath }, async (server) => {
      const socket = await secured(dial(server, { credential: own }));
      await expectIdentity(server, pki.clients.ec256);
      expect(socket.clientAuth).toMatchObject({ status: 'sent' });
      expect(socket.clientAuth.credential).toBe(own);
      await hangUp(socket);
    });
  });

  test('may as well be what they are made from: test/unit/signer.test.ts has the faults', () => {
    expect(createSecureContext({ credential: [{ cert, key }] }).credentials).toHaveLength(1);
  });
});
