/** `connect` with a URL or `--request`: one HTTP request. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { fetchOver } from '../../lib/cli/connect/http';
import { parseTarget } from '../../lib/cli/target';
import { connect as connectSocket } from '../../lib/connect';
import { type Cli, type CliOptions, installCli, withoutProgress } from '../support/cli';
import {
  type HttpsServer,
  type HttpsServerOptions,
  startHttpsServer,
} from '../support/https-server';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';

const pki = loadPki();
const { ec256 } = pki.clients;
const mine = ['-i', ec256.certPath, '-i', ec256.keyPath, '--auto'];
let cli: Cli;

beforeAll(() => {
  cli = installCli();
});

afterAll(() => cli.remove());

async function withHttps(
  options: HttpsServerOptions,
  use: (server: HttpsServer) => Promise<void>,
): Promise<void> {
  const server = await startHttpsServer(options);
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

const connect = (target: string, args: readonly string[], options: CliOptions = {}) =>
  cli.run(['connect', target, '--ca', pki.serverCa.certPath, ...mine, ...args], options);

test('a URL is asked for its path, as whom was chosen', () =>
  withHttps({}, async ({ url }) => {
    const { end, stdout, stderr } = await connect(`${url}some/where?a=b#c`, []);
    expect(end).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ path: '/some/where?a=b', client: 'client ec256' });
    expect(withoutProgress(stderr)).toMatch(
      /trusted\nCertificate sent: CN=client ec256[^\n]+\nHTTP status: 200 OK\n$/,
    );
  }));

test('method, headers, body, and the whole response', () =>
  withHttps(
    {
      handler: async (request, response) => {
        const body: Buffer[] = [];
        for await (const piece of request) body.push(piece);
        const { 'content-length': length, accept, cookie, host } = request.headers;
        response.statusCode = 404;
        response.setHeader('x-thing', ['one', 'two']);
        response.write(JSON.stringify({ method: request.method, length, accept, cookie, host }));
        response.end(`\n${Buffer.concat(body)}`);
      },
    },
    async ({ port }) => {
      writeFileSync(join(cli.folder, 'body'), 'from a file');
      const headers = ['-H', 'Accept: x/y', '-H', 'Cookie: a=1', '-H', 'Host:other.example'];
      const args = ['-r', '/x', '-X', 'PUT', ...headers, '-d', '@body', '--include', '-q'];
      const { end, stdout, stderr } = await connect(`127.0.0.1:${port}`, args);
      expect({ end, stderr }).toEqual({ end: 0, stderr: '' });
      const [head = '', body = ''] = stdout.split('\r\n\r\n');
      expect(head).toMatch(/^HTTP\/1\.1 404 Not Found\r\nx-thing: one\r\nx-thing: two\r\n/);
      const [echo = '', sent] = body.split('\n');
      expect(JSON.parse(echo)).toEqual({
        method: 'PUT',
        length: '11',
        accept: 'x/y',
        cookie: 'a=1',
        host: 'other.example',
      });
      expect(sent).toBe('from a file');
    },
  ));

test('a body from stdin; POST by default', () =>
  withHttps(
    {
      handler: (request, response) =>
        void request.pipe(response.setHeader('x-method', request.method ?? '')),
    },
    async ({ url }) => {
      const { stdout } = await connect(url, ['-d', '@-', '--include'], { input: 'of stdin' });
      expect(stdout).toMatch(/^HTTP\/1\.1 200 OK\r\nx-method: POST\r\n[\s\S]*\r\n\r\nof stdin$/);
    },
  ));

/** Answers what it has received of a request, once `end` is in it. */
async function received(end: string, args: readonly string[], input?: string): Promise<string> {
  const server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) => {
      let request = '';
      socket.on('data', (bytes) => {
        request += bytes;
        if (!request.includes(end)) return;
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${request.length}\r\n\r\n${request}`);
      });
    },
  });
  const target = `127.0.0.1:${server.port}`;
  const result = await connect(target, ['-r', '/', ...args], input === undefined ? {} : { input });
  expect(result.end).toBe(0);
  await server.close();
  return result.stdout.toLowerCase();
}

test.each(['GET', 'DELETE', 'OPTIONS', 'POST'])(
  'each method says how long its body is: %s',
  async (method) => {
    const of = ['-X', method, '-d'];
    const whole = await received('\r\n\r\na body', [...of, 'a body']);
    expect(whole).toContain('\r\ncontent-length: 6\r\n');
    expect(whole).toContain('\r\ncontent-type: application/x-www-form-urlencoded\r\n');
    expect(whole).not.toContain('transfer-encoding');
    const streamed = await received('0\r\n\r\n', [...of, '@-'], 'of stdin');
    expect(streamed).toContain('\r\ntransfer-encoding: chunked\r\n');
    expect(streamed).toMatch(/\r\n\r\n8\r\nof stdin\r\n0\r\n\r\n$/);
    const headers = ['-H', 'content-length: 8', '-H', 'Content-Type: text/plain'];
    const told = await received('of stdin', [...of, '@-', ...headers], 'of stdin');
    expect(told.match(/\r\n(content|transfer)-.*/g)).toEqual([
      '\r\ncontent-type: text/plain',
      '\r\ncontent-length: 8',
    ]);
  },
);

test.each([
  ['GET', null],
  ['POST', ['content-length: 0']],
])('no body: %s', async (method, headers) => {
  const request = await received('\r\n\r\n', ['-X', method]);
  expect(request.match(/(content|transfer)-.*/g)).toEqual(headers);
});

test('a response that is cut short is an error', () =>
  withHttps(
    {
      handler: (request, response) => {
        response.setHeader('content-length', 100);
        response.write('a part', () => request.socket.destroy());
      },
    },
    async ({ url }) => {
      const { end, stdout, stderr } = await connect(url, []);
      expect({ end, stdout }).toEqual({ end: 3, stdout: 'a part' });
      expect(stderr).toMatch(/\ntls-client-cert: [^\n]*closed the connection[^\n]*\n$/);
    },
  ));

/** Its end is that of the connection: only a close_notify says that there is no more. */
test.each([
  ['by close_notify', 0, (socket: TLSSocket) => void socket.end()],
  ['by FIN', 3, (_: TLSSocket, tcp: Socket) => void tcp.destroy()],
  ['by RST', 3, (_: TLSSocket, tcp: Socket) => void tcp.resetAndDestroy()],
])('a response without a length ends %s: %d', async (_how, code, hangUp) => {
  const server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) =>
      void socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\n\r\na part')),
  });
  const accepted = once(server.server, 'connection');
  const target = `127.0.0.1:${server.port}`;
  const trust = ['--ca', pki.serverCa.certPath];
  const running = cli.start(['connect', target, ...trust, ...mine, '-r', '/']);
  await running.printed.waitFor('a part');
  const { socket } = await server.sawClient();
  const [tcp] = await accepted;
  hangUp(socket, tcp);
  const { end, stdout, stderr } = await running.result;
  expect({ end, stdout }).toEqual({ end: code, stdout: 'a part' });
  if (code !== 0) expect(stderr).toMatch(/\ntls-client-cert: [^\n]*closed the connection[^\n]*\n$/);
  await server.close();
});

test('--include prints the bytes of a header as they are', async () => {
  const head = 'HTTP/1.1 200 G\xfct\r\nx-a: \xe9\xff\r\nContent-Length: 0\r\n\r\n';
  const server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) => void socket.once('data', () => socket.write(head, 'latin1')),
  });
  const trust = ['--ca', pki.serverCa.certPath];
  const args = ['connect', `127.0.0.1:${server.port}`, ...trust, ...mine, '-r', '/', '--include'];
  const child = spawn(process.execPath, [cli.main, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'close');
  expect((await buffer(child.stdout)).toString('latin1')).toBe(head);
  expect(await ended).toEqual([0, null]);
  await server.close();
});

test.each([
  ['the name that was asked for', [], /^host: 127\.0\.0\.1:\d+$/m],
  ['that of --servername', ['--servername', 'localhost'], /^host: localhost:\d+$/m],
  ['the host where no name is asked for', ['--servername', ''], /^host: 127\.0\.0\.1:\d+$/m],
  [
    'a name of other letters',
    ['--servername', 'b\u00fccher.\u4f8b', '--insecure'],
    /^host: xn--bcher-kva\.xn--fsq:\d+$/m,
  ],
  ['an IPv6 address', ['--servername', '::1', '--insecure'], /^host: \[::1\]:\d+$/m],
  ['that of -H', ['--servername', 'localhost', '-H', 'Host: x'], /^host: x$/m],
])('the request is for %s', async (_name, flags, host) => {
  const request = await received('\r\n\r\n', flags);
  expect(request.replaceAll('\r', '')).toMatch(host);
});

test('what answers without HTTP', async () => {
  const server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) => void socket.write('220 mail.example ESMTP\r\n'),
  });
  const { end, stderr } = await connect(`127.0.0.1:${server.port}`, ['-r', '/']);
  expect(end).toBe(4);
  expect(stderr).toMatch(
    /\ntls-client-cert: What 127\.0\.0\.1:\d+ answers is no HTTP\/1\.1 [^\n]+\n$/,
  );
  await server.close();
});

test('what answers HTTP whose body is none', async () => {
  const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\nxx';
  const server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) => void socket.once('data', () => socket.write(answer)),
  });
  const { end, stdout, stderr } = await connect(`127.0.0.1:${server.port}`, ['-r', '/']);
  expect({ end, stdout }).toEqual({ end: 4, stdout: 'hello' });
  expect(stderr).toMatch(/\ntls-client-cert: What [^\n]+ is no HTTP\/1\.1 [^\n]+\n$/);
  await server.close();
});

test('what answers nothing at all', async () => {
  const server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) => void socket.once('data', () => socket.end()),
  });
  const { end, stderr } = await connect(`127.0.0.1:${server.port}`, ['-r', '/']);
  expect(end).toBe(3);
  expect(stderr).toMatch(/\ntls-client-cert: 127\.0\.0\.1:\d+ closed the connection[^\n]+\n$/);
  await server.close();
});

test('a server that goes over to another protocol', async () => {
  const server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) =>
      void socket.once('data', () =>
        socket.write(
          'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
        ),
      ),
  });
  const { end, stdout, stderr } = await connect(`127.0.0.1:${server.port}`, ['-r', '/']);
  expect({ end, stdout }).toEqual({ end: 4, stdout: '' });
  expect(stderr).toMatch(/\ntls-client-cert: [^\n]+another protocol \(HTTP 101 [^\n]+\n$/);
  await server.close();
});

test('what never answers', async () => {
  const server = await startNodeServer({ identity: pki.server, onConnection: () => {} });
  const target = `127.0.0.1:${server.port}`;
  const { end, stderr } = await connect(target, ['-r', '/x', '--timeout', '2']);
  expect(end).toBe(3);
  expect(stderr).toContain(`\ntls-client-cert: ${target} did not answer GET /x within 2 s. `);
  await server.close();
});

test('a server may take its time to read', async () => {
  const size = 20 << 20;
  writeFileSync(join(cli.folder, 'large'), Buffer.alloc(size));
  const server = await startNodeServer({
    identity: pki.server,
    onConnection: async (socket) => {
      await setTimeout(1_200);
      let read = 0;
      socket.on('data', (bytes) => {
        read += bytes.length;
        if (read > size) socket.end('HTTP/1.1 204 No Content\r\n\r\n');
      });
    },
  });
  const target = `127.0.0.1:${server.port}`;
  const args = ['-r', '/x', '-d', '@large', '--timeout', '0.5'];
  const { end, stderr } = await connect(target, args);
  expect(stderr).toContain('HTTP status: 204 No Content');
  expect(end).toBe(0);
  await server.close();
});

describe('a body that a server does not read as fast as it is sent', () => {
  beforeEach(() => {
    const doNotFake = ['setTimeout', 'setImmediate', 'nextTick', 'performance', 'Date'] as const;
    jest.useFakeTimers({ doNotFake: [...doNotFake, 'clearTimeout', 'clearImmediate'] });
  });

  afterEach(() => void jest.useRealTimers());

  /** Sent until some of it has to wait. */
  async function stuck(timeout: number, use: (stuck: Stuck) => Promise<void>) {
    const server = await startNodeServer({
      identity: pki.server,
      onConnection: (socket) => void socket.pause(),
    });
    const { port } = server;
    const ca = pki.serverCa.cert;
    const socket = connectSocket({ host: '127.0.0.1', port, ca }).on('error', () => {});
    await once(socket, 'secureConnect');
    const target = parseTarget(`127.0.0.1:${port}`);
    const body = Buffer.alloc(100 << 20);
    const request = { path: '/x', method: 'POST', headers: [], body, include: false };
    let failure: unknown;
    const response = fetchOver(socket, target, request, { timeout }).catch((error) => {
      failure = error;
    });
    const { socket: reader } = await server.sawClient();
    const untilFull = async () => {
      while (socket.writableLength === 0) await setImmediate();
    };
    /** Seconds; by themselves none pass. */
    const pass = async (seconds: number) => {
      jest.advanceTimersByTime(seconds * 1000);
      await setImmediate();
    };
    await untilFull();
    await use({ socket, reader, untilFull, pass, failure: () => failure });
    socket.destroy();
    await response;
    await server.close();
  }

  interface Stuck {
    readonly socket: { readonly bytesWritten: number };
    readonly reader: TLSSocket;
    untilFull(): Promise<void>;
    pass(seconds: number): Promise<void>;
    failure(): unknown;
  }

  const nothingMore = (seconds: number) =>
    expect.objectContaining({
      code: 'CLI_TIMEOUT',
      message: expect.stringContaining(
        ` took nothing more of the body of POST /x for ${seconds} s.`,
      ),
    });

  test.each([
    [0.5, 120],
    [300, 300],
  ])('--timeout %d: each piece has %d s', (timeout, limit) =>
    stuck(timeout, async ({ socket, reader, untilFull, pass, failure }) => {
      await pass(limit - 1);
      expect(failure()).toBeUndefined();
      const before = socket.bytesWritten;
      while (socket.bytesWritten === before) {
        if (reader.read() === null) await once(reader, 'readable');
        else await setImmediate();
      }
      await untilFull();
      await pass(limit - 1);
      expect(failure()).toBeUndefined();
      // The system may still take some.
      while (failure() === undefined) await pass(limit);
      expect(failure()).toEqual(nothingMore(limit));
    }),
  );
});

test('stdin may take its time', () =>
  withHttps(
    {
      handler: async (request, response) => {
        const body: Buffer[] = [];
        for await (const piece of request) body.push(piece);
        response.end(Buffer.concat(body));
      },
    },
    async ({ url }) => {
      const args = ['connect', url, '--ca', pki.serverCa.certPath, ...mine];
      const running = cli.start([...args, '-d', '@-', '--timeout', '0.5']);
      running.stdin.write('a part');
      await running.printed.waitFor('Certificate sent');
      await setTimeout(800);
      running.stdin.end(', the rest');
      const { end, stdout } = await running.result;
      expect({ end, stdout }).toEqual({ end: 0, stdout: 'a part, the rest' });
    },
  ));
