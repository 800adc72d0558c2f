/** The s_server support proves itself on `openssl s_client` and node:tls. */
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { connect as tlsConnect } from 'node:tls';
import { OPENSSL, opensslEnvironment } from '../support/openssl';
import { type Identity, loadPki } from '../support/pki';
import { isRunning, notRunning } from '../support/processes';
import { startSServer } from '../support/s-server';

const pki = loadPki();

/** A real `openssl s_client`, which stays connected until its standard input ends. */
function startSClient(port: number, identity: Identity | undefined, args: string[] = []) {
  const cert = identity === undefined ? [] : ['-cert', identity.certPath, '-key', identity.keyPath];
  const child = spawn(OPENSSL, ['s_client', '-connect', `127.0.0.1:${port}`, ...cert, ...args], {
    env: opensslEnvironment(),
  });
  child.stdout.resume();
  child.stderr.resume();
  const exited = once(child, 'exit');
  return {
    async stop() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('s_server, %s', (protocol) => {
  test('says whom it saw and which chain came', async () => {
    const server = await startSServer({
      identity: pki.server,
      requestCert: 'required',
      clientCa: pki.clientCasPath,
      protocol,
    });
    const { deepClient } = pki;
    const client = startSClient(server.port, deepClient, ['-cert_chain', deepClient.chainPath]);
    const seen = await server.sawClient();
    expect(seen.subject).toBe(deepClient.subject);
    expect(seen.chainLength).toBe(3);
    expect(seen.chain[0]?.raw).toEqual(new X509Certificate(deepClient.cert).raw);
    await client.stop();

    const second = startSClient(server.port, pki.clientB);
    expect((await server.sawClient(2)).subject).toBe(pki.clientB.subject);
    expect(server.clientCertificateMessageCount).toBe(2);
    await second.stop();
    await server.stop();
  });

  test('sees an empty Certificate message as nobody', async () => {
    const server = await startSServer({ identity: pki.server, requestCert: 'optional', protocol });
    const client = startSClient(server.port, undefined);
    expect(await server.sawClient()).toEqual({ subject: undefined, chain: [], chainLength: 0 });
    expect(await server.clientChain()).toEqual([]);
    await client.stop();
    await server.stop();
  });

  test('names its client CAs, or does not', async () => {
    const names = async (nameClientCa: boolean) => {
      const server = await startSServer({
        identity: pki.server,
        requestCert: 'optional',
        clientCa: pki.clientCasPath,
        nameClientCa,
        protocol,
      });
      const child = spawn(
        OPENSSL,
        ['s_client', '-connect', `127.0.0.1:${server.port}`, '-nameopt', 'RFC2253'],
        { env: opensslEnvironment() },
      );
      let printed = '';
      child.stderr.resume();
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
      });
      const exited = once(child, 'close');
      await server.sawClient();
      child.stdin.end('Q\n');
      await exited;
      await server.stop();
      return [pki.clientCaA, pki.clientCaB].map(({ subject }) => printed.includes(subject));
    };
    expect(await names(true)).toEqual([true, true]);
    expect(await names(false)).toEqual([false, false]);
  });

  test('refuses a client of an unknown CA', async () => {
    const server = await startSServer({
      identity: pki.serverRsa,
      requestCert: 'required',
      clientCa: pki.clientCaA.certPath,
      protocol,
    });
    const client = startSClient(server.port, pki.clientB);
    await server.waitFor(/verify error:num=20/);
    await server.waitFor(/^ERROR$/m);
    await client.stop();
    await server.stop();
  });
});

describe('s_server', () => {
  test('asks again when told to, after the handshake', async () => {
    const server = await startSServer({
      identity: pki.server,
      requestCert: 'optional',
      protocol: 'TLSv1.3',
    });
    const client = startSClient(server.port, pki.clients.ec256, ['-enable_pha']);
    await server.sawClient();
    server.type('c');
    expect(await server.clientChain(2)).toHaveLength(1);
    await client.stop();
    await server.stop();
  });

  test('asks by renegotiation when told to', async () => {
    const server = await startSServer({
      identity: pki.server,
      clientCa: pki.clientCaA.certPath,
      nameClientCa: false,
      protocol: 'TLSv1.2',
      args: ['-no_resumption_on_reneg'],
    });
    const client = startSClient(server.port, pki.clients.ec256);
    expect((await server.sawClient()).subject).toBeUndefined();
    server.type('R');
    expect(await server.clientChain()).toHaveLength(1);
    await client.stop();
    await server.stop();
  });

  test('carries data both ways, with the messages shown or not', async () => {
    const server = await startSServer({ identity: pki.server, messages: false, args: ['-rev'] });
    const socket = tlsConnect({ port: server.port, ca: pki.serverCa.cert });
    socket.write('abc\n');
    const [reversed] = await once(socket, 'data');
    expect(String(reversed)).toBe('cba\n');
    socket.destroy();
    await server.stop();

    const talker = await startSServer({ identity: pki.server });
    const listener = tlsConnect({ port: talker.port, ca: pki.serverCa.cert });
    listener.write('to the server\n');
    await talker.waitFor('to the server');
    talker.type('to the client');
    const [heard] = await once(listener, 'data');
    expect(String(heard)).toBe('to the client\n');
    listener.destroy();
    await talker.stop();
  });

  test('stops by process number, and twice', async () => {
    const server = await startSServer({ identity: pki.server });
    const pid = server.pid ?? 0;
    expect(isRunning(pid)).toBe(true);
    await server.stop();
    await server.stop();
    expect(isRunning(pid)).toBe(false);
    await expect(server.waitFor('never')).rejects.toThrow('ended before');
  });

  test('bounds its waits, and says what was printed', async () => {
    const server = await startSServer({ identity: pki.server });
    await expect(server.waitFor(/never/, 30)).rejects.toThrow(/no \/never\/ in 30 ms.*ACCEPT/s);
    await server.stop();
  });

  test('reports an argument that openssl refuses', async () => {
    const started = startSServer({ identity: pki.server, args: ['-no-such-flag'] });
    await expect(started).rejects.toThrow(/no-such-flag/);
  });

  test('does not outlive a parent that was killed', async () => {
    const child = spawn(
      process.execPath,
      ['--require', './tools/register-typescript.cjs', 'test/support/orphan-child.ts'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [text] = await once(child.stdout.setEncoding('utf8'), 'data');
    const pid = Number(text);
    expect(isRunning(pid)).toBe(true);
    child.kill('SIGKILL');
    await notRunning(() => isRunning(pid));
    expect(isRunning(pid)).toBe(false);
  });
});
