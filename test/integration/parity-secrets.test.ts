/** 'keylog', logKeys() and enableTrace(), beside node:tls. */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { logKeys } from '../../lib/index';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { startSServer } from '../support/s-server';
import { clients, next, pki, readBytes, to, VERSIONS, within } from './stream-helpers';

const NAMES = ['ours', 'node'] as const;
const CASES = VERSIONS.flatMap((version) =>
  (['auto', 'stream'] as const).map((transport) => [version, transport] as const),
);
const labelsOf = (lines: readonly Buffer[]) => lines.map((line) => String(line).split(' ')[0]);

describe.each(CASES)("'keylog', %s, transport %s", (version, transport) => {
  let server: NodeServer;
  const theirs: string[] = [];
  const options = () => ({ ...to(server.port, version), transport });

  beforeAll(async () => {
    server = await startNodeServer({ identity: pki.server });
    server.server.on('keylog', (line: Buffer) => theirs.push(String(line)));
  });
  afterAll(() => server.close());

  /** All the lines of a connection that sends something there and back. */
  async function linesOf(socket: TLSSocket): Promise<Buffer[]> {
    const lines: Buffer[] = [];
    socket.on('keylog', (line: Buffer) => lines.push(line));
    await next(socket, 'secureConnect');
    expect(lines.length).toBeGreaterThan(0);
    socket.write('x');
    await readBytes(socket, 1);
    socket.destroy();
    return lines;
  }

  test('the same secrets in the same order, and those that the server has', async () => {
    const node = await linesOf(clients.node(options()));
    theirs.length = 0;
    const ours = await linesOf(clients.ours(options()));
    expect(labelsOf(ours)).toEqual(labelsOf(node));
    expect(ours.map(String).sort()).toEqual([...theirs].sort());
    for (const line of ours) expect(String(line)).toMatch(/^[A-Z_0-9]+ [0-9a-f]{64} [0-9a-f]+\n$/);
  });

  test('a listener that is added on the way has what comes after it', async () => {
    const socket = clients.ours(options());
    const lines: Buffer[] = [];
    socket.once('connect', () => socket.on('keylog', (line: Buffer) => lines.push(line)));
    await next(socket, 'secureConnect');
    expect(lines.length).toBe(version === 'TLSv1.3' ? 5 : 1);
    socket.destroy();
  });

  test('several connections with equal options do not get one another’s', async () => {
    const [logged, other] = [clients.ours(options()), clients.ours(options())];
    const lines: string[] = [];
    logged.on('keylog', (line: Buffer) => lines.push(String(line)));
    await Promise.all([next(logged, 'secureConnect'), next(other, 'secureConnect')]);
    const randoms = new Set(lines.map((line) => line.split(' ')[1]));
    expect(randoms.size).toBe(1);
    logged.destroy();
    other.destroy();
  });
});

test("'keylog' has the secret of a renegotiation, also for one who came late", async () => {
  const server = await startSServer({
    identity: pki.server,
    protocol: 'TLSv1.2',
    args: ['-no_resumption_on_reneg'],
  });
  for (const name of NAMES) {
    const socket = clients[name](to(server.port, 'TLSv1.2'));
    socket.resume();
    await next(socket, 'secureConnect');
    const line = next(socket, 'keylog');
    server.type('r');
    expect(String((await line)[0])).toMatch(/^CLIENT_RANDOM /);
    socket.destroy();
  }
  await server.stop();
});

