/** A server that is not who it should be is told nothing, not even on TLS 1.2. */
import { X509Certificate } from 'node:crypto';
import { connect as tlsConnect } from 'node:tls';
import { type ClientCertCallback, type ConnectionOptions, Credential } from '../../lib/index';
import {
  credentialOf,
  dial,
  endedBy,
  expectIdentity,
  expectNothingRevealed,
  failure,
  hangUp,
  later,
  PROTOCOLS,
  secured,
  withSServer,
} from '../support/client';
import { type Identity, loadPki } from '../support/pki';
import type { SServer } from '../support/s-server';
import { startTap, tlsRecords } from '../support/tap';

const pki = loadPki();
const identity = pki.clients.ec256;
const credential = new Credential(credentialOf(identity));

interface BadServer {
  readonly identity: Identity;
  /** The alert that `s_server` prints, and its number. */
  readonly alert: [string, number];
  readonly options?: ConnectionOptions;
}

const BAD: [string, BadServer][] = [
  ['untrusted', { identity: pki.untrustedServer, alert: ['unknown ca', 48] }],
  ['wrongly named', { identity: pki.wrongNameServer, alert: ['bad certificate', 42] }],
  ['expired', { identity: pki.expiredServer, alert: ['certificate expired', 45] }],
  [
    'revoked',
    {
      identity: pki.revokedServer,
      alert: ['certificate revoked', 44],
      options: { crl: pki.crl },
    },
  ],
  [
    'unlisted by any CRL',
    {
      identity: pki.untrustedServer,
      alert: ['unknown ca', 48],
      options: { crl: pki.crl },
    },
  ],
];

/** What node:tls reports of the same server. */
function codeOfNode(server: SServer, options: ConnectionOptions): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      host: '127.0.0.1',
      port: server.port,
      servername: 'localhost',
      ca: pki.serverCa.cert,
      crl: options.crl as string | undefined,
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once('secureConnect', () => reject(new Error('Node accepted the server')));
  });
}

