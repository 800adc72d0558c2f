/** Every fault is one clear line, and a documented exit code. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { type Cli, installCli, withoutProgress } from '../support/cli';
import { plainEnvironment } from '../support/environment';
import { loadPki } from '../support/pki';
import { startSServer } from '../support/s-server';
import { freePort } from '../support/server-process';

const pki = loadPki();

let cli: Cli;
const servers: Server[] = [];

beforeAll(() => {
  cli = installCli();
});

afterAll(() => {
  for (const server of servers) server.close();
  cli.remove();
});

/** A server without TLS. */
async function plainServer(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    serve(socket);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** What it says, once it is seen to be one line. */
async function fault(args: readonly string[]): Promise<{ end: number | string; line: string }> {
  const { end, stdout, stderr } = await cli.run(['probe', ...args]);
  expect(stdout).toBe('');
  const line = withoutProgress(stderr);
  expect(line).toMatch(/^tls-client-cert: [^\n]+\n$/);
  return { end, line };
}

test('an unknown host', async () => {
  const { end, line } = await fault(['nosuch.invalid:443']);
  expect(end).toBe(3);
  expect(line).toMatch(
    /There is no host named nosuch\.invalid\.|The name nosuch\.invalid cannot be/,
  );
});

test('a port on which nobody listens', async () => {
  const port = await freePort();
  const { end, line } = await fault([`127.0.0.1:${port}`]);
  expect(end).toBe(3);
  expect(line).toContain(`127.0.0.1:${port} refused the connection: nothing listens there`);
});

test('a server that says nothing', async () => {
  const port = await plainServer(() => {});
  const { end, line } = await fault([`127.0.0.1:${port}`, '--timeout', '0.2']);
  expect(end).toBe(3);
  expect(line).toContain(`127.0.0.1:${port} did not answer within 0.2 s.`);
});

test('a server that closes at once', async () => {
  const port = await plainServer((socket) => socket.end());
  const { end, line } = await fault([`127.0.0.1:${port}`]);
  expect(end).toBe(3);
  expect(line).toContain('closed the connection without a word.');
});

test.each([
  ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'It answers in plain HTTP'],
  ['SMTP', '220 mail.example ESMTP Exim\r\n', 'add --starttls smtp'],
  ['IMAP', '* OK IMAP4rev1 ready\r\n', 'add --starttls imap'],
  ['MySQL', '\x4a\0\0\0\x0a8.0.36\0', 'add --starttls mysql'],
  ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n', 'It is an SSH server'],
  ['who knows what', 'XYZZY you are in a maze\r\n', 'Check the port'],
])('a server that does not speak TLS, but %s', async (_, greeting, words) => {
  const port = await plainServer((socket) => {
    // Only a client that has begun is answered by HTTP, and the others need not be quicker.
    socket.once('data', () => socket.end(greeting, 'latin1'));
  });
  const { end, line } = await fault([`127.0.0.1:${port}`]);
  expect(end).toBe(4);
  expect(line).toContain('does not speak TLS there.');
  expect(line).toContain(words);
});

test('a server that speaks only older versions', async () => {
  const args = ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'];
  const server = await startSServer({ identity: pki.server, args });
  const { end, line } = await fault([`127.0.0.1:${server.port}`]);
  expect(end).toBe(4);
  expect(line).toContain('speaks no TLS version that was offered. Allow others by --tls-min');
  await server.stop();
});

test('a server that is too old for --tls-min', async () => {
  const server = await startSServer({ identity: pki.server, protocol: 'TLSv1.2' });
  const { end, line } = await fault([`127.0.0.1:${server.port}`, '--tls-min', '1.3']);
  expect(end).toBe(4);
  expect(line).toContain('speaks no TLS version that was offered');
  await server.stop();
});

test('a server that shares no cipher', async () => {
  const server = await startSServer({ identity: pki.server, protocol: 'TLSv1.2' });
  const ciphers = ['--tls-max', '1.2', '--ciphers', 'ECDHE-RSA-AES128-GCM-SHA256'];
  const { end, line } = await fault([`127.0.0.1:${server.port}`, ...ciphers]);
  expect(end).toBe(4);
  expect(line).toContain('have nothing in common (alert handshake_failure)');
  await server.stop();
});

test('a server that speaks none of the protocols of --alpn', async () => {
  const server = await startSServer({ identity: pki.server, args: ['-alpn', 'h2'] });
  const { end, line } = await fault([`127.0.0.1:${server.port}`, '--alpn', 'http/1.1']);
  expect(end).toBe(4);
  expect(line).toContain('--alpn');
  await server.stop();
});

