/** A server that asks after the TLS 1.3 handshake: who is asked, what it may ask, what it sees. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClientCertCallback,
  type ConnectionOptions,
  Credential,
  connect,
  createSecureContext,
  SUSPEND,
  type Suspension,
} from '../../lib/index';
import {
  credentialOf,
  dial,
  endedBy,
  failure,
  hangUp,
  inTurn,
  later,
  secured,
  within,
} from '../support/client';
import { captureHello } from '../support/client-hello';
import { askBy, talkTo } from '../support/dialogue';
import { CLIENT_KINDS, loadPki } from '../support/pki';
import { Dialogue, type PythonServer, startPythonServer } from '../support/python-server';
import { certificateRequest, HANDSHAKE, keyLogFile, TLS13Proxy } from '../support/records';

const pki = loadPki();
const identity = pki.clients.ec256;
const credential = new Credential(credentialOf(identity));
const POST_HANDSHAKE_AUTH = 49;
const scratch = mkdtempSync(join(tmpdir(), 'tcc-pha-'));
const keyLogPath = join(scratch, 'keys');

/** It asks only when told to, and takes certificates of the client CA A, and of no other. */
let server: PythonServer;

beforeAll(async () => {
  server = await startPythonServer({
    identity: pki.server,
    clientCa: pki.clientCaA.certPath,
    keyLogPath,
  });
});

afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true });
});

const talk = (options: ConnectionOptions, to: { readonly port: number } = server) =>
  talkTo(to, options);

