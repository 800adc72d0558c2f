/** While a signature is waited for: its deadline, who hangs up, and what a signer does to its socket. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { type ConnectionOptions, Credential, type TLSSocket } from '../../lib/index';
import {
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
  within,
  withSServer,
} from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import type { SServer } from '../support/s-server';
import { heldSigner, signedBy, signer, signWith } from '../support/signers';

const pki = loadPki();
const identity = pki.clients.ec256;

/** A connection whose signer keeps it waiting. */
async function waiting(server: { port: number }, options: ConnectionOptions = {}) {
  const key = heldSigner(identity);
  const socket = dial(server, {
    clientCertCallback: () => signedBy(identity, key),
    ...options,
  });
  const call = await key.call();
  expect(call.signal.aborted).toBe(false);
  return { socket, key, call };
}

describe.each(PROTOCOLS)('%s', (protocol) => {
  test('it is pending, and nothing of the answer has left', async () => {
    await withSServer({ protocol, requestCert: 'required' }, async (server) => {
      const { socket, key, call } = await waiting(server);
      const events: string[] = [];
      for (const name of ['suspend', 'secureConnect']) socket.on(name, () => events.push(name));
      await later(null, 30);
      expect(socket.clientAuth).toEqual({ status: 'pending', requested: true, sent: false });
      expect(socket.secureConnecting).toBe(true);
      expect(socket.authorized).toBe(true);
      expect(socket.getProtocol()).toBe(protocol);
      expect(server.clientCertificateMessageCount).toBe(0);
      expect(server.output).not.toMatch(/<<<.*(ClientKeyExchange|Finished)/);
      // There is nothing to resume: no suspension.
      expect(events).toEqual([]);
      call.give();
      await secured(socket);
      await expectIdentity(server, identity);
      expect(key.asked).toHaveLength(1);
      expect(call.signal.aborted).toBe(false);
      await hangUp(socket);
    });
  });

  test('clientCertTimeout passes over a signer that never settles', async () => {
    await withSServer({ protocol }, async (server) => {
      const start = performance.now();
      const key = heldSigner(identity);
      const socket = dial(server, {
        clientCertCallback: () => signedBy(identity, key),
        clientCertTimeout: 50,
      });
      const error = await failure(socket);
      expect(error).toMatchObject({ code: 'ERR_CLIENT_CERT_TIMEOUT' });
      for (const words of ['50 ms', 'signer', identity.subject, 'ecdsa_secp256r1_sha256']) {
        expect(error.message).toContain(words);
      }
      expect(performance.now() - start).toBeGreaterThan(48);
      expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
      expect(key.asked[0]?.signal.reason).toBe(error);
      await expectNothingRevealed(server);
    });
  });

  test('its time begins when it is asked, and that of the callback is another', async () => {
    await withSServer({ protocol, requestCert: 'required' }, async (server) => {
      const key = signer(({ data, scheme }) => later(signWith(identity.key, data, scheme), 60));
      const socket = dial(server, {
        clientCertCallback: () => later(signedBy(identity, key), 60),
        clientCertTimeout: 100,
      });
      await secured(socket);
      await later(null, 80);
      expect(socket.destroyed).toBe(false);
      await hangUp(socket);
    });
  });

  test('a clientCertTimeout of 0 sets no deadline', async () => {
    await withSServer({ protocol, requestCert: 'required' }, async (server) => {
      const { socket, call } = await waiting(server, { clientCertTimeout: 0 });
      await later(null, 50);
      call.give();
      await secured(socket);
      await hangUp(socket);
    });
  });

  const CAUSE = new Error('the window was closed');
  interface Attempt {
    readonly socket: TLSSocket;
    readonly server: SServer;
    readonly caller: AbortController;
  }
  const ENDS: [string, (attempt: Attempt) => unknown, object, ConnectionOptions][] = [
    ['destroy(error)', ({ socket }) => socket.destroy(CAUSE), CAUSE, {}],
    ['a caller who aborts', ({ caller }) => caller.abort(), { code: 'ABORT_ERR' }, {}],
    ['the deadline', () => {}, { code: 'ERR_CLIENT_CERT_TIMEOUT' }, { clientCertTimeout: 30 }],
    ['a server that is gone', ({ server }) => server.stop(), { code: 'ECONNRESET' }, {}],
  ];
  test.each(ENDS)('the signal aborts by %s', async (_by, end, expected, more) => {
    await withSServer({ protocol }, async (server) => {
      const caller = new AbortController();
      const { socket, call } = await waiting(server, { ...more, signal: caller.signal });
      const aborted = once(call.signal, 'abort');
      const ended = endedBy(socket);
      end({ socket, server, caller });
      await within('abort', aborted);
      const error = await ended;
      expect(error).toMatchObject(expected);
      expect(call.signal.reason).toBe(error);
      expect(socket.clientAuth).toMatchObject({ status: 'failed', sent: false, error });
      // What comes now is of no use, and does no harm.
      call.give();
      await later(null, 5);
      expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
      expect(server.clientCertificateMessageCount).toBe(0);
    });
  });

  test('destroy() without an error gives the signal one that says so', async () => {
    await withSServer({ protocol }, async (server) => {
      const { socket, call } = await waiting(server);
      await hangUp(socket);
      expect(call.signal.reason).toMatchObject({ code: 'ERR_TLS_CONNECTION_OVER' });
      expect(socket.clientAuth).toMatchObject({ status: 'failed', error: call.signal.reason });
      await expectNothingRevealed(server);
    });
  });

  test('a signer may throw on the signal', async () => {
    await withSServer({ protocol }, async (server) => {
      let thrown: unknown;
      const key = signer(async ({ signal }) => {
        await setTimeout(60_000, null, { signal }).catch((error) => {
          thrown = error;
          throw error;
        });
        return new Uint8Array(0);
      });
      const socket = dial(server, {
        clientCertTimeout: 20,
        clientCertCallback: () => signedBy(identity, key),
      });
      const error = await endedBy(socket);
      expect(error.code).toBe('ERR_CLIENT_CERT_TIMEOUT');
      await later(null, 5);
      expect(thrown).toMatchObject({ code: 'ABORT_ERR', cause: error });
    });
  });

  test('who listens to the signal may destroy the socket with an error of its own', async () => {
    await withSServer({ protocol }, async (server) => {
      const { socket, call } = await waiting(server, { clientCertTimeout: 20 });
      const ended = endedBy(socket);
      call.signal.addEventListener('abort', () => socket.destroy(CAUSE));
      expect(await ended).toBe(CAUSE);
      expect(socket.clientAuth.status).toBe('failed');
      await expectNothingRevealed(server);
    });
  });

  describe('sign() itself', () => {
    const good = ({ data, scheme }: { data: Uint8Array; scheme: never }) =>
      signWith(identity.key, data, scheme);

    test.each(['a signature', 'a promise of one', 'a promise that rejects', 'an error'])(
      'destroys the socket, and then gives %s',
      async (gives) => {
        await withSServer({ protocol }, async (server) => {
          const key = signer((asked) => {
            socket.destroy(CAUSE);
            expect(asked.signal.reason).toBe(CAUSE);
            if (gives === 'an error') throw new Error('too late');
            if (gives === 'a promise that rejects') return Promise.reject(new Error('too late'));
            return gives === 'a signature' ? good(asked as never) : later(good(asked as never));
          });
          const socket: TLSSocket = dial(server, {
            clientCertCallback: () => signedBy(identity, key),
          });
          expect(await failure(socket)).toBe(CAUSE);
          await later(null, 30);
          expect(socket.clientAuth).toMatchObject({ status: 'failed', error: CAUSE });
          await expectNothingRevealed(server);
        });
      },
    );

    test.each(['at once', 'late'])('ends the socket, and signs %s', async (when) => {
      await withSServer({ protocol, requestCert: 'required' }, async (server) => {
        const key = signer((asked) => {
          socket.end('last words\n');
          return when === 'late' ? later(good(asked as never)) : good(asked as never);
        });
        const socket: TLSSocket = dial(server, {
          clientCertCallback: () => signedBy(identity, key),
        });
        await secured(socket.resume());
        await server.waitFor('last words');
        await expectIdentity(server, identity);
        if (!socket.writableFinished) await within('finish', once(socket, 'finish'));
        await hangUp(socket);
      });
    });

    test.each(['at once', 'late'])('writes, looks around, and signs %s', async (when) => {
      await withSServer({ protocol, requestCert: 'required' }, async (server) => {
        const seen: unknown[] = [];
        const key = signer((asked) => {
          socket.write('first words\n');
          socket.read(0);
          socket.pause();
          socket.resume();
          seen.push(socket.clientAuth.status, socket.getProtocol(), socket.isSessionReused());
          seen.push(socket.getSession(), socket.renegotiate({}));
          return when === 'late' ? later(good(asked as never)) : good(asked as never);
        });
        const socket: TLSSocket = dial(server, {
          clientCertCallback: () => signedBy(identity, key),
        });
        await secured(socket);
        await server.waitFor('first words');
        await expectIdentity(server, identity);
        expect(seen).toEqual(['pending', protocol, false, undefined, false]);
        expect(key.asked).toHaveLength(1);
        await hangUp(socket);
      });
    });

    test('opens another connection, whose signature comes first', async () => {
      await withSServer({ protocol, messages: false }, async (server) => {
        // Another server: this one is busy with the first.
        await withSServer({ protocol, requestCert: 'required' }, async (inner) => {
          const key = signer(async (asked) => {
            if (key.asked.length > 1) return good(asked as never);
            const socket = dial(inner, { clientCertCallback: () => credential });
            await secured(socket);
            await expectIdentity(inner, identity);
            await hangUp(socket);
            return good(asked as never);
          });
          const credential = new Credential(signedBy(identity, key));
          await hangUp(await secured(dial(server, { clientCertCallback: () => credential })));
          expect(key.asked).toHaveLength(2);
        });
      });
    });
  });

  test('requireClientCert is content with a signature, and with nothing less', async () => {
    await withSServer({ protocol }, async (server) => {
      const { socket, call } = await waiting(server, { requireClientCert: true });
      call.give();
      await secured(socket);
      await expectIdentity(server, identity);
      await hangUp(socket);
    });
    await withSServer({ protocol }, async (server) => {
      const { socket, call } = await waiting(server, { requireClientCert: true });
      call.reject(new Error('no card'));
      expect((await failure(socket)).code).toBe('ERR_SIGNER_FAILED');
      await expectNothingRevealed(server);
    });
    await withSServer({ protocol, requestCert: 'no' }, async (server) => {
      const key = heldSigner(identity);
      const socket = dial(server, { cert: identity.cert, key, requireClientCert: true });
      expect((await failure(socket)).code).toBe('ERR_CLIENT_CERT_REQUIRED');
      expect(key.asked).toEqual([]);
    });
  });

  test('a callback that declines calls no signer', async () => {
    await withSServer({ protocol }, async (server) => {
      const key = heldSigner(identity);
      const credential = new Credential(signedBy(identity, key));
      const socket = dial(server, {
        clientCertCallback: (request) => {
          expect(request.supports(credential)).toBe(true);
          return null;
        },
      });
      await secured(socket);
      await expectNobody(server);
      expect(key.asked).toEqual([]);
      await hangUp(socket);
    });
  });
});

