/** What goes wrong around a request after the handshake: each ends in one typed error. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { types } from 'node:util';
import {
  type ClientCertAnswer,
  type ConnectionOptions,
  Credential,
  SUSPEND,
  type Suspension,
  type TLSSocket,
} from '../../lib/index';
import {
  type AnyError,
  credentialOf,
  deferred,
  dial,
  endedBy,
  hangUp,
  later,
  secured,
  within,
} from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { Dialogue, type PythonServer, pattern, startPythonServer } from '../support/python-server';
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

const pki = loadPki();
const identity = pki.clients.ec256;
const A = new Credential(credentialOf(identity));
const B = new Credential(credentialOf(pki.clientB));
const MEGABYTE = 1024 * 1024;
const scratch = mkdtempSync(join(tmpdir(), 'tcc-faults-'));
const keyLogPath = join(scratch, 'keys');
const SPENT = expect.objectContaining({ code: 'ERR_SUSPENSION_SPENT' });
/** How TCP tells that the peer is gone, whichever call notices first. */
const GONE = /^(ECONNRESET|EPIPE|ERR_SSL_UNEXPECTED_EOF_WHILE_READING)$/;

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

/** How the callback keeps the server waiting. */
const WAITS = ['SUSPEND', 'a promise'] as const;
type Waits = (typeof WAITS)[number];

/** A secured connection whose callback answers `first` at once, and then keeps the server waiting. */
async function open(waits: Waits, options: ConnectionOptions = {}, port = server.port) {
  const first: ClientCertAnswer[] = [];
  const asked = deferred<AbortSignal>();
  const answer = deferred<ClientCertAnswer>();
  const held: Suspension[] = [];
  const socket = dial(
    { port },
    {
      clientCertCallback: (_request, { signal }) => {
        if (first.length > 0) return first.shift();
        asked.resolve(signal);
        return waits === 'SUSPEND' ? SUSPEND : answer.promise;
      },
      ...options,
    },
  );
  socket.on('suspend', (suspension: Suspension) => held.push(suspension));
  const events: string[] = [];
  socket.on('error', (error: AnyError) => events.push(`error ${error.code}`));
  for (const name of ['end', 'finish', 'close']) socket.on(name, () => events.push(name));
  await secured(socket);
  return {
    socket,
    dialogue: new Dialogue(socket),
    first,
    events,
    /** Resolves with the callback's signal, when it was called. */
    asked: () => within('question', asked.promise),
    /** Answers, in whichever way it is waited for. */
    answer: (credential: ClientCertAnswer) => {
      if (waits === 'SUSPEND') held.at(-1)?.resume(credential);
      else answer.resolve(credential);
    },
    /** Answers that come too late. */
    answerLate: async () => {
      answer.resolve(A);
      for (const suspension of held) {
        expect(() => suspension.resume()).toThrow(SPENT);
        expect(() => suspension.resume(A)).toThrow(SPENT);
        expect(() => suspension.abort()).toThrow(SPENT);
      }
      await later(null, 5);
    },
  };
}

type Open = Awaited<ReturnType<typeof open>>;

/** Begins to write more than the sockets of both sides hold; resolves with each write's error. */
function upload(socket: TLSSocket, pieces = 64) {
  const outcomes: Promise<Error | null | undefined>[] = [];
  for (let piece = 0; piece < pieces; piece += 1) {
    outcomes.push(new Promise((resolve) => socket.write(Buffer.alloc(256 * 1024), resolve)));
  }
  return within('all write callbacks', Promise.all(outcomes));
}

/** That one error told everybody, and that nothing happens after it. */
async function expectSettled(it: Open, error: AnyError, signal: AbortSignal | undefined) {
  expect(typeof error.code).toBe('string');
  expect(it.events.filter((event) => event.startsWith('error'))).toEqual([`error ${error.code}`]);
  expect(it.events.slice(-2)).toEqual([`error ${error.code}`, 'close']);
  if (signal !== undefined) {
    expect(signal.aborted).toBe(true);
    expect(types.isNativeError(signal.reason)).toBe(true);
    expect(it.socket.clientAuth.status).toBe('failed');
  }
  const before = [...it.events];
  await it.answerLate();
  expect(it.events).toEqual(before);
}

