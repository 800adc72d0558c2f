/** Connections that share what was parsed still have their own callbacks, and their own identities. */
import {
  type CertificateRequest,
  type ClientCertAnswer,
  type ConnectionOptions,
  createSecureContext,
  SUSPEND,
} from '../../lib/index';
import { firstMatch } from '../../lib/select/index';
import {
  credentialOf,
  dial,
  expectIdentity,
  failure,
  hangUp,
  later,
  PROTOCOLS,
  type Protocol,
  secured,
  withSServer,
} from '../support/client';
import { madeDuring } from '../support/made';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';

const pki = loadPki();
const ca = pki.serverCa.cert;
const { rsa, ec256 } = pki.clients;
const { pfx, passphrase } = pki.encodings;
const bytes = (text: string) => Buffer.from(text);

/** One that speaks to several clients at a time. */
async function withNodeServer(maxVersion: Protocol, use: (server: NodeServer) => Promise<void>) {
  const server = await startNodeServer({ identity: pki.server, maxVersion });
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

describe.each(PROTOCOLS)('%s', (protocol) => {
  test('in turn and at the same time, each identity is shown on its own connections', async () => {
    await withNodeServer(protocol, async (server) => {
      const kinds: [ConnectionOptions, typeof rsa][] = [
        [{ cert: bytes(ec256.cert), key: bytes(ec256.key) }, ec256],
        [{ cert: rsa.cert, key: rsa.key }, rsa],
        [{ credential: credentialOf(pki.clientB) }, pki.clientB],
        [{ clientCertCallback: () => credentialOf(pki.clientB) }, pki.clientB],
      ];
      const round = async () => {
        const sockets = await Promise.all(kinds.map(([options]) => secured(dial(server, options))));
        const shown = sockets.map((socket) => {
          const auth = socket.clientAuth;
          return auth.status === 'sent' ? auth.credential.subject : auth.status;
        });
        await Promise.all(sockets.map(hangUp));
        return shown;
      };
      const expected = kinds.map(([, { name }]) => expect.stringContaining(name.replace('-', ' ')));
      expect(await round()).toEqual(expected);
      let second: string[] = [];
      expect(
        await madeDuring(async () => {
          second = await round();
        }),
      ).toEqual({ contexts: 0, credentials: 0, trustStores: 0 });
      expect(second).toEqual(expected);
    });
  });

  test('a callback is asked on its own connections alone', async () => {
    await withNodeServer(protocol, async (server) => {
      const asked = [jest.fn(() => null), jest.fn(() => later(null))] as const;
      const own = createSecureContext({ ca, clientCertCallback: () => credentialOf(ec256) });
      const sockets = await Promise.all([
        secured(dial(server, { ca, clientCertCallback: asked[0] })),
        secured(dial(server, { ca })),
        secured(dial(server, { ca, clientCertCallback: asked[1] })),
        secured(dial(server, { secureContext: own })),
      ]);
      expect(sockets.map((socket) => socket.clientAuth.status)).toEqual([
        'declined',
        'declined',
        'declined',
        'sent',
      ]);
      expect(asked.map((callback) => callback.mock.calls.length)).toEqual([1, 1]);
      await Promise.all(sockets.map(hangUp));
    });
  });

  test('a trust that was given once is given to nobody else', async () => {
    await withSServer({ protocol }, async (server) => {
      await hangUp(await secured(dial(server, { ca })));
      const other = { ca: pki.clientCaA.cert, host: '127.0.0.1' };
      expect((await failure(dial(server, other))).code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      await hangUp(await secured(dial(server, { ca })));
    });
  });
});

describe('an answer that is no Credential', () => {
  const { deepClient } = pki;
  const answers: [string, () => ClientCertAnswer][] = [
    ['PEM', () => ({ ...credentialOf(deepClient), chain: [bytes(deepClient.chain)] })],
    ['bytes', () => ({ cert: bytes(ec256.cert), key: bytes(ec256.key) })],
    ['a PFX', () => ({ pfx: Buffer.from(pfx), passphrase: bytes(passphrase) })],
  ];

  test.each(answers)('is parsed once for all connections: %s', async (_what, answer) => {
    await withSServer({ requestCert: 'required' }, async (server) => {
      const asks = (clientCertCallback: ConnectionOptions['clientCertCallback']) =>
        secured(dial(server, { clientCertCallback })).then(hangUp);
      await asks(answer);
      const made = await madeDuring(async () => {
        for (let i = 0; i < 3; i++) await asks(answer);
        await asks(() => later(answer()));
        await asks(firstMatch([answer as never]));
        await asks((request: CertificateRequest) => {
          expect(request.supports(answer() as never)).toBe(true);
          return answer();
        });
        const socket = dial(server, { clientCertCallback: () => SUSPEND });
        socket.once('suspend', (suspension) => suspension.resume(answer()));
        await secured(socket).then(hangUp);
      });
      expect(made).toEqual({ contexts: 0, credentials: 0, trustStores: 0 });
    });
  });

  test('is another when it was changed in place', async () => {
    await withSServer({ requestCert: 'required' }, async (server) => {
      const answer = { cert: bytes(ec256.cert), key: bytes(ec256.key) };
      const clientCertCallback = () => answer;
      await secured(dial(server, { clientCertCallback })).then(hangUp);
      await expectIdentity(server, ec256);
      Object.assign(answer, { cert: bytes(rsa.cert), key: bytes(rsa.key) });
      await secured(dial(server, { clientCertCallback })).then(hangUp);
      await expectIdentity(server, rsa, 2);
      answer.key.fill(0);
      const { code } = await failure(dial(server, { clientCertCallback }));
      expect(code).toBe('ERR_CREDENTIAL_INVALID');
    });
  });

  test('with a wrong passphrase fails, also where the right one was given before', async () => {
    await withSServer({}, async (server) => {
      await secured(dial(server, { clientCertCallback: () => ({ pfx, passphrase }) })).then(hangUp);
      const wrong = dial(server, { clientCertCallback: () => ({ pfx, passphrase: 'wrong' }) });
      expect((await failure(wrong)).code).toBe('ERR_CREDENTIAL_PASSPHRASE');
    });
  });
});
