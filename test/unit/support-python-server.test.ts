/** The Python server proves itself on `openssl s_client -enable_pha` and node:tls. */
import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { type EventEmitter, once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { OPENSSL, opensslEnvironment } from '../support/openssl';
import { type Identity, loadPki } from '../support/pki';
import { isRunning, notRunning } from '../support/processes';
import { Dialogue, type PythonServer, pattern, startPythonServer } from '../support/python-server';

const pki = loadPki();
const { ec256 } = pki.clients;
const MEGABYTE = 1024 * 1024;

const S_CLIENT = ['s_client', '-quiet', '-enable_pha', '-CAfile', pki.serverCa.certPath];
const scratch = mkdtempSync(join(tmpdir(), 'tcc-python-'));
let server: PythonServer;

beforeAll(async () => {
  server = await startPythonServer({ identity: pki.server, clientCa: pki.clientCaA.certPath });
});

afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true });
});

/** `once` that does not wait for ever. */
function soon(emitter: EventEmitter, event: string): Promise<unknown[]> {
  return once(emitter, event, { signal: AbortSignal.timeout(5_000) });
}

function pause<T>(ms: number, value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(resolve, ms, value));
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A node:tls client, which no server can ask after the handshake. */
async function nodeClient(to = server, options: ConnectionOptions = {}) {
  const socket: TLSSocket = tlsConnect({
    port: to.port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: pki.serverCa.cert,
    ...options,
  });
  await soon(socket, 'secureConnect');
  socket.on('error', () => {});
  return { socket, dialogue: new Dialogue(socket) };
}

/** An `openssl s_client` that can be asked; what it says about TLS is in `told`. */
function sClient(to: PythonServer, identity: Identity | undefined, args: string[] = []) {
  const cert = identity === undefined ? [] : ['-cert', identity.certPath, '-key', identity.keyPath];
  const child = spawn(
    OPENSSL,
    [...S_CLIENT, '-connect', `127.0.0.1:${to.port}`, ...cert, ...args],
    { env: opensslEnvironment() },
  );
  child.stdin.on('error', () => {});
  let told = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  const exited = once(child, 'close');
  return {
    dialogue: new Dialogue(child.stdout, child.stdin),
    stdin: child.stdin,
    /** What it said about TLS, once it has ended by itself. */
    async ended() {
      const late = setTimeout(() => child.kill('SIGKILL'), 5_000);
      await exited;
      clearTimeout(late);
      return told;
    },
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

describe('data', () => {
  test('echo, sink, source and who, one after another', async () => {
    const { socket, dialogue } = await nodeClient();
    const data = pattern(3 * MEGABYTE + 17);
    dialogue.say(`echo ${data.length}`);
    socket.write(data);
    expect(sha256(await dialogue.bytes(data.length))).toBe(sha256(data));

    // In the same record as its command.
    socket.write('sink 5\nhello');
    expect(await dialogue.line()).toBe(`sunk 5 ${sha256(Buffer.from('hello'))}`);
    dialogue.say(`sink ${data.length}`);
    socket.write(data);
    expect(await dialogue.line()).toBe(`sunk ${data.length} ${sha256(data)}`);

    dialogue.say(`source ${data.length}`);
    expect((await dialogue.bytes(data.length)).equals(data)).toBe(true);

    expect(await dialogue.who()).toEqual({
      subject: null,
      fingerprint: null,
      reused: false,
      protocol: 'TLSv1.3',
      alpn: null,
    });
    dialogue.say('nonsense');
    expect(await dialogue.line()).toBe('unknown command nonsense');
    dialogue.say('say good bye');
    expect(await dialogue.line()).toBe('good bye');
    await soon(socket, 'close');
    socket.destroy();
  });

  test('serves many connections at a time, and keeps none of them', async () => {
    const fresh = await startPythonServer({ identity: pki.server });
    const count = () =>
      ['fd', 'task'].map((what) => readdirSync(`/proc/${fresh.pid}/${what}`).length);
    const onLinux = process.platform === 'linux';
    const before = onLinux ? count() : [];
    for (let round = 0; round < 5; round += 1) {
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const { socket, dialogue } = await nodeClient(fresh);
          expect((await dialogue.who()).protocol).toBe('TLSv1.3');
          socket.end();
          await soon(socket, 'close');
        }),
      );
    }
    // The last threads may still be on their way out.
    let now = onLinux ? count() : [];
    for (let tries = 0; tries < 200 && String(now) !== String(before); tries += 1) {
      await pause(20, undefined);
      now = count();
    }
    expect(now).toEqual(before);
    await fresh.stop();
  });
});

