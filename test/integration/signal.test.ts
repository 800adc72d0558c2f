/** The callback's signal aborts as soon as its answer is of no use, and says why. */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import {
  type ClientCertCallback,
  type ClientCertCallbackContext,
  type ConnectionOptions,
  Credential,
  SUSPEND,
  type Suspension,
  type TLSSocket,
} from '../../lib/index';
import {
  credentialOf,
  deferred,
  dial,
  endedBy,
  expectNothingRevealed,
  hangUp,
  later,
  PROTOCOLS,
  secured,
  within,
  withSServer,
} from '../support/client';
import { loadPki } from '../support/pki';
import type { SServer } from '../support/s-server';

const pki = loadPki();
const identity = pki.clients.ec256;
const credential = new Credential(credentialOf(identity));

/** Dials with a callback that waits for its signal, as a dialog would; resolves once it waits. */
async function waiting(server: { port: number }, options: ConnectionOptions = {}) {
  const asked = deferred<AbortSignal>();
  const aborted = deferred<AbortSignal>();
  const clientCertCallback: ClientCertCallback = async (_request, { signal }) => {
    asked.resolve(signal);
    if (!signal.aborted) await once(signal, 'abort');
    aborted.resolve(signal);
    return credential;
  };
  const socket = dial(server, { ...options, clientCertCallback });
  const signal = await within('question', asked.promise);
  expect(signal.aborted).toBe(false);
  return { socket, aborted: within('abort', aborted.promise) };
}

interface Attempt {
  readonly socket: TLSSocket;
  readonly server: SServer;
  /** Of the option `signal`. */
  readonly caller: AbortController;
}

const CAUSE = new Error('the window was closed');

const ENDS: [string, (attempt: Attempt) => unknown, object, ConnectionOptions][] = [
  ['destroy(error)', ({ socket }) => socket.destroy(CAUSE), CAUSE, {}],
  ['a caller who aborts', ({ caller }) => caller.abort(), { code: 'ABORT_ERR' }, {}],
  ['the deadline', () => {}, { code: 'ERR_CLIENT_CERT_TIMEOUT' }, { clientCertTimeout: 30 }],
  ['a server that is gone', ({ server }) => server.stop(), { code: 'ECONNRESET' }, {}],
];

describe.each(PROTOCOLS)('%s', (protocol) => {
  test.each(ENDS)(
    'aborts by %s, for the error of the connection',
    async (_by, end, expected, more) => {
      await withSServer({ protocol }, async (server) => {
        const caller = new AbortController();
        const { socket, aborted } = await waiting(server, { ...more, signal: caller.signal });
        const ended = endedBy(socket);
        end({ socket, server, caller });
        const { reason } = await aborted;
        const error = await ended;
        expect(reason).toBe(error);
        expect(error).toMatchObject(expected);
        expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
        expect(server.clientCertificateMessageCount).toBe(0);
      });
    },
  );

  test('destroy() without an error gives one that says so', async () => {
    await withSServer({ protocol }, async (server) => {
      const { socket, aborted } = await waiting(server);
      await hangUp(socket);
      expect((await aborted).reason).toMatchObject({ code: 'ERR_TLS_CONNECTION_OVER' });
      await expectNothingRevealed(server);
    });
  });

  test('is one and the same over all attempts, and that of the suspension', async () => {
    await withSServer({ protocol }, async (server) => {
      const signals: AbortSignal[] = [];
      const socket = dial(server, {
        clientCertCallback: ({ attempt }, { signal }) => {
          signals.push(signal);
          return attempt < 3 ? SUSPEND : credential;
        },
      });
      socket.on('suspend', (suspension: Suspension) => {
        signals.push(suspension.signal);
        suspension.resume();
      });
      await secured(socket);
      expect(signals).toHaveLength(5);
      expect(new Set(signals).size).toBe(1);
      await hangUp(socket);
    });
  });

  test('does not abort once it was answered', async () => {
    await withSServer({ protocol }, async (server) => {
      const signals: AbortSignal[] = [];
      for (const [index, answer] of [credential, null].entries()) {
        const socket = dial(server, {
          clientCertCallback: (_request, { signal }) => {
            signals.push(signal);
            return later(answer);
          },
        });
        await secured(socket);
        await server.sawClient(index + 1);
        await hangUp(socket);
      }
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
    });
  });

  test('is aborted already for one who looks at it too late', async () => {
    await withSServer({ protocol }, async (server) => {
      const asked = deferred<ClientCertCallbackContext>();
      const socket = dial(server, {
        clientCertCallback: (_request, context) => {
          asked.resolve(context);
          return new Promise(() => {});
        },
      });
      const context = await within('question', asked.promise);
      const ended = endedBy(socket);
      socket.destroy(CAUSE);
      await ended;
      expect(context.signal.aborted).toBe(true);
      expect(context.signal.reason).toBe(CAUSE);
    });
  });

  test('a callback may throw on it', async () => {
    await withSServer({ protocol }, async (server) => {
      const thrown = deferred<unknown>();
      const socket = dial(server, {
        clientCertTimeout: 20,
        clientCertCallback: async (_request, { signal }) => {
          // Rejects with an AbortError, whose cause is the signal's reason.
          await setTimeout(60_000, null, { signal }).catch((error) => {
            thrown.resolve(error);
            throw error;
          });
          return credential;
        },
      });
      const error = await endedBy(socket);
      expect(error.code).toBe('ERR_CLIENT_CERT_TIMEOUT');
      expect(await within('abort', thrown.promise)).toMatchObject({
        code: 'ABORT_ERR',
        cause: error,
      });
    });
  });
});

test('a signal that is aborted beforehand opens no connection', async () => {
  await withSServer({}, async (server) => {
    const callback = jest.fn();
    const socket = dial(server, { signal: AbortSignal.abort(), clientCertCallback: callback });
    expect((await endedBy(socket)).code).toBe('ABORT_ERR');
    expect(callback).not.toHaveBeenCalled();
    expect(server.output).not.toContain('ClientHello');
  });
});