describe('logKeys()', () => {
  let folder: string;
  let server: NodeServer;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'tcc-keys-'));
    server = await startNodeServer({ identity: pki.server });
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await server.close();
  });

  test('appends each line to a file that only its owner reads', async () => {
    const file = join(folder, 'keys.log');
    const lines: string[] = [];
    for (const name of NAMES) {
      const socket = clients[name](to(server.port));
      logKeys(socket, file);
      socket.on('keylog', (line: Buffer) => {
        lines.push(String(line));
        // There by the time that anybody hears of it.
        expect(readFileSync(file, 'utf8')).toBe(lines.join(''));
      });
      await next(socket, 'secureConnect');
      socket.destroy();
    }
    expect(lines.length).toBe(10);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('leaves alone what is in the file, and its mode', async () => {
    const file = join(folder, 'shared.log');
    appendFileSync(file, 'before\n', { mode: 0o640 });
    const socket = clients.ours(to(server.port));
    logKeys(socket, file);
    await next(socket, 'secureConnect');
    socket.destroy();
    expect(readFileSync(file, 'utf8')).toMatch(/^before\n(?:[A-Z_0-9]+ \w{64} \w+\n){5}$/);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  test('takes an agent as well', async () => {
    const file = join(folder, 'agent.log');
    const agent = new https.Agent({ ca: pki.serverCa.cert, servername: 'localhost' });
    logKeys(agent, file);
    const request = https.get({ host: '127.0.0.1', port: server.port, agent });
    // The server echoes: it is no answer in HTTP.
    await next(
      request.on('error', () => {}),
      'error',
    );
    agent.destroy();
    expect(readFileSync(file, 'utf8').split('\n').length).toBe(6);
  });

  test('warns once when it cannot write, and the connection goes on', async () => {
    const warnings: Error[] = [];
    const heard = jest.spyOn(process, 'emitWarning').mockImplementation((message, name) => {
      warnings.push(Object.assign(new Error(String(message)), { name }));
    });
    try {
      const socket = clients.ours(to(server.port));
      logKeys(socket, join(folder, 'nowhere', 'keys.log'));
      await next(socket, 'secureConnect');
      socket.write('x');
      await readBytes(socket, 1);
      socket.destroy();
    } finally {
      heard.mockRestore();
    }
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toMatchObject({ name: 'TLSKeyLogWarning' });
    expect(warnings[0]?.message).toMatch(/nowhere.*ENOENT/);
  });

  test.each<[string, unknown, unknown]>([
    ['no source', null, 'file'],
    ['no emitter', {}, 'file'],
    ['no file', { on: () => {} }, undefined],
    ['a URL', { on: () => {} }, new URL('file:///x')],
  ])('%s is refused', (_what, source, file) => {
    expect(() => logKeys(source as never, file as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});

describe('enableTrace()', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tcc-trace-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /**
   * What a process of its own writes to stderr: node:tls does so past JavaScript. To a file, because
   * a pipe that does not block loses some of it.
   */
  async function traceOf(client: string, ...args: (string | number)[]): Promise<string> {
    const file = join(folder, [client, ...args].join('-'));
    const stderr = openSync(file, 'w');
    const child = spawn(
      process.execPath,
      [
        '--require',
        join(__dirname, '../../tools/register-typescript.cjs'),
        join(__dirname, '../support/trace-child.ts'),
        client,
        ...args.map(String),
      ],
      { stdio: ['ignore', 'ignore', stderr] },
    );
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    const end = await within(ended, 'end of the child');
    closeSync(stderr);
    const text = readFileSync(file, 'utf8');
    expect({ end, text }).toEqual({ end: 0, text: expect.stringMatching(/^Sent (?:TLS )?Record/) });
    return text;
  }

  /** Which messages, in which direction: the rest differs from one connection to the next. */
  const messagesOf = (trace: string) =>
    trace
      .match(/^(?:Sent|Received) (?:TLS )?Record|^ {4}\w+, Length/gm)
      ?.map((line) => line.trim()) ?? [];

  test.each(
    VERSIONS.flatMap((version) => [
      [version, 'option'],
      [version, 'method'],
    ]),
  )('%s, by the %s: what node:tls writes', async (version, how) => {
    const server = await startNodeServer({ identity: pki.server });
    const [ours, theirs] = await Promise.all([
      traceOf('ours', server.port, version, how),
      traceOf('node', server.port, version, how),
    ]);
    const messages = messagesOf(ours);
    expect(messages).toEqual(messagesOf(theirs));
    for (const word of ['ClientHello', 'ServerHello', 'Certificate', 'Finished']) {
      expect(messages).toContain(`${word}, Length`);
    }
    expect(messages.filter((line) => line.startsWith('Sent')).length).toBeGreaterThan(3);
    await server.close();
  });
});
