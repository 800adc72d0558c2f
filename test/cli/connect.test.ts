/** `connect` without a terminal, as scripts use it. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { type Cli, installCli, withoutProgress } from '../support/cli';
import { withSServer } from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { freePort } from '../support/server-process';

const pki = loadPki();
const { clients, clientB, encodings } = pki;
const required = { requestCert: 'required', clientCa: pki.clientCaA.certPath } as const;
const trust = ['--ca', pki.serverCa.certPath];
const mine = ['-i', clients.ec256.certPath, '-i', clients.ec256.keyPath];
let cli: Cli;

beforeAll(() => {
  cli = installCli();
});

afterAll(() => cli.remove());

const connect = (port: number, ...args: string[]) => [
  'connect',
  `127.0.0.1:${port}`,
  ...trust,
  ...args,
];

/** Writes a file of its own. */
function file(name: string, content: string | Buffer): string {
  const path = join(cli.folder, name);
  writeFileSync(path, content);
  return path;
}

test('--auto sends the first that fits', () =>
  withSServer({ ...required, args: ['-rev'] }, async (server) => {
    const others = ['-i', clientB.certPath, '-i', clientB.keyPath];
    const args = connect(server.port, ...others, ...mine, '--auto');
    const running = cli.start(args);
    running.stdin.write('hello\n');
    await running.printed.waitFor('olleh');
    running.stdin.end();
    const { end, stdout, stderr } = await running.result;
    expect({ end, stdout }).toEqual({ end: 0, stdout: 'olleh\n' });
    expect(withoutProgress(stderr)).toMatch(
      /^Connected to 127\.0\.0\.1:\d+: TLSv1\.3, [^\n]+, trusted\nCertificate sent: CN=client ec256,[^\n]+\n$/,
    );
    const [leaf] = await server.clientChain();
    expect(leaf?.subject).toContain('CN=client ec256');
  }));

test('--decline sends none; --quiet says nothing', () =>
  withSServer({ ...required, requestCert: 'optional', args: ['-rev'] }, async (server) => {
    const running = cli.start(connect(server.port, ...mine, '--decline', '--quiet'));
    running.stdin.write('hello\n');
    await running.printed.waitFor('olleh');
    running.stdin.end();
    expect(await running.result).toEqual({ end: 0, stdout: 'olleh\n', stderr: '' });
    expect(await server.clientChain()).toEqual([]);
  }));

test('nobody can be asked without a terminal: the error names the flags', () =>
  withSServer(required, async (server) => {
    const { end, stdout, stderr } = await cli.run(connect(server.port, ...mine));
    expect({ end, stdout }).toEqual({ end: 2, stdout: '' });
    expect(withoutProgress(stderr)).toMatch(
      /^tls-client-cert: The server asks for a certificate, and nobody can be asked: stdin is no terminal\. Use --auto \(.*\) or --decline \(.*\)\.\n$/,
    );
  }));

test('a server that never asks', async () => {
  const server = await startNodeServer({ identity: pki.server, requestCert: false });
  const { end, stdout, stderr } = await cli.run(connect(server.port, ...mine), {
    input: 'to and fro',
  });
  expect({ end, stdout }).toEqual({ end: 0, stdout: 'to and fro' });
  expect(stderr).toMatch(/, trusted\nCertificate: not asked for\n$/);
  await server.close();
});

test.each([
  ['no identity at hand', ['--pkcs11', '/nowhere.so'], 8, 'There is no file /nowhere.so'],
  ['a folder with nothing', ['-i', '.', '--auto'], 7, 'No identity was found'],
  ['a file that is not there', ['-i', 'nowhere.pem', '--auto'], 8, 'nowhere.pem'],
  ['two answers', ['--auto', '--decline'], 2, 'not both'],
  ['no time', ['--wait', 'long'], 2, '"long" is no time'],
  ['no variable', ['--pin-env', 'NOT_THERE'], 2, 'there is no such environment variable'],
  ['no file', ['--passphrase-file', 'nowhere'], 2, '--passphrase-file nowhere cannot be read'],
  ['both sources', ['--pin-file', 'x', '--pin-env', 'y'], 2, 'not both'],
  ['a header without HTTP', ['-H', 'a: b'], 2, '-H is for HTTP'],
  ['no header', ['-r', '/', '-H', 'Auth secret'], 2, '-H "Auth…" is no header'],
  ['no path', ['-r', 'a b'], 2, 'is no path'],
  ['no data', ['-r', '/', '-d', '@nowhere'], 2, '--data @nowhere cannot be read'],
  ['HTTP/2', ['-r', '/', '--alpn', 'h2,http/1.1'], 2, 'leave h2 out'],
])('%s is told in one line, before anything is connected', async (_name, args, code, words) => {
  const { end, stdout, stderr } = await cli.run(connect(await freePort(), ...args));
  expect(withoutProgress(stderr)).toMatch(/^tls-client-cert: [^\n]+\n$/);
  expect(stderr).toContain(words);
  expect({ end, stdout }).toEqual({ end: code, stdout: '' });
});

