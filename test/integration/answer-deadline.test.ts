/** `clientCertTimeout` ends the wait for an answer, and an answer that comes later does no harm. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  type ClientCertAnswer,
  type ClientCertCallback,
  Credential,
  SUSPEND,
  type Suspension,
} from '../../lib/index';
import {
  credentialOf,
  deferred,
  dial,
  expectIdentity,
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
import { signedBy, signer } from '../support/signers';
import { noteTimer } from '../support/timer';

const pki = loadPki();
const identity = pki.clients.ec256;
const credential = new Credential(credentialOf(identity));

describe.each(PROTOCOLS)('%s', (protocol) => {
  const NEVER: [string, ClientCertCallback, (suspension: Suspension) => void][] = [
    ['a promise that never settles', () => new Promise(() => {}), () => {}],
    ['a suspension that nobody resumes', () => SUSPEND, () => {}],
    [
      'resume() with a promise that never settles',
      () => SUSPEND,
      (it) => it.resume(new Promise(() => {})),
    ],
    [
      'resume() over and over',
      () => SUSPEND,
      (it) => void later(null, 10).then(() => it.signal.aborted || it.resume()),
    ],
  ];
  test.each(NEVER)('passes over %s', async (_what, clientCertCallback, onSuspend) => {
    await withSServer({ protocol }, async (server) => {
      const start = performance.now();
      const socket = dial(server, { clientCertCallback, clientCertTimeout: 50 });
      socket.on('suspend', onSuspend);
      const error = await failure(socket);
      expect(error).toMatchObject({ code: 'ERR_CLIENT_CERT_TIMEOUT' });
      expect(error.message).toContain('50 ms');
      // Node's timers may fire up to a millisecond early.
      expect(performance.now() - start).toBeGreaterThan(48);
      expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
      await expectNothingRevealed(server);
    });
  });

  test('counts from the first suspension, over all attempts', async () => {
    await withSServer({ protocol }, async (server) => {
      let attempts = 0;
      const socket = dial(server, {
        clientCertTimeout: 100,
        clientCertCallback: ({ attempt }) => {
          attempts = attempt;
          return SUSPEND;
        },
      });
      socket.on('suspend', async (suspension: Suspension) => {
        await later(null, 30);
        // Each wait is shorter than the deadline, all of them together are not.
        if (!suspension.signal.aborted) suspension.resume();
      });
      expect((await failure(socket)).code).toBe('ERR_CLIENT_CERT_TIMEOUT');
      expect(attempts).toBeGreaterThan(1);
      expect(attempts).toBeLessThan(6);
    });
  });

  test('0 sets none, and an answer in time stops it', async () => {
    await withSServer({ protocol }, async (server) => {
      for (const [index, clientCertTimeout] of [0, 100].entries()) {
        const answer = () => later(credential, 40);
        const socket = dial(server, { clientCertTimeout, clientCertCallback: answer });
        await secured(socket);
        await expectIdentity(server, identity, index + 1);
        await later(null, 80);
        expect(socket.destroyed).toBe(false);
        await hangUp(socket);
      }
    });
  });

  test.each<[string, (answer: ReturnType<typeof deferred<ClientCertAnswer>>) => void]>([
    ['fulfilled', ({ resolve }) => resolve(credential)],
    ['fulfilled with nonsense', ({ resolve }) => resolve(7 as never)],
    ['rejected', ({ reject }) => reject(new Error('too late'))],
  ])('a promise that is %s after the deadline, or after close, is let go', async (_how, settle) => {
    await withSServer({ protocol }, async (server) => {
      const answer = deferred<ClientCertAnswer>();
      const clientCertCallback = () => answer.promise;
      const socket = dial(server, { clientCertCallback, clientCertTimeout: 10 });
      const error = await failure(socket);
      settle(answer);
      await later(null, 5);
      expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
      await expectNothingRevealed(server);
    });
    await withSServer({ protocol }, async (server) => {
      const answer = deferred<ClientCertAnswer>();
      const asked = deferred();
      const socket = dial(server, {
        clientCertCallback: () => {
          asked.resolve();
          return answer.promise;
        },
      });
      await within('question', asked.promise);
      await hangUp(socket);
      settle(answer);
      await later(null, 5);
      await expectNothingRevealed(server);
    });
  });
});

test('a suspension that is resumed after the deadline says why that is of no use', async () => {
  await withSServer({}, async (server) => {
    const suspended = deferred<Suspension>();
    const socket = dial(server, { clientCertCallback: () => SUSPEND, clientCertTimeout: 10 });
    socket.once('suspend', suspended.resolve);
    const error = await failure(socket);
    const suspension = await suspended.promise;
    expect(() => suspension.resume(credential)).toThrow(
      expect.objectContaining({
        code: 'ERR_SUSPENSION_SPENT',
        message: expect.stringContaining(error.message),
      }),
    );
  });
});

/** Jest keeps unhandled rejections from its tests, so these run as a program of their own. */
const PROGRAM = `
  const { connect } = require('./lib/index');
  const [port, ca] = process.argv.slice(1);
  const settle = [(yes) => yes(null), (yes) => yes(7), (_, no) => no(new Error('too late'))];
  let left = settle.length * 2;
  for (const how of settle) {
    for (const clientCertTimeout of [10, 0]) {
      const socket = connect({
        port: Number(port), host: '127.0.0.1', servername: 'localhost', ca, clientCertTimeout,
        clientCertCallback: () => new Promise((yes, no) => {
          socket.once('close', () => setTimeout(() => {
            how(yes, no);
            if (--left === 0) setTimeout(() => console.log('no complaints'), 20);
          }, 5));
          if (clientCertTimeout === 0) setImmediate(() => socket.destroy());
        }),
      });
      socket.on('error', () => {});
    }
  }
`;

test('late answers leave no unhandled rejection', async () => {
  const server = await startNodeServer({ identity: pki.server });
  const child = spawn(
    process.execPath,
    [
      ...['--unhandled-rejections=strict', '--require', './tools/register-typescript.cjs'],
      ...['-e', PROGRAM, String(server.port), pki.serverCa.cert],
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

test.each([
  [-1, 'ERR_OUT_OF_RANGE'],
  [Number.NaN, 'ERR_OUT_OF_RANGE'],
  [Number.POSITIVE_INFINITY, 'ERR_OUT_OF_RANGE'],
  [2 ** 31, 'ERR_OUT_OF_RANGE'],
  ['100', 'ERR_INVALID_ARG_TYPE'],
])('a clientCertTimeout of %p is an argument error', (clientCertTimeout, code) => {
  const options = { clientCertTimeout: clientCertTimeout as number };
  expect(() => dial({ port: 1 }, options)).toThrow(expect.objectContaining({ code }));
});

describe('without clientCertTimeout', () => {
  const never = () => new Promise<never>(() => {});
  afterEach(() => jest.restoreAllMocks());

  test.each<[string, ClientCertCallback]>([
    ['an answer', never],
    ['a suspension', () => SUSPEND],
    ['a signature', () => new Credential(signedBy(identity, signer(never)))],
  ])('%s is waited for two minutes', async (_what, clientCertCallback) => {
    const deadline = noteTimer(120_000);
    await withSServer({}, async (server) => {
      const socket = dial(server, { clientCertCallback }).on('suspend', () => {});
      const failed = failure(socket);
      await deadline.runOut();
      expect(await failed).toMatchObject({
        code: 'ERR_CLIENT_CERT_TIMEOUT',
        message: expect.stringContaining('(120000 ms)'),
      });
      expect(deadline.count()).toBe(1);
      await expectNothingRevealed(server);
    });
  });
});