describe('questions', () => {
  test('ask: the server sees nobody, then whom it asked', async () => {
    const client = sClient(server, ec256);
    expect((await client.dialogue.who()).subject).toBeNull();
    client.dialogue.say('ask');
    expect(await client.dialogue.line()).toBe('asked');
    expect(await client.dialogue.who()).toMatchObject({
      subject: ec256.subject,
      fingerprint: sha256(new X509Certificate(ec256.cert).raw),
      reused: false,
    });
    await client.stop();
  });

  test('ask: a client without the extension cannot be asked', async () => {
    const { socket, dialogue } = await nodeClient();
    dialogue.say('ask');
    expect(await dialogue.line()).toBe('cannot ask: EXTENSION_NOT_RECEIVED');
    expect((await dialogue.who()).subject).toBeNull();
    socket.destroy();
  });

  test('ask: a client of another CA is refused with an alert', async () => {
    const client = sClient(server, pki.clientB);
    const from = server.output.length;
    client.dialogue.say('ask');
    expect(await client.dialogue.line()).toBe('asked');
    await server.waitFor(/CERTIFICATE_VERIFY_FAILED/, from);
    expect(await client.ended()).toMatch(/alert unknown ca/);
  });

  test('ask: with requestCert required, nobody is refused', async () => {
    const strict = await startPythonServer({
      identity: pki.server,
      clientCa: pki.clientCaA.certPath,
      requestCert: 'required',
    });
    const client = sClient(strict, undefined);
    client.dialogue.say('ask');
    expect(await client.dialogue.line()).toBe('asked');
    expect(await client.ended()).toMatch(/alert certificate required/);
    await strict.stop();
  });

  test.each(['sink', 'echo', 'source'])('%s asks while it is at it', async (name) => {
    const messages = join(scratch, `${name}.messages`);
    const client = sClient(server, ec256, ['-msg', '-msgfile', messages]);
    const { dialogue } = client;
    const data = pattern(MEGABYTE);
    dialogue.say(`${name} ${data.length} every ${data.length / 4}`);
    if (name !== 'source') client.stdin.write(data);
    if (name === 'sink') {
      expect(await dialogue.line()).toBe(`sunk ${data.length} ${sha256(data)}`);
    } else {
      expect((await dialogue.bytes(data.length)).equals(data)).toBe(true);
    }
    // Whoever is seen has answered, and everything asked before came before this line.
    expect((await dialogue.who()).subject).toBe(ec256.subject);
    await client.stop();
    const count = (what: RegExp) => readFileSync(messages, 'utf8').match(what)?.length;
    expect(count(/^<<< .* CertificateRequest$/gm)).toBe(4);
    expect(count(/^>>> .* Certificate$/gm)).toBe(4);
  });

  test('ask-then-say: the request, the words, close_notify, the end', async () => {
    const client = sClient(server, ec256);
    client.dialogue.say('ask-then-say so  long');
    expect(await client.dialogue.line()).toBe('so long');
    expect(await client.ended()).not.toMatch(/error/);
  });

  test('ask-then-stall: what follows the request is not read', async () => {
    const client = sClient(server, ec256);
    client.dialogue.say('ask-then-stall');
    client.dialogue.say('who');
    await expect(client.dialogue.line(200)).rejects.toThrow('no line in 200 ms');
    await client.stop();
  });
});

describe('the end', () => {
  const endings = [
    ['close', 'end'],
    // Node's client takes a bare FIN for an end, and tells it by an alert in s_client.
    ['fin', 'end'],
    ['reset', 'ECONNRESET'],
  ] as const;
  // That libuv takes a reset which comes with data for an end shows only in the "at once" ones.

  test.each(endings)('%s, on cue or at once', async (name, expected) => {
    for (const cue of ['', ' cue']) {
      const { socket, dialogue } = await nodeClient();
      const ended = new Promise<string>((resolve) => {
        socket.once('end', () => resolve('end'));
        socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      });
      // The answer to the first line shows that the second was read.
      socket.write(`sink 1\nx${name}${cue}\n`);
      await dialogue.line();
      if (cue !== '') {
        expect(await Promise.race([ended, pause(30, 'waits')])).toBe('waits');
        server.cue();
      }
      if (cue !== '') expect(await ended).toBe(expected);
      else expect(await ended).toMatch(/end|ECONNRESET/);
      socket.destroy();
    }
  });

  test.each([
    ['close', undefined],
    ['fin', /unexpected eof/],
    ['reset', /errno=104|ECONNRESET/],
  ] as const)('ask-then-%s, on cue or at once', async (name, complaint) => {
    for (const cue of ['', ' cue']) {
      const messages = join(scratch, `${name}${cue}.messages`);
      const client = sClient(server, undefined, ['-msg', '-msgfile', messages]);
      client.dialogue.say(`ask-then-${name}${cue}`);
      if (cue !== '') {
        const asked = () => /^<<< .* CertificateRequest$/m.test(readFileSync(messages, 'utf8'));
        for (let tries = 0; tries < 500 && !(existsSync(messages) && asked()); tries += 1) {
          await pause(10, undefined);
        }
        expect(asked()).toBe(true);
        expect(await Promise.race([client.ended(), pause(100, 'waits')])).toBe('waits');
        server.cue();
      }
      const told = await client.ended();
      if (complaint === undefined) expect(told).not.toMatch(/error|errno/);
      else expect(told).toMatch(complaint);
      const closed = /^<<< .*\n.*01 00\n/m.test(readFileSync(messages, 'utf8'));
      expect(closed).toBe(name === 'close');
    }
  });

  test('quit ends the process', async () => {
    const other = await startPythonServer({ identity: pki.server });
    const { socket, dialogue } = await nodeClient(other);
    dialogue.say('quit');
    await other.ended();
    socket.destroy();
  });
});