describe.each(WAITS)('waiting by %s, the server', (waits) => {
  test.each(['close', 'fin', 'reset'])(
    'asks in the middle of an upload and goes, by %s',
    async (how) => {
      const it = await open(waits);
      const failed = endedBy(it.socket);
      // The server has read the command, and none of what follows it, when it asks.
      it.dialogue.say(`ask-then-${how} cue`);
      const written = upload(it.socket);
      const signal = await it.asked();
      server.cue();
      const error = await failed;
      expect(error.code).toBe('ECONNRESET');
      if (how !== 'reset') expect(error.message).toContain('was not answered yet');
      const outcomes = await written;
      // Some left before the request came. What was pending failed, and nothing after it succeeded.
      const firstFailed = outcomes.findIndex(Boolean);
      expect(firstFailed).toBeGreaterThanOrEqual(0);
      expect(outcomes.slice(firstFailed).every(types.isNativeError)).toBe(true);
      await expectSettled(it, error, signal);
    },
  );

  test.each(['close', 'fin', 'reset'])('asks and goes in one breath, by %s', async (how) => {
    const it = await open(waits);
    const failed = endedBy(it.socket);
    const written = new Promise<unknown>((resolve) => {
      it.socket.write(`ask-then-${how}\n`);
      it.socket.write(Buffer.alloc(16), resolve);
    });
    const error = await failed;
    expect(error.code).toMatch(GONE);
    await within('write callback', written);
    await expectSettled(it, error, undefined);
  });

  test('says something between its request and its close: it is read before the error', async () => {
    const it = await open(waits);
    const failed = endedBy(it.socket);
    it.socket.on('data', (chunk: Buffer) => it.events.push(String(chunk)));
    it.dialogue.say('ask-then-say too late');
    const signal = await it.asked();
    const error = await failed;
    expect(error.code).toBe('ECONNRESET');
    expect(it.events).toEqual(['too late\n', 'error ECONNRESET', 'close']);
    await expectSettled(it, error, signal);
  });

  test.each([
    [116, 'certificate_required', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'],
    [48, 'unknown_ca', 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA'],
  ])('sends the alert %i and goes', async (description, name, code) => {
    const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
    const it = await open(waits, {}, proxy.port);
    const failed = endedBy(it.socket);
    it.dialogue.say('ask');
    const signal = await it.asked();
    const written = upload(it.socket, 2);
    proxy.inject(ALERT, alert(description));
    proxy.fin();
    const error = await failed;
    expect(error).toMatchObject({ code, alert: name });
    // Nobody was shown.
    expect(error.identity).toBeUndefined();
    expect((await written).every(types.isNativeError)).toBe(true);
    expect(proxy.clientMessages().filter(({ type }) => type === 'certificate')).toEqual([]);
    await expectSettled(it, error, signal);
    await proxy.close();
  });

  test('refuses the identity it was shown before, by an alert', async () => {
    const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
    const it = await open(waits, { reselectClientCert: true }, proxy.port);
    it.first.push(A);
    it.dialogue.say('ask');
    expect(await it.dialogue.line()).toBe('asked');
    expect((await it.dialogue.who()).subject).toBe(identity.subject);
    const failed = endedBy(it.socket);
    it.dialogue.say('ask');
    const signal = await it.asked();
    proxy.inject(ALERT, alert(48));
    proxy.fin();
    const error = await failed;
    expect(error).toMatchObject({ alert: 'unknown_ca', identity: identity.subject });
    expect(error.message).toContain(identity.subject);
    await expectSettled(it, error, signal);
    await proxy.close();
  });

  test('sends close_notify and goes', async () => {
    const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
    const it = await open(waits, {}, proxy.port);
    const failed = endedBy(it.socket);
    it.dialogue.say('ask');
    const signal = await it.asked();
    proxy.inject(ALERT, alert(0));
    proxy.fin();
    const error = await failed;
    expect(error.code).toBe('ECONNRESET');
    await expectSettled(it, error, signal);
    await proxy.close();
  });

  test('goes while nobody reads: the signal tells at once, and what was said is read first', async () => {
    const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
    const it = await open(waits, { highWaterMark: 1 }, proxy.port);
    const failed = endedBy(it.socket);
    it.dialogue.say('ask');
    const signal = await it.asked();
    it.socket.pause();
    const outcomes: unknown[] = [];
    it.socket.write('never sent', (error) => outcomes.push(error));
    const aborted = once(signal, 'abort');
    // The server says so behind its request: it has to be on the way before the end is.
    await proxy.until('asked', () => proxy.serverDataSize() === 'asked\n'.length);
    proxy.fin();
    await within('abort', aborted);
    await later(null, 20);
    expect(it.events).toEqual([]);
    expect(outcomes).toEqual([]);
    it.socket.resume();
    expect(await it.dialogue.line()).toBe('asked');
    const error = await failed;
    expect(error.code).toBe('ECONNRESET');
    expect(outcomes).toEqual([expect.objectContaining({ code: 'ECONNRESET' })]);
    expect(proxy.clientMessages().filter(({ type }) => type === 'certificate')).toEqual([]);
    await expectSettled(it, error, signal);
    await proxy.close();
  });

  test('goes by a reset in the turn of the answer, or when it has seen it', async () => {
    for (const when of ['same turn', 'answer seen']) {
      const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
      const it = await open(waits, {}, proxy.port);
      const failed = endedBy(it.socket);
      it.dialogue.say('ask');
      const signal = await it.asked();
      if (when === 'same turn') proxy.reset();
      it.answer(A);
      if (when === 'answer seen') {
        await proxy.until('answer', () =>
          proxy.clientMessages().some(({ type }) => type === 'certificate'),
        );
        proxy.reset();
      }
      const error = await failed;
      expect(error.code).toMatch(GONE);
      expect(signal.aborted).toBe(it.socket.clientAuth.status === 'failed');
      await expectSettled(it, error, undefined);
      await proxy.close();
    }
  });

  test('gets no answer in time', async () => {
    const it = await open(waits, { clientCertTimeout: 50 });
    const failed = endedBy(it.socket);
    it.dialogue.say('ask-then-stall');
    const signal = await it.asked();
    const written = upload(it.socket, 2);
    const error = await failed;
    expect(error.code).toBe('ERR_CLIENT_CERT_TIMEOUT');
    expect(signal.reason).toBe(error);
    expect((await written).every(types.isNativeError)).toBe(true);
    await expectSettled(it, error, signal);
  });

  test('is hung up on', async () => {
    const it = await open(waits);
    const failed = endedBy(it.socket);
    it.dialogue.say('ask');
    const signal = await it.asked();
    const written = upload(it.socket, 2);
    const enough = Object.assign(new Error('enough'), { code: 'ENOUGH' });
    it.socket.destroy(enough);
    expect(await failed).toBe(enough);
    expect(signal.reason).toBe(enough);
    expect(await written).toEqual([enough, enough]);
    await expectSettled(it, enough, signal);
  });

  test('asks a second time before the first is answered', async () => {
    for (const reselectClientCert of [false, true]) {
      const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
      const it = await open(waits, { reselectClientCert }, proxy.port);
      it.dialogue.say('ask');
      await it.asked();
      const context = Buffer.from('second');
      proxy.inject(HANDSHAKE, certificateRequest(context));
      it.first.push(B);
      it.answer(A);
      const certificates = await proxy.until('two answers', () => {
        const found = proxy.clientMessages().filter((message) => message.type === 'certificate');
        return found.length === 2 && found;
      });
      const [real] = proxy.serverMessages().filter((message) => message.type === 'request');
      const second = reselectClientCert ? B : A;
      expect(certificates).toMatchObject([
        { context: real?.context, chain: [{ raw: A.certificate.raw }] },
        { context, chain: [{ raw: second.certificate.raw }] },
      ]);
      // The proxy has kept the second answer from the server; the stream goes on.
      expect(await it.dialogue.line()).toBe('asked');
      expect((await it.dialogue.who()).subject).toBe(identity.subject);
      await hangUp(it.socket);
      await proxy.close();
    }
  });
});

describe('an answered server', () => {
  test('reads no more: what was written fails with the connection', async () => {
    const it = await open('SUSPEND');
    it.first.push(A);
    it.dialogue.say('ask-then-stall');
    const written = upload(it.socket);
    await within('answer', untilSent(it.socket));
    expect(it.socket.clientAuth).toMatchObject({ status: 'sent', credential: A });
    const failed = endedBy(it.socket);
    const enough = Object.assign(new Error('enough'), { code: 'ENOUGH' });
    it.socket.destroy(enough);
    expect(await failed).toBe(enough);
    const last = (await written).at(-1);
    // From Node 22 on net.Socket has an error of its own for what it was writing: ECANCELED.
    expect((last as NodeJS.ErrnoException).code).toMatch(/^(ENOUGH|ECANCELED)$/);
    expect(it.socket.clientAuth).toMatchObject({ status: 'sent', credential: A });
  });

  test('refuses the answer in the middle of an upload', async () => {
    const it = await open('SUSPEND');
    it.first.push(B);
    const failed = endedBy(it.socket);
    it.dialogue.say(`sink ${1024 * MEGABYTE} every ${MEGABYTE}`);
    // On and on: the server may take many megabytes more before its alert is read.
    const written = new Promise<Error>((resolve) => {
      const more = () =>
        it.socket.write(Buffer.alloc(256 * 1024), (error) => (error ? resolve(error) : more()));
      more();
    });
    const error = await failed;
    expect(error).toMatchObject({ alert: 'unknown_ca', identity: pki.clientB.subject });
    expect(types.isNativeError(await within('failed write', written))).toBe(true);
    await expectSettled(it, error, undefined);
  });

  test('refuses the answer, and what it had sent before is read first', async () => {
    const it = await open('SUSPEND');
    it.first.push(B);
    const failed = endedBy(it.socket);
    const size = MEGABYTE;
    it.dialogue.say(`source ${size}`);
    it.dialogue.say('ask');
    expect((await it.dialogue.bytes(size)).equals(pattern(size))).toBe(true);
    expect(await it.dialogue.line()).toBe('asked');
    expect(await failed).toMatchObject({ alert: 'unknown_ca', identity: pki.clientB.subject });
  });

  async function untilSent(socket: TLSSocket) {
    while (socket.clientAuth.status !== 'sent') await later(null, 5);
  }
});

test('the first handshake, TLS 1.2: a fatal alert while suspended names itself', async () => {
  const node = await startNodeServer({ identity: pki.server, maxVersion: 'TLSv1.2' });
  const proxy = await TLS13Proxy.start(node.port, () => '');
  const { socket, signal } = await firstHandshake(proxy.port);
  const failed = endedBy(socket);
  proxy.injectRaw(plaintextAlert(48));
  proxy.fin();
  const error = await failed;
  expect(error).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', alert: 'unknown_ca' });
  expect(error.identity).toBeUndefined();
  expect(signal.aborted).toBe(true);
  expect(types.isNativeError(signal.reason)).toBe(true);
  expect(socket.clientAuth).toMatchObject({ status: 'failed' });
  await proxy.close();
  await node.close();
});

test('the first handshake, TLS 1.3: a fatal alert while suspended names itself', async () => {
  const node = await startNodeServer({ identity: pki.server, minVersion: 'TLSv1.3' });
  const proxy = await TLS13Proxy.start(node.port, keyLogOf(node.server));
  const { socket, signal } = await firstHandshake(proxy.port);
  const failed = endedBy(socket);
  proxy.inject(ALERT, alert(40));
  proxy.fin();
  const error = await failed;
  expect(error.alert).toBe('handshake_failure');
  expect(signal.aborted).toBe(true);
  expect(socket.clientAuth).toMatchObject({ status: 'failed' });
  expect(proxy.clientMessages().filter(({ type }) => type === 'certificate')).toEqual([]);
  await proxy.close();
  await node.close();
});

/** A handshake whose question stays unanswered. */
async function firstHandshake(port: number) {
  const asked = deferred<AbortSignal>();
  const socket = dial(
    { port },
    {
      clientCertCallback: (_request, { signal }) => {
        asked.resolve(signal);
        return new Promise(() => {});
      },
    },
  );
  return { socket, signal: await within('question', asked.promise) };
}

test('many such connections leave the server none of theirs, and this process no handle', async () => {
  const handles = () => process.getActiveResourcesInfo().length;
  const before = handles();
  for (let round = 0; round < 10; round += 1) {
    await Promise.all(
      ['close', 'fin', 'reset', 'close'].map(async (how) => {
        const it = await open('a promise');
        const failed = endedBy(it.socket);
        it.dialogue.say(`ask-then-${how}`);
        await failed;
      }),
    );
  }
  await later(null, 20);
  expect(handles()).toBeLessThanOrEqual(before + 1);
});
