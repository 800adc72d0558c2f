/** The forging proxy proves itself between node:tls or `openssl s_client` and real servers. */
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { type EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { startNodeServer } from '../support/node-server';
import { OPENSSL, opensslEnvironment } from '../support/openssl';
import { loadPki } from '../support/pki';
import { Dialogue, startPythonServer } from '../support/python-server';
import {
  ALERT,
  alert,
  certificateRequest,
  HANDSHAKE,
  keyLogFile,
  keyLogOf,
  plaintextAlert,
  TLS13Proxy,
} from '../support/records';
import { startSServer } from '../support/s-server';

const pki = loadPki();
const { ec256 } = pki.clients;
const APPLICATION_DATA = 23;
const scratch = mkdtempSync(join(tmpdir(), 'tcc-records-'));

afterAll(() => rmSync(scratch, { recursive: true }));

function soon(emitter: EventEmitter, event: string): Promise<unknown[]> {
  return once(emitter, event, { signal: AbortSignal.timeout(5_000) });
}

function nodeClient(port: number) {
  return tlsConnect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: pki.serverCa.cert,
    cert: pki.deepClient.cert + pki.deepClient.chain,
    key: pki.deepClient.key,
  });
}

/** A node:tls client that has exchanged data with an echoing server through a proxy. */
async function throughProxy(ciphers?: string) {
  const server = await startNodeServer({
    identity: pki.server,
    ...(ciphers !== undefined && { ciphers }),
  });
  const proxy = await TLS13Proxy.start(server.port, keyLogOf(server.server));
  const socket = nodeClient(proxy.port);
  const dialogue = new Dialogue(socket);
  dialogue.say('first');
  expect(await dialogue.line()).toBe('first');
  const close = async () => {
    socket.destroy();
    await proxy.close();
    await server.close();
  };
  return { server, proxy, socket, dialogue, close };
}

test.each(['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'])(
  '%s: what is injected is read, and what follows as well',
  async (ciphers) => {
    const { proxy, dialogue, close } = await throughProxy(ciphers);
    for (let round = 0; round < 3; round += 1) {
      proxy.inject(APPLICATION_DATA, Buffer.from('forged\n'));
      expect(await dialogue.line()).toBe('forged');
      const text = 'real'.repeat(50_000);
      dialogue.say(text);
      expect(await dialogue.line()).toBe(text);
    }
    await close();
  },
);

test('tells what client and server said in the handshake', async () => {
  const { proxy, close } = await throughProxy();
  const [certificate] = proxy.clientMessages();
  if (certificate?.type !== 'certificate') throw new Error('the client sent no certificate');
  expect(certificate.context).toHaveLength(0);
  expect(certificate.chain).toHaveLength(3);
  expect(certificate.chain[0]?.raw).toEqual(new X509Certificate(pki.deepClient.cert).raw);
  // CertificateVerify, Finished.
  expect(proxy.clientMessages().slice(1)).toEqual([
    { type: 'handshake', number: 15 },
    { type: 'handshake', number: 20 },
  ]);
  expect(proxy.serverMessages().map(({ type }) => type)).toContain('request');
  await close();
});

test.each([
  [116, 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'],
  [48, 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'],
])('the alert %i reaches the client', async (description, code) => {
  const { proxy, socket, close } = await throughProxy();
  const failed = soon(socket, 'error');
  proxy.inject(ALERT, alert(description));
  expect((await failed)[0]).toMatchObject({ code });
  await close();
});

test('close_notify is an end, and the client answers with its own', async () => {
  const { proxy, socket, close } = await throughProxy();
  const ended = soon(socket, 'end');
  proxy.inject(ALERT, alert(0));
  await ended;
  await proxy.until('close_notify', () =>
    proxy.clientMessages().find((message) => message.type === 'alert' && message.description === 0),
  );
  await close();
});

test.each([
  ['fin', 'end'],
  ['reset', 'error'],
] as const)('%s()', async (how, event) => {
  const { proxy, socket, close } = await throughProxy();
  const over = soon(socket, event);
  proxy[how]();
  await over;
  await close();
});

test('a plaintext alert reaches a client in its handshake', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const proxy = await TLS13Proxy.start((silent.address() as AddressInfo).port, () => '');
  expect(() => proxy.injectRaw(plaintextAlert(48))).toThrow('no client is connected');
  const failed = soon(
    nodeClient(proxy.port).once('connect', () => {}),
    'error',
  );
  await soon(silent, 'connection');
  expect(() => proxy.inject(ALERT, alert(48))).toThrow('not in the log');
  proxy.injectRaw(plaintextAlert(48));
  expect((await failed)[0]).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' });
  await proxy.close();
  silent.close();
});

test('a forged request is answered, and the server never learns of it', async () => {
  const keyLogPath = join(scratch, 'python');
  const server = await startPythonServer({
    identity: pki.server,
    clientCa: pki.clientCaA.certPath,
    keyLogPath,
  });
  const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
  const child = spawn(
    OPENSSL,
    [
      ...['s_client', '-connect', `127.0.0.1:${proxy.port}`, '-quiet', '-enable_pha'],
      ...['-cert', ec256.certPath, '-key', ec256.keyPath],
    ],
    { env: opensslEnvironment(), stdio: ['pipe', 'pipe', 'ignore'] },
  );
  const exited = once(child, 'close');
  const dialogue = new Dialogue(child.stdout, child.stdin);
  const answers = () => proxy.clientMessages().filter((message) => message.type === 'certificate');

  expect((await dialogue.who()).subject).toBeNull();
  const context = Buffer.from('forged');
  proxy.inject(HANDSHAKE, certificateRequest(context));
  const [forged] = await proxy.until('answer', () => answers().length === 1 && answers());
  expect(forged).toMatchObject({ context, chain: [expect.any(X509Certificate)] });
  expect((await dialogue.who()).subject).toBeNull();

  // A real one still works, both directions having been numbered anew.
  dialogue.say('ask');
  expect(await dialogue.line()).toBe('asked');
  expect((await dialogue.who()).subject).toBe(ec256.subject);
  expect(answers()).toHaveLength(2);
  const requests = proxy.serverMessages().filter((message) => message.type === 'request');
  expect(requests.map(({ context: real }) => real)).toEqual([answers()[1]?.context]);

  child.kill('SIGKILL');
  await exited;
  await proxy.close();
  await server.stop();
});

test('reads the key log of s_server, and says that it knows no KeyUpdate', async () => {
  const path = join(scratch, 's_server');
  const server = await startSServer({
    identity: pki.server,
    protocol: 'TLSv1.3',
    args: ['-keylogfile', path],
  });
  const proxy = await TLS13Proxy.start(server.port, keyLogFile(path));
  const socket = nodeClient(proxy.port).on('error', () => {});
  await server.sawClient();
  proxy.inject(APPLICATION_DATA, Buffer.from('forged\n'));
  expect(await new Dialogue(socket).line()).toBe('forged');
  server.type('k');
  await expect(proxy.until('nothing', () => false)).rejects.toThrow('no KeyUpdate');
  socket.destroy();
  await proxy.close();
  await server.stop();
});
