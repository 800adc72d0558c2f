/** What a socket can be set to: timeout, no delay, keep alive, ref and unref, signal. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TLSSocket as NodeTLSSocket } from 'node:tls';
import { connect } from '../../lib/index';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { createPair } from '../support/pair';
import { type Client, clients, next, pause, pki, record, suspended, to } from './stream-helpers';

let server: NodeServer;
beforeAll(async () => {
  server = await startNodeServer({ identity: pki.server });
});
afterAll(() => server.close());

const code = (call: () => unknown) => {
  try {
    call();
    return 'no error';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
};

describe('setTimeout', () => {
  test('calls back and emits when nothing moves; the connection stays open', async () => {
    const socket = connect(to(server.port));
    await next(socket, 'secureConnect');
    let calls = 0;
    expect(socket.setTimeout(60, () => calls++)).toBe(socket);
    expect(socket.timeout).toBe(60);
    await next(socket, 'timeout');
    expect(calls).toBe(1);
    expect(socket.destroyed).toBe(false);
    // Activity winds it up again, and the callback was for once.
    socket.write('x');
    await next(socket, 'data');
    await next(socket, 'timeout');
    expect(calls).toBe(1);
    socket.destroy();
  });

  test('is put off by what is read and by what is written', async () => {
    const socket = connect(to(server.port));
    await next(socket, 'secureConnect');
    let timeouts = 0;
    socket.on('timeout', () => timeouts++);
    socket.setTimeout(250);
    for (let i = 0; i < 8; i += 1) {
      socket.write('x');
      await next(socket, 'data');
      await pause(50);
    }
    expect(timeouts).toBe(0);
    await next(socket, 'timeout');
    socket.destroy();
  });

  test('0 turns it off, and takes the callback away', async () => {
    const socket = connect({ ...to(server.port), timeout: 40 });
    expect(socket.timeout).toBe(40);
    await next(socket, 'secureConnect');
    const callback = () => {
      throw new Error('called');
    };
    socket.setTimeout(40, callback);
    socket.setTimeout(0, callback);
    expect(socket.listenerCount('timeout')).toBe(0);
    await pause(80);
    expect(socket.timeout).toBe(0);
    socket.destroy();
  });

  test('the option covers connecting and a suspended handshake', async () => {
    const { socket, asked } = suspended({ ...to(server.port), timeout: 50 });
    await asked;
    await next(socket, 'timeout');
    expect(socket.secureConnecting).toBe(true);
    socket.destroy();
  });

  test('says nothing after the socket is gone, even when it is set then', async () => {
    for (const client of ['ours', 'node'] as const) {
      const socket = clients[client]({ ...to(server.port), timeout: 30 });
      const events = record(socket, ['timeout']);
      const closed = next(socket, 'close');
      socket.destroy();
      await closed;
      socket.setTimeout(1);
      await pause(50);
      expect([client, ...events]).toEqual([client]);
    }
  });

  test('wrong values give the errors of net.Socket', () => {
    const errors = (client: Client) => {
      const socket = clients[client](to(server.port));
      const codes = [-1, Number.NaN, Number.POSITIVE_INFINITY, '100', null, {}, undefined].map(
        (value) => code(() => socket.setTimeout(value as never)),
      );
      codes.push(code(() => socket.setTimeout(10, 'x' as never)));
      codes.push(code(() => socket.setTimeout(0, {} as never)));
      socket.destroy();
      return codes;
    };
    const ours = errors('ours');
    expect(ours).toEqual(errors('node'));
    expect(ours).not.toContain('no error');
  });

  test('more than a timer can count is as long as it can', async () => {
    const socket = connect(to(server.port));
    const events = record(socket, ['timeout']);
    const warnings: unknown[] = [];
    const warn = (warning: Error) => warnings.push(warning.name);
    process.on('warning', warn);
    socket.setTimeout(2 ** 31);
    await next(socket, 'secureConnect');
    await pause(30);
    expect(events).toEqual([]);
    process.off('warning', warn);
    socket.destroy();
  });
});

test('setNoDelay and setKeepAlive reach the socket below', async () => {
  const { client } = createPair();
  const calls: unknown[][] = [];
  const spy =
    (name: string) =>
    (...args: unknown[]) => {
      calls.push([name, ...args]);
      return client;
    };
  const names = ['setNoDelay', 'setKeepAlive', 'ref', 'unref'];
  Object.assign(client, Object.fromEntries(names.map((name) => [name, spy(name)])));
  const socket = connect({ socket: client });
  expect(socket.setNoDelay(false)).toBe(socket);
  expect(socket.setKeepAlive(true, 5_000)).toBe(socket);
  expect(socket.ref()).toBe(socket);
  expect(socket.unref()).toBe(socket);
  expect(calls).toEqual([['setNoDelay', false], ['setKeepAlive', true, 5_000], ['ref'], ['unref']]);
  socket.destroy();
});

describe('signal', () => {
  test.each(['before', 'while connecting', 'while suspended', 'open'])(
    'aborted %s it destroys the socket with an AbortError',
    async (when) => {
      const controller = new AbortController();
      const reason = new Error('the caller gave up');
      if (when === 'before') controller.abort(reason);
      const { socket, asked, answer } = suspended({
        ...to(server.port),
        signal: controller.signal,
      });
      const events = record(socket, ['error', 'close']);
      const failed = next(socket, 'error');
      const closed = next(socket, 'close');
      if (when === 'while connecting') controller.abort(reason);
      if (when === 'while suspended' || when === 'open') await asked;
      if (when === 'while suspended') controller.abort(reason);
      if (when === 'open') {
        answer(null);
        await next(socket, 'secureConnect');
        controller.abort(reason);
      }
      expect((await failed)[0]).toMatchObject({ name: 'AbortError', cause: reason });
      await closed;
      expect(events).toEqual(['error ABORT_ERR', 'close true']);
    },
  );
});

describe('ref and unref', () => {
  const run = async (line: string) => {
    const child = spawn(
      process.execPath,
      ['--require', './tools/register-typescript.cjs', '-e', CHILD, String(server.port), line],
      { stdio: ['ignore', 'pipe', 'inherit'], timeout: 10_000 },
    );
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const [exit] = await once(child, 'close');
    return { exit, output };
  };
  // Without the socket holding it the process ends; otherwise only the timer ends it.
  const CHILD = `
    const { connect } = require('./lib/index.ts');
    const { readFileSync } = require('node:fs');
    const [port, line] = process.argv.slice(1);
    const ca = readFileSync(process.env.TCC_TEST_PKI + '/server-ca.crt');
    const wait = new Promise(() => {});
    const clientCertCallback = line.includes('suspended') ? () => { go(); return wait; } : null;
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca, clientCertCallback });
    const go = () => {
      if (line.includes('unref')) socket.unref();
      if (line.includes('again')) socket.ref();
      setTimeout(() => { console.log('held'); process.exit(3); }, 400).unref();
    };
    if (line.includes('now')) go();
    socket.on('secureConnect', go);
    process.on('exit', (code) => console.log('exit', code));
  `;

  test.each([
    ['unref now', 'exit 0\n'],
    ['unref open', 'exit 0\n'],
    ['unref suspended', 'exit 0\n'],
    ['open', 'held\nexit 3\n'],
    ['suspended', 'held\nexit 3\n'],
    ['unref again open', 'held\nexit 3\n'],
  ])('a socket that is %s', async (line, output) => {
    expect(await run(line)).toMatchObject({ output });
  });
});

test('a timeout at the server does not touch us until it acts', async () => {
  const impatient = await startNodeServer({
    identity: pki.server,
    onConnection: (socket: NodeTLSSocket) => {
      socket.setTimeout(20, () => socket.end());
      socket.resume();
    },
  });
  const socket = connect(to(impatient.port));
  const events = record(socket, ['end', 'error', 'close']);
  await next(socket.resume(), 'close');
  expect(events).toEqual(['end', 'close false']);
  await impatient.close();
});