/** Jest keeps unhandled rejections from its tests, so these run as a program of their own. */
const PROGRAM = `
  const { connect } = require('./lib/index');
  const [port, ca, cert] = process.argv.slice(1);
  const settle = [(yes) => yes(new Uint8Array(1)), (yes) => yes(7), (_, no) => no(new Error('late'))];
  let left = settle.length * 3;
  for (const how of settle) {
    for (const end of ['deadline', 'destroy', 'destroy in sign']) {
      const key = {
        sign: () => new Promise((yes, no) => {
          socket.once('close', () => setTimeout(() => {
            how(yes, no);
            if (--left === 0) setTimeout(() => console.log('no complaints'), 20);
          }, 5));
          if (end === 'destroy') setImmediate(() => socket.destroy());
          if (end === 'destroy in sign') socket.destroy();
        }),
      };
      const socket = connect({
        port: Number(port), host: '127.0.0.1', servername: 'localhost', ca,
        clientCertTimeout: end === 'deadline' ? 10 : 0,
        clientCertCallback: () => ({ cert, key }),
      });
      socket.on('error', () => {});
    }
  }
`;

test.each(PROTOCOLS)('%s: late signatures leave no unhandled rejection', async (protocol) => {
  const server = await startNodeServer({ identity: pki.server, maxVersion: protocol });
  const child = spawn(
    process.execPath,
    [
      ...['--unhandled-rejections=strict', '--require', './tools/register-typescript.cjs'],
      ...['-e', PROGRAM, String(server.port), pki.serverCa.cert, identity.cert],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  }
  const [status] = await within('exit', once(child, 'close'), 15_000);
  expect(printed).toBe('no complaints\n');
  expect(status).toBe(0);
  await server.close();
});