describe.each(PROTOCOLS)('%s', (protocol) => {
  describe.each(BAD)('a server that is %s', (_what, bad) => {
    const asked = jest.fn<ReturnType<ClientCertCallback>, Parameters<ClientCertCallback>>();
    const answers: [string, ConnectionOptions][] = [
      ['a callback', { clientCertCallback: asked.mockReturnValue(credential) }],
      ['a static certificate', { cert: identity.cert, key: identity.key }],
    ];

    test.each(answers)('learns nothing from a client with %s', async (_which, answer) => {
      await withSServer({ identity: bad.identity, protocol }, async (server) => {
        const tap = await startTap(server.port);
        asked.mockClear();
        const socket = dial(tap, { ...bad.options, ...answer });
        const error = await failure(socket);
        await expectNothingRevealed(server);
        expect(asked).not.toHaveBeenCalled();
        expect(socket.authorized).toBe(false);
        expect(socket.authorizationError).toBe(error.code);
        expect(tap.fromClient.includes(credential.certificate.raw)).toBe(false);
        // Handshake records: only the ClientHello. On TLS 1.3 the alert travels encrypted.
        const records = tlsRecords(tap.fromClient).map(({ type }) => type);
        expect(records.filter((type) => type === 'handshake')).toHaveLength(1);
        const [alert, number] = bad.alert;
        await server.waitFor(`alert ${alert}`);
        expect(server.output).toContain(`SSL alert number ${number}`);
        await tap.close();

        expect(error.code).toBe(await codeOfNode(server, bad.options ?? {}));
      });
    });

    test('is seen for what it is without rejectUnauthorized', async () => {
      await withSServer({ identity: bad.identity, protocol }, async (server) => {
        const code = await codeOfNode(server, bad.options ?? {});
        asked.mockClear();
        const socket = dial(server, {
          ...bad.options,
          rejectUnauthorized: false,
          clientCertCallback: asked.mockReturnValue(credential),
        });
        await secured(socket);
        const [request] = asked.mock.calls[0] ?? [];
        expect(asked).toHaveBeenCalledTimes(1);
        expect(request).toMatchObject({ authorized: false, authorizationError: code });
        expect(socket.authorized).toBe(false);
        expect(socket.authorizationError).toBe(code);
        await server.clientChain();
        await hangUp(socket);
      });
    });
  });

  test('a good server is authorized by the time the callback runs', async () => {
    await withSServer({ protocol }, async (server) => {
      const seen: unknown[] = [];
      const socket = dial(server, {
        clientCertCallback: (request) => {
          seen.push(request.authorized, request.authorizationError);
          return later(credential);
        },
      });
      expect(socket.authorized).toBe(false);
      await secured(socket);
      expect(seen).toEqual([true, null]);
      expect(socket.authorized).toBe(true);
      expect(socket.authorizationError).toBeNull();
      await expectIdentity(server, identity);
      await hangUp(socket);
    });
  });

  test('a server that is not revoked passes the revocation list', async () => {
    await withSServer({ protocol }, async (server) => {
      const socket = await secured(
        dial(server, { crl: pki.crl, clientCertCallback: () => credential }),
      );
      expect(socket.authorized).toBe(true);
      await expectIdentity(server, identity);
      await hangUp(socket);
    });
  });

  test('checkServerIdentity is asked before the callback', async () => {
    await withSServer({ protocol }, async (server) => {
      const order: unknown[] = [];
      const socket = dial(server, {
        servername: 'some.other.name',
        checkServerIdentity: (hostname, certificate) => {
          order.push(hostname, certificate.subject.CN, certificate.raw.length);
          return undefined;
        },
        clientCertCallback: ({ authorized }) => {
          order.push('callback', authorized);
          return credential;
        },
      });
      await secured(socket);
      const { length } = new X509Certificate(pki.server.cert).raw;
      expect(order).toEqual(['some.other.name', 'server', length, 'callback', true]);
      await expectIdentity(server, identity);
      await hangUp(socket);
    });
  });

  describe.each<[string, ConnectionOptions]>([
    ['a callback', { clientCertCallback: () => credential }],
    ['a static certificate', { cert: identity.cert, key: identity.key }],
  ])('with %s', (_which, answer) => {
    test('checkServerIdentity may refuse, and its error is the connection’s', async () => {
      await withSServer({ protocol }, async (server) => {
        const refusal = Object.assign(new Error('not on the list'), { code: 'ERR_NOT_PINNED' });
        const socket = dial(server, { ...answer, checkServerIdentity: () => refusal });
        expect(await failure(socket)).toBe(refusal);
        expect(socket.authorizationError).toBe('ERR_NOT_PINNED');
        await expectNothingRevealed(server);
        await server.waitFor('SSL alert number 42');
      });
    });

    test('checkServerIdentity may throw, which refuses the server as well', async () => {
      for (const rejectUnauthorized of [true, false]) {
        await withSServer({ protocol }, async (server) => {
          const cause = new Error('broken check');
          const socket = dial(server, {
            ...answer,
            rejectUnauthorized,
            checkServerIdentity: () => {
              throw cause;
            },
          });
          const error = await failure(socket);
          expect(error.code).toBe('ERR_TLS_CHECK_SERVER_IDENTITY');
          expect(error.cause).toBe(cause);
          await expectNothingRevealed(server);
        });
      }
    });

    test('checkServerIdentity may destroy the socket', async () => {
      await withSServer({ protocol }, async (server) => {
        const reason = new Error('changed my mind');
        const socket = dial(server, {
          ...answer,
          checkServerIdentity: () => {
            socket.destroy(reason);
            return undefined;
          },
        });
        expect(await endedBy(socket)).toBe(reason);
        await expectNothingRevealed(server);
      });
    });
  });

  test('a name that was good once is judged anew when its certificate is another', async () => {
    await withSServer({ protocol }, async (server) => {
      await hangUp(await secured(dial(server)));
      await hangUp(await secured(dial(server)));
    });
    await withSServer({ identity: pki.wrongNameServer, protocol }, async (server) => {
      const socket = dial(server, { clientCertCallback: () => credential });
      expect((await failure(socket)).code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
      await expectNothingRevealed(server);
    });
  });

  test('checkServerIdentity is not asked about a chain that is not trusted', async () => {
    await withSServer({ identity: pki.untrustedServer, protocol }, async (server) => {
      const check = jest.fn();
      const socket = dial(server, { checkServerIdentity: check });
      expect((await failure(socket)).code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
      expect(check).not.toHaveBeenCalled();
    });
  });
});

test('a wrong name is told with the details that node:tls gives', async () => {
  await withSServer({ identity: pki.wrongNameServer }, async (server) => {
    const error = (await failure(dial(server))) as Error & Record<string, unknown>;
    expect(error).toMatchObject({
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      host: 'localhost',
      reason: expect.stringContaining('wrong.example'),
      cert: { subjectaltname: 'DNS:wrong.example' },
    });
  });
});

test('without a server name the host is checked, an IP address as one', async () => {
  await withSServer({}, async (server) => {
    const socket = await secured(dial(server, { servername: undefined }));
    expect(socket.authorized).toBe(true);
    await hangUp(socket);
  });
  await withSServer({ identity: pki.wrongNameServer }, async (server) => {
    const error = await failure(dial(server, { servername: undefined }));
    expect(error).toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID', host: '127.0.0.1' });
    await expectNothingRevealed(server);
  });
});