describe('the offer', () => {
  const answering = { clientCertCallback: () => null };
  const { cert, key } = identity;
  test.each<[string, boolean, () => ConnectionOptions]>([
    ['with a callback', true, () => answering],
    [
      "with the context's callback",
      true,
      () => ({ secureContext: createSecureContext(answering) }),
    ],
    ['with cert and key', true, () => ({ cert, key })],
    ['with http/1.1 alone', true, () => ({ ...answering, ALPNProtocols: ['http/1.1'] })],
    ['with nothing to answer', false, () => ({})],
    ['with h2 offered', false, () => ({ ...answering, ALPNProtocols: ['http/1.1', 'h2'] })],
    ['with false', false, () => ({ ...answering, postHandshakeAuth: false })],
    ['with true', true, () => ({ postHandshakeAuth: true })],
    ['with true and h2', true, () => ({ postHandshakeAuth: true, ALPNProtocols: ['h2'] })],
    ['on TLS 1.2', false, () => ({ postHandshakeAuth: true, maxVersion: 'TLSv1.2' })],
  ])('%s: %p', async (_what, expected, options) => {
    const hello = await captureHello((port) =>
      connect({ port, host: '127.0.0.1', ...options() }).on('error', () => {}),
    );
    expect(hello.extensions.includes(POST_HANDSHAKE_AUTH)).toBe(expected);
  });

  test('is a boolean', () => {
    const options = { postHandshakeAuth: 1 as unknown as boolean };
    expect(() => dial({ port: 1 }, options)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  test('not made, the server cannot ask', async () => {
    const { requests, clientCertCallback } = inTurn();
    const { socket, dialogue } = await talk({ clientCertCallback, postHandshakeAuth: false });
    dialogue.say('ask');
    expect(await dialogue.line()).toBe('cannot ask: EXTENSION_NOT_RECEIVED');
    expect((await dialogue.who()).subject).toBeNull();
    expect(requests).toEqual([]);
    await hangUp(socket);
  });

  test('not made, a server that asks all the same gets an alert and no answer', async () => {
    const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
    const { requests, clientCertCallback } = inTurn();
    const { socket, dialogue } = await talk(
      { clientCertCallback, postHandshakeAuth: false },
      proxy,
    );
    await dialogue.who();
    const failed = endedBy(socket);
    proxy.inject(HANDSHAKE, certificateRequest(Buffer.from('forged')));
    expect((await failed).code).toBe('ERR_SSL_UNEXPECTED_MESSAGE');
    expect(requests).toEqual([]);
    await proxy.until('alert', () => proxy.clientMessages().some(({ type }) => type === 'alert'));
    expect(proxy.clientMessages()).toContainEqual({ type: 'alert', level: 2, description: 10 });
    expect(proxy.clientMessages().filter(({ type }) => type === 'certificate')).toEqual([]);
    await proxy.close();
  });
});

describe('h2', () => {
  let h2: PythonServer;

  beforeAll(async () => {
    h2 = await startPythonServer({
      identity: pki.server,
      clientCa: pki.clientCaA.certPath,
      alpnProtocols: ['h2'],
      keyLogPath,
    });
  });

  afterAll(() => h2.stop());

  test('agreed on: a request fails the connection, and nothing is revealed', async () => {
    const proxy = await TLS13Proxy.start(h2.port, keyLogFile(keyLogPath));
    const { requests, clientCertCallback } = inTurn();
    const options = { clientCertCallback, postHandshakeAuth: true, ALPNProtocols: ['h2'] };
    const { socket, dialogue } = await talk(options, proxy);
    expect((await dialogue.who()).alpn).toBe('h2');
    const failed = endedBy(socket);
    dialogue.say('ask');
    expect(await failed).toMatchObject({ code: 'ERR_TLS_FORBIDDEN_BY_HTTP2' });
    expect(requests).toEqual([]);
    expect(proxy.clientMessages().filter(({ type }) => type === 'certificate')).toEqual([]);
    await proxy.close();
  });

  test('offered and not agreed on: a request is answered', async () => {
    const { clientCertCallback } = inTurn(credential);
    const ALPNProtocols = ['h2', 'http/1.1'];
    const { socket, dialogue } = await talk({
      clientCertCallback,
      postHandshakeAuth: true,
      ALPNProtocols,
    });
    expect(await askBy(dialogue)).toMatchObject({ alpn: null, subject: identity.subject });
    await hangUp(socket);
  });
});

describe('an answer', () => {
  test('is asked for when the server asks, and not before', async () => {
    const { requests, clientCertCallback } = inTurn(credential);
    const { socket, dialogue } = await talk({ clientCertCallback });
    expect((await dialogue.who()).subject).toBeNull();
    expect(requests).toEqual([]);
    expect(socket.clientAuth).toEqual({ status: 'not-requested', requested: false, sent: false });

    expect(await askBy(dialogue)).toMatchObject({
      subject: identity.subject,
      fingerprint: credential.certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    });
    expect(requests).toHaveLength(1);
    expect(requests[0]).toMatchObject({ phase: 'post-handshake', protocol: 'TLSv1.3', attempt: 1 });
    expect(requests[0]?.signatureSchemes).toContain('ecdsa_secp256r1_sha256');
    expect(requests[0]?.supports(credential)).toBe(true);
    expect(socket.clientAuth).toEqual({
      status: 'sent',
      requested: true,
      sent: true,
      credential,
      signatureScheme: 'ecdsa_secp256r1_sha256',
    });
    await hangUp(socket);
  });

  const late = () => later(credential, 30);
  test.each<[string, () => ConnectionOptions]>([
    ['a promise', () => ({ clientCertCallback: late })],
    ["the context's callback", () => ({ secureContext: contextWith(late) })],
    ['cert and key', () => ({ cert: identity.cert, key: identity.key })],
  ])('comes from %s', async (_what, options) => {
    const { socket, dialogue } = await talk(options());
    expect((await dialogue.who()).subject).toBeNull();
    expect((await askBy(dialogue)).subject).toBe(identity.subject);
    expect(socket.clientAuth.status).toBe('sent');
    await hangUp(socket);
  });

  function contextWith(clientCertCallback: ClientCertCallback) {
    return createSecureContext({ ca: pki.serverCa.cert, clientCertCallback });
  }

  test('comes after SUSPEND and resume(), several times', async () => {
    const { requests, clientCertCallback } = inTurn(SUSPEND, SUSPEND, SUSPEND, credential);
    const { socket, dialogue } = await talk({ clientCertCallback });
    const statuses: string[] = [];
    socket.on('suspend', async (suspension: Suspension) => {
      statuses.push(socket.clientAuth.status);
      await later(null, 5);
      suspension.resume();
    });
    expect((await askBy(dialogue)).subject).toBe(identity.subject);
    expect(requests.map(({ attempt, phase }) => `${attempt} ${phase}`)).toEqual(
      [1, 2, 3, 4].map((attempt) => `${attempt} post-handshake`),
    );
    expect(statuses).toEqual(['pending', 'pending', 'pending']);
    await hangUp(socket);
  });

  test('brings its own chain', async () => {
    const { clientCertCallback } = inTurn(new Credential(credentialOf(pki.deepClient)));
    const { socket, dialogue } = await talk({ clientCertCallback });
    expect((await askBy(dialogue)).subject).toBe(pki.deepClient.subject);
    await hangUp(socket);
  });

  test.each(CLIENT_KINDS)('with a key of the kind %s', async (kind) => {
    const { clientCertCallback } = inTurn(credentialOf(pki.clients[kind]));
    const { socket, dialogue } = await talk({ clientCertCallback });
    expect((await askBy(dialogue)).subject).toBe(pki.clients[kind].subject);
    await hangUp(socket);
  });

  test('stays for the requests that follow, each of which gets it', async () => {
    const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
    const { requests, clientCertCallback } = inTurn(credential);
    const { socket, dialogue } = await talk({ clientCertCallback }, proxy);
    for (let round = 0; round < 4; round += 1) {
      expect((await askBy(dialogue)).subject).toBe(identity.subject);
    }
    expect(requests).toHaveLength(1);
    const answers = proxy.clientMessages().filter((message) => message.type === 'certificate');
    const questions = proxy.serverMessages().filter((message) => message.type === 'request');
    expect(questions).toHaveLength(4);
    expect(answers.map(({ context }) => context)).toEqual(questions.map(({ context }) => context));
    expect(answers.map(({ chain }) => chain.length)).toEqual([1, 1, 1, 1]);
    await hangUp(socket);
    await proxy.close();
  });

  test('declines, and the next request asks again', async () => {
    const { requests, clientCertCallback } = inTurn(null, undefined, credential);
    const { socket, dialogue } = await talk({ clientCertCallback });
    for (let round = 0; round < 2; round += 1) {
      expect((await askBy(dialogue)).subject).toBeNull();
      expect(socket.clientAuth).toMatchObject({ status: 'declined', reason: 'callback' });
    }
    expect((await askBy(dialogue)).subject).toBe(identity.subject);
    expect((await askBy(dialogue)).subject).toBe(identity.subject);
    expect(requests).toHaveLength(3);
    await hangUp(socket);
  });

  test('of nobody: there is neither callback nor certificate', async () => {
    const { socket, dialogue } = await talk({ postHandshakeAuth: true });
    expect((await askBy(dialogue)).subject).toBeNull();
    expect(socket.clientAuth).toMatchObject({ status: 'declined', reason: 'nothing-configured' });
    await hangUp(socket);
  });

  test('to the handshake answers what is asked afterwards', async () => {
    const both = await startPythonServer({
      identity: pki.server,
      clientCa: pki.clientCaA.certPath,
      postHandshakeOnly: false,
    });
    const { requests, clientCertCallback } = inTurn(credential);
    const { socket, dialogue } = await talk({ clientCertCallback }, both);
    expect((await dialogue.who()).subject).toBe(identity.subject);
    expect((await askBy(dialogue)).subject).toBe(identity.subject);
    expect(requests.map(({ phase }) => phase)).toEqual(['handshake']);
    await hangUp(socket);
    await both.stop();
  });

  test("can be given from within 'suspend', and what is written there follows it", async () => {
    const { clientCertCallback } = inTurn(SUSPEND);
    const { socket, dialogue } = await talk({ clientCertCallback });
    socket.on('suspend', (suspension: Suspension) => {
      dialogue.say('who');
      suspension.resume(credential);
      dialogue.say('who');
    });
    dialogue.say('ask');
    expect(await dialogue.line()).toBe('asked');
    for (let line = 0; line < 2; line += 1) {
      expect(JSON.parse(await dialogue.line())).toMatchObject({ subject: identity.subject });
    }
    await hangUp(socket);
  });
});

describe('a failure', () => {
  test.each<[string, ClientCertCallback, string]>([
    [
      'the callback throws',
      () => {
        throw new Error('no card');
      },
      'ERR_CLIENT_CERT_CALLBACK',
    ],
    ['its promise rejects', () => Promise.reject(new Error('no')), 'ERR_CLIENT_CERT_CALLBACK'],
    ['SUSPEND is not heard', () => SUSPEND, 'ERR_CLIENT_CERT_SUSPEND_UNHEARD'],
    ['it answers nonsense', () => 7 as never, 'ERR_CLIENT_CERT_ANSWER'],
    ['the credential is too weak', () => credentialOf(pki.sha1Client), 'ERR_CREDENTIAL_UNUSABLE'],
  ])('%s: nothing is revealed', async (_what, clientCertCallback, code) => {
    const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
    const { socket, dialogue } = await talk({ clientCertCallback }, proxy);
    const failed = endedBy(socket);
    dialogue.say('ask');
    const error = await failed;
    expect(error.code).toBe(code);
    expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
    expect(proxy.clientMessages().filter(({ type }) => type === 'certificate')).toEqual([]);
    await proxy.close();
  });

  test('an untrusted certificate: the alert and whom it refuses', async () => {
    const { clientCertCallback } = inTurn(credentialOf(pki.clientB));
    const { socket, dialogue } = await talk({ clientCertCallback });
    const failed = endedBy(socket);
    dialogue.say('ask');
    const error = await failed;
    expect(error).toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
      alert: 'unknown_ca',
      identity: pki.clientB.subject,
    });
    expect(error.message).toContain(pki.clientB.subject);
    expect(socket.clientAuth.status).toBe('sent');
  });

  test('nobody where the server requires somebody', async () => {
    const strict = await startPythonServer({
      identity: pki.server,
      clientCa: pki.clientCaA.certPath,
      requestCert: 'required',
    });
    const { clientCertCallback } = inTurn(null);
    const { socket, dialogue } = await talk({ clientCertCallback }, strict);
    const failed = endedBy(socket);
    dialogue.say('ask');
    const error = await failed;
    expect(error.alert).toBe('certificate_required');
    expect(error.identity).toBeUndefined();
    expect(socket.clientAuth.status).toBe('declined');
    await strict.stop();
  });

  test('requireClientCert looks at the handshake, and at every answer after it', async () => {
    const { clientCertCallback } = inTurn(credential);
    const error = await failure(dial(server, { clientCertCallback, requireClientCert: true }));
    expect(error.code).toBe('ERR_CLIENT_CERT_REQUIRED');

    const both = await startPythonServer({
      identity: pki.server,
      clientCa: pki.clientCaA.certPath,
      postHandshakeOnly: false,
    });
    const { socket, dialogue } = await talk(
      {
        clientCertCallback: inTurn(credential, null).clientCertCallback,
        reselectClientCert: true,
        requireClientCert: true,
      },
      both,
    );
    const failed = endedBy(socket);
    dialogue.say('ask');
    expect((await failed).code).toBe('ERR_CLIENT_CERT_REQUIRED');
    await both.stop();
  });
});

test.each(['fin', 'close'])(
  'a request that is read when its server is gone, by %s, asks nobody',
  async (how) => {
    let asked = 0;
    const below = net.connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true });
    const ended = within("the server's end", once(below, 'end'));
    const socket = dial(server, {
      socket: below,
      // Whose end is an event.
      transport: 'stream',
      highWaterMark: 1,
      clientCertTimeout: 0,
      clientCertCallback: () => {
        asked += 1;
        return credential;
      },
    });
    await secured(socket);
    const failed = endedBy(socket);
    // Less than what would pause the stream below: its end is seen before the request is read.
    socket.write(`source 50000\nask-then-${how}\n`);
    await ended;
    let received = 0;
    socket.on('data', (data: Buffer) => {
      received += data.length;
    });
    const error = await failed;
    expect(error.code).toBe('ECONNRESET');
    expect(error.message).toContain('was not answered yet');
    expect({ asked, received }).toEqual({ asked: 0, received: 50_000 });
    expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
  },
);

test('behind our own end there is no question', async () => {
  const { requests, clientCertCallback } = inTurn(credential);
  const socket = dial(server, { clientCertCallback });
  await secured(socket.resume());
  const closed = within('close', once(socket, 'close'));
  socket.end('ask\n');
  await closed;
  expect(requests).toEqual([]);
  expect(socket.clientAuth.status).toBe('not-requested');
});

test('a client that does not read is asked', async () => {
  const { requests, clientCertCallback } = inTurn(credential);
  const socket = dial(server, { clientCertCallback });
  await secured(socket);
  // Nobody reads: neither a 'data' listener nor read().
  socket.write('ask\n');
  await within('question', untilAsked());
  socket.write('who\n');
  const dialogue = new Dialogue(socket);
  expect(await dialogue.line()).toBe('asked');
  expect(JSON.parse(await dialogue.line())).toMatchObject({ subject: identity.subject });
  socket.end();
  await within('close', once(socket, 'close'));

  async function untilAsked() {
    while (requests.length === 0) await later(null, 5);
  }
});
