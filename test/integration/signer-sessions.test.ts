/** Sessions made by a signer's credential: resumed by it, by nobody else, and without a signature. */
import { type ConnectionOptions, Credential } from '../../lib/index';
import { credentialOf, dial, hangUp, inTurn, PROTOCOLS, secured } from '../support/client';
import { loadPki } from '../support/pki';
import { Dialogue, type PythonServer, startPythonServer } from '../support/python-server';
import { lateSigner, signedBy, signerOf } from '../support/signers';

const pki = loadPki();
const identity = pki.clients.ec256;
const inMemory = new Credential(credentialOf(identity));
const other = new Credential(credentialOf(pki.clientB));

describe.each(PROTOCOLS)('%s', (protocol) => {
  let server: PythonServer;

  beforeAll(async () => {
    server = await startPythonServer({
      identity: pki.server,
      clientCa: pki.clientCasPath,
      postHandshakeOnly: false,
      minVersion: protocol,
      maxVersion: protocol,
    });
  });

  afterAll(() => server.stop());

  async function visit(options: ConnectionOptions) {
    const sessions: Buffer[] = [];
    const socket = dial(server, options);
    socket.on('session', (session) => sessions.push(session));
    await secured(socket);
    const { subject, reused } = await new Dialogue(socket).who();
    const { clientAuth } = socket;
    await hangUp(socket);
    expect(socket.isSessionReused()).toBe(false);
    return { session: sessions.at(-1) as Buffer, subject, reused, clientAuth };
  }

  /** A credential by a signer, the number of its signatures, and a session that was made with it. */
  async function made() {
    const key = lateSigner(identity);
    const credential = new Credential(signedBy(identity, key));
    const { session, subject } = await visit({ clientCertCallback: () => credential });
    expect(subject).toBe(identity.subject);
    expect(key.asked).toHaveLength(1);
    return { key, credential, session };
  }

  test('resumes with the same credential, and signs nothing', async () => {
    const { key, credential, session } = await made();
    const { requests, clientCertCallback } = inTurn();
    const resumed = await visit({ clientCertCallback, session, sessionCredential: credential });
    expect(resumed).toMatchObject({
      subject: identity.subject,
      reused: true,
      clientAuth: { status: 'resumed', credential },
    });
    expect(requests).toEqual([]);
    expect(key.asked).toHaveLength(1);
  });

  test('set in advance, it resumes with the same certificate and another signer', async () => {
    const first = lateSigner(identity);
    const second = signerOf(identity);
    const { session } = await visit(signedBy(identity, first));
    const resumed = await visit({ ...signedBy(identity, second), session });
    expect(resumed).toMatchObject({ subject: identity.subject, reused: true });
    expect(first.asked).toHaveLength(1);
    expect(second.asked).toEqual([]);
  });

  test('the same certificate is the same identity, wherever its key is', async () => {
    const { session } = await made();
    const answers = { clientCertCallback: () => null };
    expect(await visit({ ...answers, session, sessionCredential: inMemory })).toMatchObject({
      subject: identity.subject,
      reused: true,
    });
  });

  test('another credential is asked anew, and sent', async () => {
    const { key, session } = await made();
    const anew = await visit({
      clientCertCallback: () => other,
      session,
      sessionCredential: other,
    });
    expect(anew).toMatchObject({ subject: pki.clientB.subject, reused: false });
    expect(key.asked).toHaveLength(1);
  });

  test("another's session is not resumed by a signer: it signs", async () => {
    const { session } = await visit({ clientCertCallback: () => other });
    const key = lateSigner(identity);
    const anew = await visit({ ...signedBy(identity, key), session });
    expect(anew).toMatchObject({
      subject: identity.subject,
      reused: false,
      clientAuth: { status: 'sent' },
    });
    expect(key.asked).toHaveLength(1);
  });
});

test('TLS 1.3: a session made after a request later on is that of the signer', async () => {
  const server = await startPythonServer({ identity: pki.server, clientCa: pki.clientCasPath });
  const key = lateSigner(identity);
  const credential = new Credential(signedBy(identity, key));
  const sessions: Buffer[] = [];
  const socket = dial(server, { clientCertCallback: () => credential });
  socket.on('session', (session) => sessions.push(session));
  await secured(socket);
  const dialogue = new Dialogue(socket);
  await dialogue.who();
  const before = sessions.length;
  dialogue.say('ask');
  expect(await dialogue.line()).toBe('asked');
  expect((await dialogue.who()).subject).toBe(identity.subject);
  expect(sessions.length).toBeGreaterThan(before);
  await hangUp(socket);

  const resume = async (session: Buffer | undefined, sessionCredential: Credential | null) => {
    const socket = dial(server, { clientCertCallback: () => null, session, sessionCredential });
    await secured(socket);
    const { subject, reused } = await new Dialogue(socket).who();
    await hangUp(socket);
    return { subject, reused };
  };
  const [early, last] = [sessions[before - 1], sessions.at(-1)];
  expect(await resume(last, credential)).toEqual({ subject: identity.subject, reused: true });
  expect((await resume(last, other)).reused).toBe(false);
  expect((await resume(early, null)).subject).toBe(null);
  expect(key.asked).toHaveLength(1);
  await server.stop();
});
