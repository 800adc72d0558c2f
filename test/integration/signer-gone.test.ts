/** A server that goes while a signature is waited for: one error, and nobody was shown. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { types } from 'node:util';
import { type ConnectionOptions, Credential } from '../../lib/index';
import {
  type AnyError,
  credentialOf,
  dial,
  endedBy,
  inTurn,
  later,
  type Protocol,
  secured,
  within,
} from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { Dialogue, type PythonServer, startPythonServer } from '../support/python-server';
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
import { type HeldCall, heldSigner, signedBy } from '../support/signers';

const pki = loadPki();
const identity = pki.clients.ec256;
const A = new Credential(credentialOf(identity));
const scratch = mkdtempSync(join(tmpdir(), 'tcc-signer-gone-'));
const keyLogPath = join(scratch, 'keys');
/** How TCP tells that the peer is gone, whichever call notices first. */
const GONE = /^(ECONNRESET|EPIPE|ERR_SSL_UNEXPECTED_EOF_WHILE_READING)$/;

let server: PythonServer;

beforeAll(async () => {
  server = await startPythonServer({
    identity: pki.server,
    clientCa: pki.clientCasPath,
    keyLogPath,
  });
});

afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true });
});

const certificates = (proxy: TLS13Proxy) =>
  proxy.clientMessages().filter(({ type }) => type === 'certificate');

/** That the signer was told the error of the connection, and that a late signature does no harm. */
async function expectGivenUp(socket: ReturnType<typeof dial>, call: HeldCall, error: AnyError) {
  const events: string[] = [];
  for (const name of ['error', 'close', 'secureConnect', 'data']) {
    socket.on(name, () => events.push(name));
  }
  expect(call.signal.aborted).toBe(true);
  expect(types.isNativeError(call.signal.reason)).toBe(true);
  expect((call.signal.reason as AnyError).code).toBe(error.code);
  expect(socket.clientAuth).toMatchObject({ status: 'failed', sent: false });
  call.give();
  await later(null, 5);
  expect(events).toEqual([]);
  expect(socket.clientAuth).toMatchObject({ status: 'failed', sent: false });
}

