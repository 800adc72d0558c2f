/** `reselectClientCert`: whether a later request asks again, and who answers it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClientCertCallback,
  type ConnectionOptions,
  Credential,
  SUSPEND,
  type Suspension,
} from '../../lib/index';
import { credentialOf, dial, endedBy, hangUp, inTurn, later, secured } from '../support/client';
import { askBy, talkTo } from '../support/dialogue';
import { loadPki } from '../support/pki';
import { Dialogue, type PythonServer, startPythonServer } from '../support/python-server';
import { certificateRequest, HANDSHAKE, keyLogFile, TLS13Proxy } from '../support/records';

const pki = loadPki();
const A = new Credential(credentialOf(pki.clients.ec256));
const B = new Credential(credentialOf(pki.clientB));
const DEEP = new Credential(credentialOf(pki.deepClient));
const ED25519 = 0x0807;
const scratch = mkdtempSync(join(tmpdir(), 'tcc-reselect-'));
const keyLogPath = join(scratch, 'keys');

/** It trusts both client CAs, and asks in the handshake only where a test says so. */
let server: PythonServer;
let asking: PythonServer;

beforeAll(async () => {
  const options = { identity: pki.server, clientCa: pki.clientCasPath };
  [server, asking] = await Promise.all([
    startPythonServer({ ...options, keyLogPath }),
    startPythonServer({ ...options, postHandshakeOnly: false }),
  ]);
});

afterAll(async () => {
  await Promise.all([server.stop(), asking.stop()]);
  rmSync(scratch, { recursive: true });
});

const talk = (options: ConnectionOptions, to: { readonly port: number } = server) =>
  talkTo(to, options);

describe('with it', () => {
  test('each request asks anew, and may be answered by somebody else', async () => {
    const list = [A, B, null, DEEP, A, undefined, B];
    const { requests, signals, clientCertCallback } = inTurn(...list);
    const { socket, dialogue } = await talk({ clientCertCallback, reselectClientCert: true });
    for (const credential of list) {
      expect((await askBy(dialogue)).subject).toBe(credential?.subject ?? null);
      if (credential) expect(socket.clientAuth).toMatchObject({ status: 'sent', credential });
      else expect(socket.clientAuth).toMatchObject({ status: 'declined' });
      expect(socket.getX509Certificate()?.fingerprint256).toBe(
        credential?.certificate.fingerprint256,
      );
    }
    expect(requests.map(({ attempt }) => attempt)).toEqual(list.map(() => 1));
    expect(new Set(requests).size).toBe(list.length);
    expect(new Set(signals).size).toBe(list.length);
    expect(signals.some(({ aborted }) => aborted)).toBe(false);
    await hangUp(socket);
  });

  test.each<[string, (answer: Credential) => ReturnType<ClientCertCallback>]>([
    ['by a promise', (answer) => later(answer, 5)],
    ['after SUSPEND', () => SUSPEND],
  ])('%s', async (_how, give) => {
    const turns = [A, B, A];
    let asked = 0;
    const { socket, dialogue } = await talk({
      reselectClientCert: true,
      clientCertCallback: () => {
        asked += 1;
        return give(turns[asked - 1] as Credential);
      },
    });
    socket.on('suspend', (suspension: Suspension) => suspension.resume(later(turns[asked - 1], 5)));
    for (const { subject } of turns) expect((await askBy(dialogue)).subject).toBe(subject);
    expect(asked).toBe(3);
    await hangUp(socket);
  });

  test('after an answer in the handshake', async () => {
    const { requests, clientCertCallback } = inTurn(A, B);
    const { socket, dialogue } = await talk(
      { clientCertCallback, reselectClientCert: true },
      asking,
    );
    expect((await dialogue.who()).subject).toBe(A.subject);
    expect((await askBy(dialogue)).subject).toBe(B.subject);
    expect(requests.map(({ phase }) => phase)).toEqual(['handshake', 'post-handshake']);
    await hangUp(socket);
  });

  test('a refusal names the identity that was shown last', async () => {
    const strict = await startPythonServer({
      identity: pki.server,
      clientCa: pki.clientCaA.certPath,
    });
    const { clientCertCallback } = inTurn(A, B);
    const { socket, dialogue } = await talk(
      { clientCertCallback, reselectClientCert: true },
      strict,
    );
    expect((await askBy(dialogue)).subject).toBe(A.subject);
    const failed = endedBy(socket);
    dialogue.say('ask');
    const error = await failed;
    expect(error).toMatchObject({ alert: 'unknown_ca', identity: B.subject });
    expect(error.message).not.toContain(A.subject);
    await strict.stop();
  });

  test('a refusal of nobody names nobody, whoever was shown before', async () => {
    const strict = await startPythonServer({
      identity: pki.server,
      clientCa: pki.clientCaA.certPath,
      requestCert: 'required',
    });
    const answers = [A, null];
    const socket = dial(strict, {
      reselectClientCert: true,
      clientCertCallback: () => answers.shift(),
    });
    await secured(socket);
    const failed = endedBy(socket);
    const dialogue = new Dialogue(socket);
    dialogue.say('ask');
    expect(await dialogue.line()).toBe('asked');
    expect((await dialogue.who()).subject).toBe(A.subject);
    dialogue.say('ask');
    const error = await failed;
    expect(error.alert).toBe('certificate_required');
    expect(error.message).toContain('the callback declined');
    expect(error.identity).toBeUndefined();
    expect(error.message).not.toContain(A.subject);
    await strict.stop();
  });

  test('certificates set in advance stay', async () => {
    const { cert, key } = pki.clients.ec256;
    const { requests, clientCertCallback } = inTurn();
    const options = { cert, key, clientCertCallback, reselectClientCert: true };
    const { socket, dialogue } = await talk(options);
    expect((await askBy(dialogue)).subject).toBe(A.subject);
    expect((await askBy(dialogue)).subject).toBe(A.subject);
    expect(requests).toEqual([]);
    await hangUp(socket);
  });
});