test('none that fits, and none at all, are told in one line', () =>
  withSServer(required, async (server) => {
    const others = ['-i', clientB.certPath, '-i', clientB.keyPath, '--auto'];
    const unfit = await cli.run(connect(server.port, ...others));
    expect(withoutProgress(unfit.stderr)).toMatch(
      /^tls-client-cert: No certificate at hand fits [^\n]*client b: It was issued by [^\n]+\n$/,
    );
    expect(unfit.end).toBe(7);
    const empty = join(cli.folder, 'empty');
    mkdirSync(empty);
    const none = await cli.run(connect(server.port), { cwd: empty, env: { HOME: empty } });
    expect(withoutProgress(none.stderr)).toMatch(
      /^tls-client-cert: The server asks for a certificate\. No identity was found\.[^\n]+\n$/,
    );
    expect(none.end).toBe(7);
  }));

test.each([
  [
    'PFX',
    () => file('locked.p12', encodings.pfx),
    'locked.p12 cannot be opened: the passphrase is',
  ],
  [
    'key',
    () => file('locked.pem', clients.rsa.cert + encodings.encryptedPkcs8Pem),
    'The private key in locked.pem cannot be opened: the passphrase is',
  ],
])('--auto passes over a %s that cannot be opened, and says so', (_what, locked, why) =>
  withSServer(required, async (server) => {
    const wrong = ['--passphrase-file', file('wrong', 'wrong\n')];
    const args = connect(server.port, '-i', basename(locked()), ...wrong, '--auto');
    const alone = await cli.run(args);
    expect(withoutProgress(alone.stderr)).toContain(`tls-client-cert: ${why}`);
    expect(alone.end).toBe(8);
    const { end, stderr } = await cli.run([...args, ...mine]);
    expect(withoutProgress(stderr)).toMatch(
      /^Note: [^\n]+ wrong\.\n.*\nCertificate sent: CN=client ec256,/,
    );
    expect(stderr).toContain(`Note: ${why}`);
    expect(end).toBe(0);
    const others = ['-i', clientB.certPath, '-i', clientB.keyPath];
    const unfit = await cli.run([...args, ...others]);
    expect(unfit.stderr).toContain(why);
    expect(unfit.stderr).toContain('client b: It was issued by');
    expect(unfit.end).toBe(8);
    const unasked = await cli.run(
      connect(server.port, '-i', basename(locked()), ...others, '--auto'),
    );
    expect(unasked.stderr).toContain('nobody can be asked');
    expect(unasked.end).toBe(2);
  }),
);

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'a refused certificate is explained, on %s',
  (protocol) =>
    withSServer({ ...required, protocol, nameClientCa: false }, async (server) => {
      const args = connect(server.port, '-i', clientB.certPath, '-i', clientB.keyPath, '--auto');
      const running = cli.start(args);
      const { end, stderr } = await running.result;
      expect(end).toBe(6);
      expect(stderr).toMatch(
        /tls-client-cert: 127\.0\.0\.1:\d+ refused: it does not trust the authority of the client certificate[^\n]+\n$/,
      );
    }),
);