describe.each(['from the callback', 'set in advance'])('a signer %s', (source) => {
  /** How to connect with a signer that keeps everybody waiting. */
  function held() {
    const key = heldSigner(identity);
    const options: ConnectionOptions =
      source === 'set in advance'
        ? signedBy(identity, key)
        : { clientCertCallback: () => signedBy(identity, key) };
    return { key, options };
  }

  describe('in the first handshake', () => {
    async function start(protocol: Protocol) {
      const node = await startNodeServer({
        identity: pki.server,
        minVersion: protocol,
        maxVersion: protocol,
      });
      const proxy = await TLS13Proxy.start(
        node.port,
        protocol === 'TLSv1.3' ? keyLogOf(node.server) : () => '',
      );
      const { key, options } = held();
      const socket = dial(proxy, options);
      const failed = endedBy(socket);
      const call = await key.call();
      const end = async () => {
        await proxy.close();
        await node.close();
      };
      return { node, proxy, socket, call, failed, end };
    }

    test.each<[Protocol, string, (proxy: TLS13Proxy) => void]>([
      ['TLSv1.2', 'by FIN', (proxy) => proxy.fin()],
      ['TLSv1.2', 'by a reset', (proxy) => proxy.reset()],
      ['TLSv1.3', 'by FIN', (proxy) => proxy.fin()],
      ['TLSv1.3', 'by a reset', (proxy) => proxy.reset()],
      [
        'TLSv1.3',
        'by close_notify',
        (proxy) => {
          proxy.inject(ALERT, alert(0));
          proxy.fin();
        },
      ],
    ])('%s, %s', async (_protocol, _how, go) => {
      const { node, proxy, socket, call, failed, end } = await start(_protocol);
      go(proxy);
      const error = await failed;
      expect(error.code).toBe('ECONNRESET');
      expect(error.identity).toBeUndefined();
      await expectGivenUp(socket, call, error);
      expect(node.connections).toEqual([]);
      expect(certificates(proxy)).toEqual([]);
      await end();
    });

    test.each<[Protocol, (proxy: TLS13Proxy) => void]>([
      ['TLSv1.2', (proxy) => proxy.injectRaw(plaintextAlert(48))],
      ['TLSv1.3', (proxy) => proxy.inject(ALERT, alert(48))],
    ])('%s, by an alert', async (protocol, say) => {
      const { node, proxy, socket, call, failed, end } = await start(protocol);
      say(proxy);
      proxy.fin();
      const error = await failed;
      expect(error).toMatchObject({ alert: 'unknown_ca' });
      expect(error.identity).toBeUndefined();
      expect(error.message).not.toContain(identity.subject);
      await expectGivenUp(socket, call, error);
      expect(node.connections).toEqual([]);
      expect(certificates(proxy)).toEqual([]);
      await end();
    });

    test.each<Protocol>(['TLSv1.2', 'TLSv1.3'])(
      '%s: the signature in the turn of the reset',
      async (protocol) => {
        const { proxy, socket, call, failed, end } = await start(protocol);
        proxy.reset();
        call.give();
        expect((await failed).code).toMatch(GONE);
        expect(['failed', 'sent']).toContain(socket.clientAuth.status);
        await end();
      },
    );
  });

  describe('asked after the handshake', () => {
    async function start(more: ConnectionOptions = {}) {
      const { key, options } = held();
      const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
      const socket = dial(proxy, { ...options, ...more });
      const failed = endedBy(socket);
      // Who waits for it looks at it; until then it is nobody's.
      failed.catch(() => {});
      await secured(socket);
      const dialogue = new Dialogue(socket);
      return { key, proxy, socket, dialogue, failed };
    }

    test.each(['close', 'fin', 'reset'])('by %s', async (how) => {
      const { key, proxy, socket, dialogue, failed } = await start();
      dialogue.say(`ask-then-${how} cue`);
      const call = await key.call();
      expect(socket.clientAuth.status).toBe('pending');
      const written = new Promise<unknown>((resolve) => socket.write('never sent', resolve));
      server.cue();
      const error = await failed;
      expect(error.code).toMatch(how === 'reset' ? GONE : /^ECONNRESET$/);
      expect(error.identity).toBeUndefined();
      expect(types.isNativeError(await within('write callback', written))).toBe(true);
      await expectGivenUp(socket, call, error);
      expect(certificates(proxy)).toEqual([]);
      await proxy.close();
    });

    test('what was said between the request and the close is read before the error', async () => {
      const { key, proxy, socket, dialogue, failed } = await start();
      dialogue.say('ask-then-say too late');
      const call = await key.call();
      expect(await dialogue.line()).toBe('too late');
      const error = await failed;
      expect(error.code).toBe('ECONNRESET');
      await expectGivenUp(socket, call, error);
      expect(certificates(proxy)).toEqual([]);
      await proxy.close();
    });

    test.each([
      [116, 'certificate_required'],
      [48, 'unknown_ca'],
    ])('by the alert %i: nobody was shown', async (description, name) => {
      const { key, proxy, socket, dialogue, failed } = await start();
      dialogue.say('ask');
      const call = await key.call();
      proxy.inject(ALERT, alert(description));
      proxy.fin();
      const error = await failed;
      expect(error).toMatchObject({ alert: name });
      expect(error.identity).toBeUndefined();
      expect(error.message).not.toContain(identity.subject);
      await expectGivenUp(socket, call, error);
      expect(certificates(proxy)).toEqual([]);
      await proxy.close();
    });

    test('while nobody reads: the signal tells at once, and what was said is read first', async () => {
      const { key, proxy, socket, dialogue, failed } = await start({ highWaterMark: 1 });
      const events: string[] = [];
      for (const name of ['error', 'close']) socket.on(name, () => events.push(name));
      dialogue.say('ask');
      const call = await key.call();
      socket.pause();
      const aborted = once(call.signal, 'abort');
      // The server says so behind its request: it has to be on the way before the end is.
      await proxy.until('asked', () => proxy.serverDataSize() === 'asked\n'.length);
      proxy.fin();
      await within('abort', aborted);
      await later(null, 20);
      expect(events).toEqual([]);
      socket.resume();
      expect(await dialogue.line()).toBe('asked');
      const error = await failed;
      expect(error.code).toBe('ECONNRESET');
      await expectGivenUp(socket, call, error);
      expect(certificates(proxy)).toEqual([]);
      await proxy.close();
    });

    test('behind a second request: nobody is asked for that, and the alert is heard', async () => {
      const { key, proxy, socket, dialogue, failed } = await start();
      dialogue.say('ask');
      const call = await key.call();
      proxy.inject(HANDSHAKE, certificateRequest(Buffer.from('second')));
      proxy.inject(ALERT, alert(48));
      proxy.fin();
      const error = await failed;
      expect(error.alert).toBe('unknown_ca');
      expect(error.identity).toBeUndefined();
      await expectGivenUp(socket, call, error);
      expect(key.asked).toHaveLength(1);
      expect(certificates(proxy)).toEqual([]);
      await proxy.close();
    });

    test('before anybody reads its request: nobody is asked, and the alert is heard', async () => {
      const { key, proxy, socket, dialogue, failed } = await start({ highWaterMark: 1 });
      socket.pause();
      // More than the socket decrypts ahead, and all that the transport reads ahead.
      dialogue.say('source 40000');
      await proxy.until('data', () => proxy.serverDataSize() === 40_000);
      proxy.inject(HANDSHAKE, certificateRequest(Buffer.from('unread')));
      proxy.inject(ALERT, alert(48));
      proxy.fin();
      await later(null, 20);
      expect(key.asked).toHaveLength(0);
      socket.resume();
      const error = await failed;
      expect(error.alert).toBe('unknown_ca');
      expect(dialogue.buffered).toBe(40_000);
      expect(key.asked).toHaveLength(0);
      expect(socket.clientAuth).toMatchObject({ status: 'failed', sent: false });
      await proxy.close();
    });

    test('by an alert while it is asked again: it was shown once', async () => {
      const { key, proxy, socket, dialogue, failed } = await start();
      dialogue.say('ask');
      (await key.call()).give();
      expect(await dialogue.line()).toBe('asked');
      expect((await dialogue.who()).subject).toBe(identity.subject);
      dialogue.say('ask');
      const call = await key.call(2);
      expect(socket.clientAuth.status).toBe('pending');
      proxy.inject(ALERT, alert(48));
      proxy.fin();
      const error = await failed;
      expect(error).toMatchObject({ alert: 'unknown_ca', identity: identity.subject });
      await expectGivenUp(socket, call, error);
      expect(certificates(proxy)).toHaveLength(1);
      await proxy.close();
    });
  });
});