describe('without it', () => {
  test.each<[string, ConnectionOptions]>([
    ['by default', {}],
    ['with false', { reselectClientCert: false }],
  ])('%s the first credential answers again', async (_what, options) => {
    const { requests, clientCertCallback } = inTurn(A);
    const { socket, dialogue } = await talk({ clientCertCallback, ...options });
    for (let round = 0; round < 3; round += 1) {
      expect((await askBy(dialogue)).subject).toBe(A.subject);
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: A });
    }
    expect(requests).toHaveLength(1);
    await hangUp(socket);
  });

  test('the answer of the handshake answers again', async () => {
    const { requests, clientCertCallback } = inTurn(A);
    const { socket, dialogue } = await talk({ clientCertCallback }, asking);
    expect((await dialogue.who()).subject).toBe(A.subject);
    expect((await askBy(dialogue)).subject).toBe(A.subject);
    expect(requests).toHaveLength(1);
    await hangUp(socket);
  });

  test('only a credential stays: a decline does not', async () => {
    const { requests, clientCertCallback } = inTurn(null, B);
    const { socket, dialogue } = await talk({ clientCertCallback }, asking);
    expect((await dialogue.who()).subject).toBeNull();
    expect((await askBy(dialogue)).subject).toBe(B.subject);
    expect((await askBy(dialogue)).subject).toBe(B.subject);
    expect(requests).toHaveLength(2);
    await hangUp(socket);
  });

  test('a request that the credential does not suit asks again', async () => {
    const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
    const ed25519 = new Credential(credentialOf(pki.clients.ed25519));
    const { requests, clientCertCallback } = inTurn(A, ed25519);
    const { socket, dialogue } = await talk({ clientCertCallback }, proxy);
    expect((await askBy(dialogue)).subject).toBe(A.subject);
    proxy.inject(HANDSHAKE, certificateRequest(Buffer.from('only ed25519'), [ED25519]));
    const [first, second] = await proxy.until('second answer', () => {
      const certificates = proxy.clientMessages().filter(({ type }) => type === 'certificate');
      return certificates.length === 2 && certificates;
    });
    const leaf = ({ certificate: { raw } }: Credential) => expect.objectContaining({ raw });
    expect(first).toMatchObject({ chain: [leaf(A)] });
    expect(second).toMatchObject({ chain: [leaf(ed25519)] });
    expect(requests.map(({ signatureSchemes }) => signatureSchemes.length > 1)).toEqual([
      true,
      false,
    ]);
    expect(socket.clientAuth).toMatchObject({ status: 'sent', signatureScheme: 'ed25519' });
    await hangUp(socket);
    await proxy.close();
  });
});

test('is a boolean', () => {
  const options = { reselectClientCert: 'yes' as unknown as boolean };
  expect(() => dial({ port: 1 }, options)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
  );
});
