/** Client certificates from a token, shown to a real server. */
import { type Pkcs11Identity, Pkcs11Module } from '../../lib/signers/pkcs11/index';
import {
  dial,
  expectIdentity,
  failure,
  hangUp,
  PROTOCOLS,
  secured,
  withSServer,
} from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { PIN, SOFTHSM, SoftHsm, useTypeScriptWorkers, WRONG_PIN } from '../support/softhsm';

useTypeScriptWorkers();

const pki = loadPki();
const { clients, deepClient, intermediateA, intermediateA2 } = pki;
const required = { requestCert: 'required', clientCa: pki.clientCasPath } as const;
const KINDS = ['rsa', 'ec256', 'ec384', 'ed25519'] as const;

let softHsm: SoftHsm;
let loaded: Pkcs11Module;
let identity: (object: string) => Promise<Pkcs11Identity>;
let pin: string | null = PIN;
let prompts = 0;

beforeAll(async () => {
  softHsm = await SoftHsm.make({
    tokens: {
      card: [
        ...KINDS.map((label, i) => ({ label, id: `0${i}`, identity: clients[label] })),
        { label: 'deep', id: '10', identity: deepClient },
        { label: 'careful', id: '20', identity: clients.rsa, args: ['--always-auth'] },
        { label: 'A', id: '11', identity: intermediateA, parts: ['cert'] },
        { label: 'A2', id: '12', identity: intermediateA2, parts: ['cert'] },
      ],
    },
  });
  await softHsm.select();
}, 60_000);

beforeEach(async () => {
  prompts = 0;
  pin = PIN;
  loaded = await Pkcs11Module.load(SOFTHSM, {
    pin: () => {
      prompts += 1;
      return pin;
    },
  });
  identity = (object) => loaded.identity(`pkcs11:token=card;object=${object}`);
});
afterEach(() => loaded.close());

describe.each(PROTOCOLS)('%s', (protocol) => {
  test.each([
    ...KINDS.map((kind) => [kind, kind === 'rsa' && protocol === 'TLSv1.3' ? 'rsa_pss' : '']),
    ['rsa', 'rsa_pss_rsae_sha384'],
    ...(protocol === 'TLSv1.2' ? [['rsa', 'rsa_pkcs1_sha256']] : []),
    ...(protocol === 'TLSv1.2' ? [['ec256', 'ecdsa_secp521r1_sha512']] : []),
  ])('%s %s', async (kind, scheme) => {
    const args = scheme?.includes('sha') ? ['-client_sigalgs', openSslName(scheme)] : [];
    await withSServer({ ...required, protocol, args }, async (server) => {
      const from = await identity(kind as (typeof KINDS)[number]);
      const socket = await secured(
        dial(server, {
          clientCertCallback: (request) => {
            expect(request.supports(from.credential())).toBe(true);
            expect(request.matchesAuthorities(from.certificate)).toBe(true);
            return from;
          },
        }),
      );
      await expectIdentity(server, clients[kind as (typeof KINDS)[number]]);
      expect(socket.clientAuth).toMatchObject({
        status: 'sent',
        signatureScheme: expect.stringContaining(scheme ?? ''),
      });
      await hangUp(socket);
    });
    expect(prompts).toBe(1);
  });

  test('by a key that wants its PIN for each signature', async () => {
    await withSServer({ ...required, protocol }, async (server) => {
      const from = await identity('careful');
      for (const nth of [1, 2]) {
        const socket = await secured(dial(server, { clientCertCallback: () => from }));
        await expectIdentity(server, clients.rsa, nth);
        // The login, and one more for each handshake.
        expect(prompts).toBe(1 + nth);
        await hangUp(socket);
      }
    });
  });

  test('with the chain that is on the token', async () => {
    await withSServer({ ...required, protocol }, async (server) => {
      const credential = (await identity('deep')).credential();
      const socket = await secured(dial(server, { clientCertCallback: () => credential }));
      await expectIdentity(server, deepClient);
      await hangUp(socket);
    });
  });

  test('a wrong PIN fails the connection, and says so', async () => {
    pin = WRONG_PIN;
    await withSServer({ ...required, protocol }, async (server) => {
      const from = await identity('ec256');
      const error = await failure(dial(server, { clientCertCallback: () => from }));
      expect(error).toMatchObject({
        code: 'ERR_SIGNER_FAILED',
        cause: { code: 'ERR_PKCS11_PIN', reason: 'incorrect' },
      });
      expect(`${error} ${error.stack}`).not.toContain(WRONG_PIN);
    });
  });
});

test('20 handshakes at the same time through one token, with one prompt', async () => {
  const server = await startNodeServer({ identity: pki.server });
  try {
    const identities = await Promise.all(KINDS.map(identity));
    const sockets = await Promise.all(
      Array.from({ length: 20 }, (_, i) => {
        const from = identities[i % KINDS.length] as Pkcs11Identity;
        return secured(dial(server, { clientCertCallback: () => from }));
      }),
    );
    for (const socket of sockets) expect(socket.clientAuth.status).toBe('sent');
    await Promise.all(sockets.map(hangUp));
  } finally {
    await server.close();
  }
  expect(prompts).toBe(1);
});

function openSslName(scheme: string): string {
  if (scheme === 'rsa_pkcs1_sha256') return 'RSA+SHA256';
  if (scheme === 'ecdsa_secp521r1_sha512') return 'ECDSA+SHA512';
  return scheme;
}