describe('another was shown before, and the server goes while this one is signed', () => {
  test.each([
    ['a key in memory', A, A.subject],
    ['nobody', null, undefined],
  ])('%s', async (_who, first, shown) => {
    const key = heldSigner(pki.clientB);
    const { clientCertCallback } = inTurn(first, signedBy(pki.clientB, key));
    const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
    const socket = dial(proxy, { clientCertCallback, reselectClientCert: true });
    const failed = endedBy(socket);
    failed.catch(() => {});
    await secured(socket);
    const dialogue = new Dialogue(socket);
    dialogue.say('ask');
    expect(await dialogue.line()).toBe('asked');
    expect((await dialogue.who()).subject).toBe(first?.subject ?? null);
    dialogue.say('ask');
    const call = await key.call();
    proxy.inject(ALERT, alert(48));
    proxy.fin();
    const error = await failed;
    expect(error.alert).toBe('unknown_ca');
    expect(error.identity).toBe(shown);
    expect(error.message).not.toContain(pki.clientB.subject);
    await expectGivenUp(socket, call, error);
    await proxy.close();
  });
});

test('a server that refuses what was signed is told of with whom it was shown', async () => {
  const refusing = await startPythonServer({
    identity: pki.server,
    clientCa: pki.clientCaA.certPath,
  });
  const key = heldSigner(pki.clientB);
  const socket = dial(refusing, { clientCertCallback: () => signedBy(pki.clientB, key) });
  const failed = endedBy(socket);
  await secured(socket.resume());
  socket.write('ask\n');
  (await key.call()).give();
  expect(await failed).toMatchObject({ alert: 'unknown_ca', identity: pki.clientB.subject });
  expect(socket.clientAuth).toMatchObject({ status: 'sent' });
  await refusing.stop();
});