describe('settings', () => {
  test.each(['TLSv1.2', 'TLSv1.3'] as const)('asks in the %s handshake', async (version) => {
    const asking = await startPythonServer({
      identity: pki.server,
      clientCa: pki.clientCaA.certPath,
      postHandshakeOnly: false,
      requestCert: 'required',
      minVersion: version,
      maxVersion: version,
      alpnProtocols: ['two', 'three'],
    });
    const { cert, key } = ec256;
    const { socket, dialogue } = await nodeClient(asking, { cert, key, ALPNProtocols: ['three'] });
    expect(await dialogue.who()).toMatchObject({
      subject: ec256.subject,
      protocol: version,
      alpn: 'three',
    });
    socket.destroy();
    await asking.stop();
  });

  test.each([0, 3])('sends %i tickets, which resume the session and whom it saw', async (count) => {
    const tickets = await startPythonServer({
      identity: pki.server,
      clientCa: pki.clientCaA.certPath,
      postHandshakeOnly: false,
      ticketCount: count,
    });
    const { cert, key } = ec256;
    const first = await nodeClient(tickets, { cert, key });
    const sessions: Buffer[] = [];
    first.socket.on('session', (session) => sessions.push(session));
    expect((await first.dialogue.who()).reused).toBe(false);
    expect(sessions).toHaveLength(count);
    first.socket.destroy();
    const [session] = sessions;
    if (session !== undefined) {
      const again = await nodeClient(tickets, { session });
      expect(await again.dialogue.who()).toMatchObject({ reused: true, subject: ec256.subject });
      again.socket.destroy();
    }
    await tickets.stop();
  });

  test('writes a key log', async () => {
    const keyLogPath = join(scratch, 'keys');
    const logging = await startPythonServer({ identity: pki.server, keyLogPath });
    const { socket, dialogue } = await nodeClient(logging);
    await dialogue.who();
    expect(readFileSync(keyLogPath, 'utf8')).toMatch(/^SERVER_TRAFFIC_SECRET_0 /m);
    socket.destroy();
    await logging.stop();
  });
});

describe('the process', () => {
  test('is stopped by its number, twice without harm', async () => {
    const other = await startPythonServer({ identity: pki.server });
    const pid = other.pid ?? 0;
    process.kill(pid, 0);
    await other.stop();
    await other.stop();
    expect(() => process.kill(pid, 0)).toThrow('ESRCH');
    await expect(other.waitFor(/never/)).rejects.toThrow('ended before');
  });

  test('waits no longer than told, and says what was printed', async () => {
    await expect(server.waitFor(/never/, 0, 30)).rejects.toThrow(/no \/never\/ in 30 ms.*PORT/s);
  });

  test('a Python without ssl, and none at all, fail with a sentence', async () => {
    const env = { PYTHONPATH: scratch };
    writeFileSync(join(scratch, 'ssl.py'), "raise ImportError('no _ssl here')\n");
    const options = { identity: pki.server };
    await expect(startPythonServer({ ...options, env })).rejects.toThrow(
      /need Python 3 with its ssl module .*this Python has no ssl module \(no _ssl here\)/s,
    );
    await expect(startPythonServer({ ...options, python: '/no/such/python' })).rejects.toThrow(
      /need Python 3 with its ssl module .*ENOENT/,
    );
  });

  test('does not outlive a parent that was killed', async () => {
    const program = `
      const { startPythonServer } = require('./test/support/python-server');
      const { loadPki } = require('./test/support/pki');
      startPythonServer({ identity: loadPki().server }).then(({ pid }) => console.log(pid));
    `;
    const args = ['--require', './tools/register-typescript.cjs', '-e', program];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [text] = await soon(child.stdout.setEncoding('utf8'), 'data');
    const pid = Number(text);
    expect(isRunning(pid)).toBe(true);
    child.kill('SIGKILL');
    await notRunning(() => isRunning(pid));
    expect(isRunning(pid)).toBe(false);
  });
});