test.each([
  [['--ca', '/nonexistent.pem'], '--ca /nonexistent.pem cannot be read: there is no such file.'],
  [['--ca', __dirname], 'it is a folder'],
  [['--ca', __filename], 'holds no certificate in PEM form'],
  [['--ciphers', 'NONSENSE'], '--ciphers names no cipher'],
  [['--tls-min', '1.3', '--tls-max', '1.2'], '--tls-min 1.3 is above --tls-max 1.2.'],
  [['--servername', 'x'.repeat(300)], '--servername, is too long'],
  [['--path', 'members'], '--path members has to begin with a slash'],
  [['--path', '/', '--alpn', 'h2'], '--path needs HTTP/1.1'],
  [['--svg', '/nonexistent/a.svg'], '--svg /nonexistent/a.svg cannot be written'],
])('what is wrong with %j', async (args, words) => {
  const server = await startSServer({ identity: pki.server });
  const { end, line } = await fault([`127.0.0.1:${server.port}`, ...args]);
  await server.stop();
  expect(end).toBe(2);
  expect(line).toContain(words);
});

test('Ctrl-C while it waits: progress after half a second, one line, 130', async () => {
  const port = await plainServer(() => {});
  const running = cli.start(['probe', `127.0.0.1:${port}`, '--timeout', '60']);
  await running.printed.waitFor(`Connecting to 127.0.0.1:${port} …\n`);
  running.kill('SIGINT');
  expect(await running.result).toEqual({
    end: 130,
    stdout: '',
    stderr: `Connecting to 127.0.0.1:${port} …\ntls-client-cert: Interrupted.\n`,
  });
});

test('with --json a fault is an object on stdout', async () => {
  const port = await freePort();
  const { end, stdout, stderr } = await cli.run(['probe', '--json', `127.0.0.1:${port}`]);
  expect([end, withoutProgress(stderr)]).toEqual([3, '']);
  expect(JSON.parse(stdout)).toEqual({
    error: {
      code: 'ECONNREFUSED',
      message: expect.stringContaining('refused the connection'),
      exitCode: 3,
    },
  });
});

test('NODE_DEBUG shows where it went wrong', async () => {
  const port = await freePort();
  const env = { NODE_DEBUG: 'tls-client-cert' };
  const { stderr } = await cli.run(['probe', `127.0.0.1:${port}`], { env });
  expect(stderr).toMatch(/^TLS-CLIENT-CERT \d+: Error: connect ECONNREFUSED/m);
});

/** What a program ends with, and says, when nobody reads what it writes. */
async function withoutReader(
  ...command: readonly string[]
): Promise<{ end: string; said: string }> {
  const script = '"$@" | true; echo "$PIPESTATUS"';
  // Of a locale that is not installed bash complains.
  const env = { ...plainEnvironment(), LC_ALL: 'C' };
  return new Promise((resolve) => {
    execFile('bash', ['-c', script, 'bash', ...command], { env }, (_, stdout, stderr) => {
      resolve({ end: stdout.trim(), said: withoutProgress(stderr) });
    });
  });
}

test('a reader that goes early ends it without a word', async () => {
  const server = await startSServer({ identity: pki.server });
  const args = [cli.main, 'probe', `localhost:${server.port}`];
  expect(await withoutReader(process.execPath, ...args)).toEqual({ end: '0', said: '' });
  await server.stop();
});

test('so it is in the middle of what takes longer', async () => {
  const finish = JSON.stringify(join(dirname(cli.main), 'finish.js'));
  const program = `require(${finish}).mindOutput();
    setInterval(() => console.log('more'), 5)`;
  expect(await withoutReader(process.execPath, '-e', program)).toEqual({ end: '0', said: '' });
});

test('a result that cannot be written is no success', async () => {
  const { end, said } = await new Promise<{ end: unknown; said: string }>((resolve) => {
    const command = `"${process.execPath}" "${cli.main}" completion bash > /dev/full`;
    execFile('sh', ['-c', command], { env: plainEnvironment() }, (error, _, stderr) =>
      resolve({ end: error?.code, said: stderr }),
    );
  });
  expect({ end, said }).toEqual({
    end: 1,
    said: expect.stringMatching(/^tls-client-cert: The output cannot be written: ENOSPC[^\n]+\n$/),
  });
});

test.each([
  ['an exception', 'throw new Error("Odd.")'],
  ['a rejection', 'Promise.reject(new Error("Odd."))'],
])('a defect, by %s that nobody catches', async (_, code) => {
  const file = join(cli.folder, 'defect.cjs');
  writeFileSync(file, `process.nextTick(() => setImmediate(() => { ${code}; }));`);
  const port = await plainServer(() => {});
  const env = { NODE_OPTIONS: `--require ${file}` };
  const { end, stdout, stderr } = await cli.run(['probe', `127.0.0.1:${port}`], { env });
  expect([end, stdout]).toEqual([1, '']);
  expect(stderr).toMatch(/^tls-client-cert: Something unexpected went wrong: Odd\. [^\n]+\n$/m);
});
