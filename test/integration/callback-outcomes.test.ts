/** What a client certificate callback may answer, in which ways, and what a real server sees. */
import {
  type ClientCertAnswer,
  type ClientCertCallback,
  Credential,
  SUSPEND,
  type Suspension,
} from '../../lib/index';
import {
  credentialOf,
  dial,
  endedBy,
  expectIdentity,
  expectNobody,
  expectNothingRevealed,
  failure,
  hangUp,
  later,
  PROTOCOLS,
  secured,
  withSServer,
} from '../support/client';
import { loadPki } from '../support/pki';

const pki = loadPki();
const identity = pki.deepClient;
const options = credentialOf(identity);
const credential = new Credential(options);
const required = { requestCert: 'required', clientCa: pki.clientCasPath } as const;

interface Way {
  readonly callback: ClientCertCallback;
  readonly onSuspend?: (suspension: Suspension) => void;
}

/** Ways to give an answer. */
const WAYS: [string, (answer: ClientCertAnswer) => Way][] = [
  ['at once', (answer) => ({ callback: () => answer })],
  ['by a promise settled already', (answer) => ({ callback: async () => answer })],
  ['by a promise that settles late', (answer) => ({ callback: () => later(answer) })],
  [
    'by a thenable that settles twice',
    (answer) => ({
      callback: () => ({
        // biome-ignore lint/suspicious/noThenProperty: a foreign promise is what is meant
        then: ((take: (value: ClientCertAnswer) => void) => {
          take(answer);
          take(null);
        }) as PromiseLike<ClientCertAnswer>['then'],
      }),
    }),
  ],
  [
    'by resume(answer) within the event',
    (answer) => ({ callback: () => SUSPEND, onSuspend: (it) => it.resume(answer) }),
  ],
  [
    'by resume(answer) late',
    (answer) => ({
      callback: () => SUSPEND,
      onSuspend: (it) => void later(null).then(() => it.resume(answer)),
    }),
  ],
  [
    'by resume(promise)',
    (answer) => ({ callback: () => SUSPEND, onSuspend: (it) => it.resume(later(answer)) }),
  ],
  [
    'by a promise of SUSPEND, then resume(answer)',
    (answer) => ({
      callback: async (): Promise<typeof SUSPEND> => SUSPEND,
      onSuspend: (it) => it.resume(answer),
    }),
  ],
];

function dialWith(server: { port: number }, way: Way, more = {}) {
  const socket = dial(server, { clientCertCallback: way.callback, ...more });
  if (way.onSuspend !== undefined) socket.on('suspend', way.onSuspend);
  return socket;
}

describe.each(PROTOCOLS)('%s', (protocol) => {
  describe.each(WAYS)('answered %s', (_name, answered) => {
    test('a credential, or what makes one, is sent with its chain', async () => {
      await withSServer({ ...required, protocol }, async (server) => {
        for (const [index, answer] of [credential, options].entries()) {
          const socket = await secured(dialWith(server, answered(answer)));
          expect(socket.clientAuth).toMatchObject({ status: 'sent', requested: true, sent: true });
          await expectIdentity(server, identity, index + 1);
          await hangUp(socket);
        }
      });
    });

    test('null and undefined decline, and the server decides', async () => {
      await withSServer({ protocol }, async (server) => {
        for (const [index, answer] of [null, undefined].entries()) {
          const socket = await secured(dialWith(server, answered(answer)));
          expect(socket.clientAuth).toEqual({
            status: 'declined',
            requested: true,
            sent: false,
            reason: 'callback',
          });
          await expectNobody(server, index + 1);
          await hangUp(socket);
        }
      });
    });

    test.each([
      ['a number', 42],
      ['a string', 'secret'],
      ['true', true],
      ['a symbol', Symbol('other')],
      ['an empty object', {}],
      ['an array', [credential]],
      ['a function', () => credential],
    ])('%s fails, and nothing is sent', async (_kind, answer) => {
      await withSServer({ protocol }, async (server) => {
        const socket = dialWith(server, answered(answer as never));
        const error = await failure(socket);
        expect(error).toMatchObject({ code: 'ERR_CLIENT_CERT_ANSWER' });
        expect(error.message).not.toContain('secret');
        expect(socket.clientAuth).toMatchObject({ status: 'failed', sent: false, error });
        await expectNothingRevealed(server);
      });
    });

    test('options that make no credential fail, and nothing is sent', async () => {
      await withSServer({ protocol }, async (server) => {
        const error = await failure(dialWith(server, answered({ ...options, cert: 'garbage' })));
        expect(error).toMatchObject({ code: 'ERR_CREDENTIAL_INVALID', input: 'cert' });
        await expectNothingRevealed(server);
      });
      await withSServer({ protocol }, async (server) => {
        const error = await failure(dialWith(server, answered({ ...options, key: 5 } as never)));
        expect(error).toMatchObject({
          code: 'ERR_CLIENT_CERT_ANSWER',
          cause: { code: 'ERR_INVALID_ARG_TYPE' },
        });
        await expectNothingRevealed(server);
      });
    });
  });

  test('declining to a server that demands one ends with its alert', async () => {
    await withSServer({ ...required, protocol }, async (server) => {
      const socket = dial(server, { clientCertCallback: () => null });
      const error = await endedBy(socket);
      const alert = protocol === 'TLSv1.3' ? 'certificate_required' : 'handshake_failure';
      expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_SSL_/), alert });
      expect(socket.clientAuth).toMatchObject({ status: 'declined', reason: 'callback' });
    });
  });

  const cause = new Error('the card was pulled');
  test.each<[string, ClientCertCallback, unknown]>([
    [
      'returns what has a then that throws',
      () =>
        Object.defineProperty({}, 'then', {
          get() {
            throw cause;
          },
        }) as never,
      cause,
    ],
    [
      'throws',
      () => {
        throw cause;
      },
      cause,
    ],
    [
      'throws something that is no error',
      () => {
        throw null;
      },
      null,
    ],
    ['rejects at once', () => Promise.reject(cause), cause],
    ['rejects late', () => later(null).then(() => Promise.reject(cause)), cause],
    ['rejects with something that is no error', () => Promise.reject(7), 7],
    [
      'returns a thenable that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: a foreign promise is what is meant
        then() {
          throw cause;
        },
      }),
      cause,
    ],
  ])('a callback that %s fails the connection', async (_name, callback, expected) => {
    await withSServer({ protocol }, async (server) => {
      const socket = dial(server, { clientCertCallback: callback });
      const error = await failure(socket);
      expect(error.code).toBe('ERR_CLIENT_CERT_CALLBACK');
      expect(error.cause).toBe(expected);
      expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
      await expectNothingRevealed(server);
    });
  });

  test('resume() with a promise that rejects fails the connection', async () => {
    await withSServer({ protocol }, async (server) => {
      const way: Way = {
        callback: () => SUSPEND,
        onSuspend: (it) => it.resume(Promise.reject(cause)),
      };
      const error = await failure(dialWith(server, way));
      expect(error.code).toBe('ERR_CLIENT_CERT_CALLBACK');
      expect(error.cause).toBe(cause);
      await expectNothingRevealed(server);
    });
  });
});