describe('passphrases', () => {
  const encrypted = () => [
    '-i',
    file('encrypted.pem', clients.ec256.cert + encodings.encryptedPkcs8Pem),
    '--auto',
  ];
  const pass = (...args: string[]) =>
    withSServer(required, async (server) => {
      const env = { THE_PASSPHRASE: encodings.passphrase };
      const { end, stderr } = await cli.run(connect(server.port, ...encrypted(), ...args), { env });
      expect(stderr).toContain(`Certificate sent: ${clients.ec256.subject}`);
      expect(end).toBe(0);
    });

  test('from a file', () =>
    pass('--passphrase-file', file('passphrase', `${encodings.passphrase}\n`)));
  test('from the environment', () => pass('--passphrase-env', 'THE_PASSPHRASE'));

  test('a wrong one is told in one line, and is not in it', () =>
    withSServer(required, async (server) => {
      const env = { WRONG: 'not it' };
      const args = connect(server.port, ...encrypted(), '--passphrase-env', 'WRONG');
      const { end, stderr } = await cli.run(args, { env });
      expect(withoutProgress(stderr)).toMatch(/^tls-client-cert: [^\n]*passphrase is wrong\.\n$/);
      expect(stderr).not.toContain('not it');
      expect(end).toBe(8);
    }));

  test('none given, and nobody to ask', () =>
    withSServer(required, async (server) => {
      const { end, stderr } = await cli.run(connect(server.port, ...encrypted()));
      expect(withoutProgress(stderr)).toMatch(
        /^tls-client-cert: The passphrase of .*encrypted\.pem is wanted, .*--passphrase-file/,
      );
      expect(end).toBe(2);
    }));
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  'bytes pass as they are, many at once, on %s',
  async (protocol) => {
    const server = await startNodeServer({
      identity: pki.server,
      requestCert: false,
      minVersion: protocol,
      maxVersion: protocol,
    });
    const sent = randomBytes(8 << 20);
    const child = spawn(process.execPath, [cli.main, ...connect(server.port, '--quiet')]);
    child.stdin.end(sent);
    const ended = once(child, 'close');
    const received = await buffer(child.stdout);
    expect(await ended).toEqual([0, null]);
    // Not toEqual(), which would print them.
    expect(received.equals(sent)).toBe(true);
    await server.close();
  },
);

test('who does not read keeps the other from writing', async () => {
  const bulk = Buffer.alloc(64 << 20);
  const written = { toServer: false, toUs: false };
  const server = await startNodeServer({
    identity: pki.server,
    requestCert: false,
    onConnection: (socket) => {
      socket.pause();
      socket.write(bulk, () => {
        written.toUs = true;
      });
    },
  });
  const child = spawn(process.execPath, [cli.main, ...connect(server.port, '--quiet')]);
  const ended = once(child, 'close');
  child.stdin.on('error', () => {});
  child.stdin.write(bulk, () => {
    written.toServer = true;
  });
  try {
    await once(child.stdout, 'readable');
    // Long enough for all of it, were nothing in the way.
    await setTimeout(700);
    expect(written).toEqual({ toServer: false, toUs: false });
  } finally {
    child.kill('SIGKILL');
    child.stdout.destroy();
    await ended;
    await server.close();
  }
});

test('the end of stdin ends this side alone; the end of the server ends the program', async () => {
  const server = await startNodeServer({
    identity: pki.server,
    requestCert: false,
    allowHalfOpen: true,
    onConnection: (socket) => {
      let heard = '';
      socket.on('data', (data) => {
        heard += data;
      });
      socket.on('end', () => socket.end(`heard ${heard}`));
    },
  });
  const { end, stdout } = await cli.run(connect(server.port, '-q'), { input: 'all of it' });
  expect({ end, stdout }).toEqual({ end: 0, stdout: 'heard all of it' });
  await server.close();
});

test('the server ends while stdin is open', async () => {
  const server = await startNodeServer({
    identity: pki.server,
    requestCert: false,
    onConnection: (socket) => setImmediate(() => socket.end('bye')),
  });
  expect(await cli.start(connect(server.port, '-q')).result).toEqual({
    end: 0,
    stdout: 'bye',
    stderr: '',
  });
  await server.close();
});

test('SSLKEYLOGFILE', () =>
  withSServer(required, async (server) => {
    const SSLKEYLOGFILE = join(cli.folder, 'keys.log');
    await cli.run(connect(server.port, ...mine, '--auto'), { env: { SSLKEYLOGFILE } });
    const keys = readFileSync(SSLKEYLOGFILE, 'utf8');
    expect(keys).toMatch(/^CLIENT_TRAFFIC_SECRET_0 [0-9a-f]+ [0-9a-f]+$/m);
  }));

test('Ctrl-C elsewhere than at a prompt', async () => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<import('node:net').Socket>((resolve) =>
    server.once('connection', resolve),
  );
  const { port } = server.address() as import('node:net').AddressInfo;
  const running = cli.start(connect(port));
  (await accepted).once('data', () => running.kill('SIGINT'));
  const { end, stderr } = await running.result;
  expect({ end, stderr: stderr.split('\n').at(-2) }).toEqual({
    end: 130,
    stderr: 'tls-client-cert: Interrupted.',
  });
  server.close();
});
