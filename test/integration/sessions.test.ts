/** A session belongs to the identity it was made under, and is offered by nobody else. */
import { once } from 'node:events';
import { connect as tlsConnect } from 'node:tls';
import {
  type ClientCertAnswer,
  type ClientCertCallback,
  type ConnectionOptions,
  Credential,
  createSecureContext,
} from '../../lib/index';
import {
  credentialOf,
  dial,
  failure,
  hangUp,
  later,
  PROTOCOLS,
  type Protocol,
  secured,
  within,
} from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { Dialogue, type PythonServer, startPythonServer } from '../support/python-server';

const pki = loadPki();
const identityA = { cert: pki.clients.ec256.cert, key: pki.clients.ec256.key };
const identityB = { cert: pki.clientB.cert, key: pki.clientB.key };
const A = new Credential(identityA);
const B = new Credential(identityB);
/** `native/openssl/session_mark.cc` */
const MARK = 'TCC1';
const RESUMED = { status: 'resumed', requested: false, sent: false };

/** Connects, has the server say whom it sees, and hangs up. */
async function visit(
  to: { readonly port: number },
  options: ConnectionOptions = {},
  more: (dialogue: Dialogue) => Promise<void> = async () => {},
) {
  const sessions: Buffer[] = [];
  const socket = dial(to, options);
  socket.on('session', (session) => sessions.push(session));
  await secured(socket);
  const dialogue = new Dialogue(socket);
  await more(dialogue);
  // The server's reply comes after its tickets.
  const seen = await dialogue.who();
  const visited = {
    sessions,
    seen,
    reused: socket.isSessionReused(),
    session: socket.getSession(),
    clientAuth: socket.clientAuth,
    authorized: socket.authorized,
    authorizationError: socket.authorizationError,
  };
  expect(visited.reused).toBe(seen.reused);
  await hangUp(socket);
  return visited;
}

/** The last session that a visit brought. */
async function sessionOf(...args: Parameters<typeof visit>): Promise<Buffer> {
  const { sessions } = await visit(...args);
  const session = sessions.at(-1);
  if (session === undefined) throw new Error("no 'session'");
  return session;
}

/** A callback that gives these answers, and counts how often it was asked. */
function answers(...list: ClientCertAnswer[]) {
  let calls = 0;
  const clientCertCallback: ClientCertCallback = () => {
    calls += 1;
    if (calls > list.length) throw new Error('asked once too often');
    return list[calls - 1];
  };
  return {
    clientCertCallback,
    get calls() {
      return calls;
    },
  };
}

function serverOf(protocol: Protocol, options = {}): Promise<PythonServer> {
  return startPythonServer({
    identity: pki.server,
    clientCa: pki.clientCasPath,
    postHandshakeOnly: false,
    minVersion: protocol,
    maxVersion: protocol,
    ...options,
  });
}

describe.each(PROTOCOLS)('%s', (protocol) => {
  let asking: PythonServer;
  let silent: PythonServer;

  beforeAll(async () => {
    [asking, silent] = await Promise.all([
      serverOf(protocol),
      serverOf(protocol, { requestCert: 'no' }),
    ]);
  });

  afterAll(() => Promise.all([asking.stop(), silent.stop()]));

  /** That a connection with these options makes a full handshake, and whom the server then sees. */
  async function expectFull(session: Buffer, options: ConnectionOptions, who: Credential | null) {
    const { reused, seen, clientAuth } = await visit(asking, { session, ...options });
    expect(reused).toBe(false);
    expect(seen.subject).toBe(who?.subject ?? null);
    expect(clientAuth.status).toBe(who === null ? 'declined' : 'sent');
  }

  /** That it resumes, asks nobody, and who the server takes it for. */
  async function expectResumed(
    session: Buffer,
    options: ConnectionOptions,
    who: Credential | null,
    to = asking,
  ) {
    const { reused, seen, clientAuth, authorized } = await visit(to, { session, ...options });
    expect(reused).toBe(true);
    expect(seen.subject).toBe(who?.subject ?? null);
    if (clientAuth.status !== 'resumed') throw new Error(clientAuth.status);
    expect({ ...clientAuth, credential: clientAuth.credential?.subject ?? null }).toEqual({
      ...RESUMED,
      credential: who?.subject ?? null,
    });
    expect(authorized).toBe(true);
  }

  test("'session' and getSession()", async () => {
    const { sessions, session } = await visit(asking, identityA);
    expect(sessions).toHaveLength(protocol === 'TLSv1.3' ? 2 : 1);
    expect(sessions.every((one) => Buffer.isBuffer(one) && one.length > 0)).toBe(true);
    expect(Buffer.isBuffer(session)).toBe(true);
    // Both ways bring a session that is good.
    await expectResumed(sessions.at(-1) as Buffer, identityA, A);
    await expectResumed(session as Buffer, identityA, A);
  });

  test("'session' comes even if nobody reads", async () => {
    const socket = dial(asking, identityA);
    socket.pause();
    const session = within('session', once(socket, 'session'));
    await secured(socket);
    // TLS 1.3 servers send theirs as data is sent, TLS 1.2 ones before the handshake's end.
    if (protocol === 'TLSv1.3') socket.read(0);
    expect((await session)[0]).toBeInstanceOf(Uint8Array);
    await hangUp(socket);
  });

  test('nothing is left of it after the end', async () => {
    const socket = dial(asking, identityA);
    expect(socket.isSessionReused()).toBe(false);
    await secured(socket);
    await new Dialogue(socket).who();
    await hangUp(socket);
    expect(socket.getSession()).toBeUndefined();
    expect(socket.isSessionReused()).toBe(false);
  });

  describe('made by cert and key', () => {
    test('resumes with the same, and reports it', async () => {
      const session = await sessionOf(asking, identityA);
      const { clientCertCallback, calls } = answers();
      await expectResumed(session, { ...identityA, clientCertCallback }, A);
      expect(calls).toBe(0);
    });

    test('resumes under a context that has the same', async () => {
      const session = await sessionOf(asking, identityA);
      const ca = pki.serverCa.cert;
      const secureContext = createSecureContext({ ca, ...identityA });
      await expectResumed(session, { secureContext }, A);
    });

    test('resumes with sessionCredential', async () => {
      const session = await sessionOf(asking, identityA);
      await expectResumed(session, { ...answers(), sessionCredential: A }, A);
    });

    test.each<[string, () => ConnectionOptions, Credential | null]>([
      ['another identity', () => identityB, B],
      ['nobody', () => ({}), null],
      ['a callback', () => answers(B), B],
      ['a callback that would choose the same', () => answers(A), A],
      [
        'a callback and another sessionCredential',
        () => ({ ...answers(B), sessionCredential: B }),
        B,
      ],
      [
        'a callback and sessionCredential: null',
        () => ({ ...answers(B), sessionCredential: null }),
        B,
      ],
    ])('is not offered by %s', async (_who, options, seen) => {
      const session = await sessionOf(asking, identityA);
      await expectFull(session, options(), seen);
    });
  });

  describe('made by a callback', () => {
    test('resumes with the sessionCredential it chose, and asks nobody', async () => {
      const session = await sessionOf(asking, answers(A));
      const callback = answers();
      const { clientCertCallback } = callback;
      await expectResumed(session, { clientCertCallback, sessionCredential: A }, A);
      // Parsed once more, it is the same.
      const again = new Credential(identityA);
      await expectResumed(session, { clientCertCallback, sessionCredential: again }, A);
      expect(callback.calls).toBe(0);
    });

    test('resumes with cert and key of the same identity', async () => {
      const session = await sessionOf(asking, { clientCertCallback: () => later(A, 5) });
      await expectResumed(session, identityA, A);
    });

    test.each<[string, () => ConnectionOptions, Credential | null]>([
      ['a callback alone', () => answers(B), B],
      ['another sessionCredential', () => ({ ...answers(B), sessionCredential: B }), B],
      ['sessionCredential: null', () => ({ ...answers(null), sessionCredential: null }), null],
      ['cert and key of another', () => identityB, B],
      ['nobody', () => ({}), null],
    ])('is not offered by %s', async (_who, options, seen) => {
      const session = await sessionOf(asking, answers(A));
      await expectFull(session, options(), seen);
    });
  });

  describe('made by a callback that declined', () => {
    test('resumes with sessionCredential: null', async () => {
      const session = await sessionOf(asking, answers(null));
      await expectResumed(session, { ...answers(), sessionCredential: null }, null);
    });

    test('fits whoever has nothing to answer with, and the other way round', async () => {
      const session = await sessionOf(asking, answers(null));
      await expectResumed(session, {}, null);
      const unconfigured = await sessionOf(asking, {});
      await expectResumed(unconfigured, { ...answers(), sessionCredential: null }, null);
      await expectFull(unconfigured, answers(A), A);
    });

    test.each<[string, () => ConnectionOptions, Credential | null]>([
      ['a callback alone', () => answers(A), A],
      ['a sessionCredential', () => ({ ...answers(A), sessionCredential: A }), A],
      ['cert and key', () => identityA, A],
    ])('is not offered by %s', async (_who, options, seen) => {
      const session = await sessionOf(asking, answers(null));
      await expectFull(session, options(), seen);
    });
  });

  describe('made when nobody asked', () => {
    test.each<[string, () => ConnectionOptions]>([
      ['nobody', () => ({})],
      ['cert and key', () => identityB],
      ['a callback', () => answers()],
      ['a callback and a sessionCredential', () => ({ ...answers(), sessionCredential: B })],
    ])('fits %s', async (_who, options) => {
      const session = await sessionOf(silent, identityA);
      await expectResumed(session, options(), null, silent);
    });
  });

  describe('trust', () => {
    test('a session made under another ca is not offered', async () => {
      const session = await sessionOf(asking, identityA);
      const ca = [pki.serverCa.cert, pki.clientCaA.cert];
      await expectFull(session, { ...identityA, ca }, A);
      // And the other way round.
      const other = await sessionOf(asking, { ...identityA, ca });
      await expectFull(other, identityA, A);
      await expectResumed(other, { ...identityA, ca }, A);
    });

    test('a session made without any check is not offered by one that checks', async () => {
      const careless = { ...identityA, ca: pki.clientCaA.cert, rejectUnauthorized: false };
      const session = await sessionOf(asking, careless);
      await expectFull(session, identityA, A);
      const error = await failure(dial(asking, { ...careless, session, rejectUnauthorized: true }));
      expect(error.code).toMatch(/^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER_CERT.*)$/);
    });

    test('a server that was not trusted is not trusted when it resumes', async () => {
      const careless = { ...identityA, ca: pki.clientCaA.cert, rejectUnauthorized: false };
      const first = await visit(asking, careless);
      expect(first.authorizationError).toMatch(/^UNABLE_TO_/);
      const session = first.sessions.at(-1) as Buffer;
      const { reused, authorized, authorizationError } = await visit(asking, {
        ...careless,
        session,
      });
      expect(reused).toBe(true);
      expect(authorized).toBe(false);
      expect(authorizationError).toBe(first.authorizationError);
    });

    test('a resumed server is checked against the name', async () => {
      const session = await sessionOf(asking, identityA);
      const other = { ...identityA, session, servername: 'wrong.example' };
      expect(await failure(dial(asking, other))).toMatchObject({
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
        host: 'wrong.example',
      });
      // It was the resumed handshake that was judged.
      const careless = await visit(asking, { ...other, rejectUnauthorized: false });
      expect(careless).toMatchObject({
        reused: true,
        authorized: false,
        authorizationError: 'ERR_TLS_CERT_ALTNAME_INVALID',
      });
    });

    test('checkServerIdentity is asked about a resumed server', async () => {
      const session = await sessionOf(asking, identityA);
      const names: string[] = [];
      const checkServerIdentity = (name: string, { subject }: { subject: { CN?: string } }) => {
        names.push(`${name} ${subject.CN}`);
        return new Error('not today');
      };
      const options = { ...identityA, session, checkServerIdentity } as ConnectionOptions;
      expect((await failure(dial(asking, options))).message).toBe('not today');
      expect(names).toEqual(['localhost server']);
    });
  });

  test('requireClientCert is content with who made the session', async () => {
    const session = await sessionOf(asking, identityA);
    await expectResumed(session, { ...identityA, requireClientCert: true }, A);
  });

  test('requireClientCert has no use for a session in which the server knows nobody', async () => {
    const nobodys = [
      await sessionOf(asking, answers(null)),
      await sessionOf(silent, { ca: pki.serverCa.cert }),
    ];
    for (const session of nobodys) {
      const options = { sessionCredential: null, requireClientCert: true, session };
      const { reused, seen } = await visit(asking, { ...answers(A), ...options });
      expect({ reused, subject: seen.subject }).toEqual({ reused: false, subject: A.subject });
    }
  });

  test('a session made at a lower security level is not offered', async () => {
    const session = await sessionOf(asking, { ...identityA, ciphers: 'DEFAULT:@SECLEVEL=0' });
    expect((await visit(asking, { ...identityA, session })).reused).toBe(false);
  });

  test('getSession() gives none that cannot be resumed', async () => {
    const ticketless = await serverOf(protocol, { ticketCount: 0 });
    const { session } = await visit(ticketless, identityA);
    // On TLS 1.2 the number is not about what OpenSSL sends.
    expect(session === undefined).toBe(protocol === 'TLSv1.3');
    await ticketless.stop();
  });

  test.each<[string, (session: Buffer) => Uint8Array]>([
    ['garbage', () => Buffer.from('no session at all')],
    ['nothing', () => Buffer.alloc(0)],
    ['one byte', () => Buffer.of(0x30)],
    ['a session cut short', (session) => session.subarray(0, -10)],
    ['a session that begins otherwise', (session) => changedAt(0, session)],
    // The package's own mark in it: what it is, under whose trust, as whom.
    ['a session without a mark', (session) => changedAt(session.indexOf(MARK), session)],
    ['another trust', (session) => changedAt(session.indexOf(MARK) + MARK.length + 1, session)],
    ['another identity', (session) => changedAt(session.indexOf(MARK) + MARK.length + 33, session)],
  ])('%s leads to a full handshake', async (_what, spoil) => {
    const session = await sessionOf(asking, identityA);
    await expectFull(Buffer.from(spoil(session)), identityA, A);
  });

  function changedAt(position: number, session: Buffer): Buffer {
    if (position < 0) throw new Error('the session has no mark');
    const copy = Buffer.from(session);
    copy[position] = (copy[position] ?? 0) ^ 1;
    return copy;
  }

  test('a session of another version leads to a full handshake', async () => {
    const session = await sessionOf(asking, identityA);
    const other = await serverOf(protocol === 'TLSv1.2' ? 'TLSv1.3' : 'TLSv1.2');
    const { reused, seen } = await visit(other, { ...identityA, session });
    expect(reused).toBe(false);
    expect(seen.subject).toBe(A.subject);
    await other.stop();
  });

  test("a session of node:tls's is not offered", async () => {
    const sessions: Buffer[] = [];
    const node = tlsConnect({
      ...{ port: asking.port, host: '127.0.0.1', servername: 'localhost' },
      ...{ ca: pki.serverCa.cert, ...identityA },
    });
    node.on('session', (session) => sessions.push(session));
    await within('secureConnect', once(node, 'secureConnect'));
    await new Dialogue(node).who();
    node.destroy();
    await expectFull(sessions.at(-1) as Buffer, identityB, B);
    await expectFull(sessions.at(-1) as Buffer, identityA, A);
  });

  test('a server that forgot makes a full handshake, and asks', async () => {
    const other = await serverOf(protocol);
    const session = await sessionOf(other, answers(A));
    await other.stop();
    // Another process, other ticket keys.
    await expectFull(session, { ...answers(B), sessionCredential: A }, B);
  });

  test('resumes with a node:tls server', async () => {
    const node = await startNodeServer({
      identity: pki.server,
      minVersion: protocol,
      maxVersion: protocol,
      ca: pki.clientCaA.cert,
    });
    const sessions: Buffer[] = [];
    const first = dial(node, answers(A));
    first.on('session', (session) => sessions.push(session));
    await secured(first);
    first.write('x');
    await within('data', once(first, 'data'));
    await hangUp(first);
    const second = dial(node, { ...answers(), sessionCredential: A, session: sessions.at(-1) });
    await secured(second);
    const seen = await node.sawClient(2);
    expect(seen).toMatchObject({ resumed: true, authorized: true });
    expect(second.isSessionReused()).toBe(true);
    expect(second.clientAuth).toMatchObject({ ...RESUMED, credential: A });
    await hangUp(second);
    await node.close();
  });
});

describe('TLS 1.3, asked after the handshake', () => {
  let server: PythonServer;

  beforeAll(async () => {
    server = await serverOf('TLSv1.3', { postHandshakeOnly: true });
  });

  afterAll(() => server.stop());

  async function ask(dialogue: Dialogue) {
    dialogue.say('ask');
    expect(await dialogue.line()).toBe('asked');
    // So that its tickets have come.
    await dialogue.who();
  }

  test('sessions from before the answer fit everyone, those from after it only who answered', async () => {
    const before: number[] = [];
    const options = answers(A);
    const sessions: Buffer[] = [];
    const socket = dial(server, options);
    socket.on('session', (session) => sessions.push(session));
    await secured(socket);
    const dialogue = new Dialogue(socket);
    await dialogue.who();
    before.push(sessions.length);
    await ask(dialogue);
    await hangUp(socket);
    expect(before[0]).toBeGreaterThan(0);
    expect(sessions.length).toBeGreaterThan(before[0] ?? 0);
    const [early] = sessions as [Buffer];
    const lateOne = sessions.at(-1) as Buffer;

    const stranger = await visit(server, { ...answers(), session: early });
    expect(stranger).toMatchObject({ reused: true, seen: { subject: null } });

    for (const wrong of [{}, answers(), identityB, { ...answers(), sessionCredential: B }]) {
      const { reused, seen } = await visit(server, { ...wrong, session: lateOne });
      expect(reused).toBe(false);
      expect(seen.subject).toBeNull();
    }
    const right = await visit(server, { ...answers(), sessionCredential: A, session: lateOne });
    expect(right).toMatchObject({
      reused: true,
      seen: { subject: A.subject },
      clientAuth: { ...RESUMED, credential: A },
    });
  });

  test('two identities on one connection: its sessions are never offered', async () => {
    const session = await sessionOf(
      server,
      { ...answers(A, B), reselectClientCert: true },
      async (dialogue) => {
        await ask(dialogue);
        await ask(dialogue);
      },
    );
    for (const options of [
      {},
      identityA,
      identityB,
      { ...answers(), sessionCredential: A },
      { ...answers(), sessionCredential: B },
      { ...answers(), sessionCredential: null },
    ]) {
      const { reused, seen } = await visit(server, { ...options, session });
      expect(reused).toBe(false);
      expect(seen.subject).toBeNull();
    }
  });

  test('a resumed connection can be asked, and may be answered by another', async () => {
    const session = await sessionOf(server, answers(A), ask);
    const callback = answers(B);
    const { clientCertCallback } = callback;
    const socket = dial(server, { clientCertCallback, sessionCredential: A, session });
    await secured(socket);
    const dialogue = new Dialogue(socket);
    expect(await dialogue.who()).toMatchObject({ reused: true, subject: A.subject });
    expect(socket.clientAuth).toMatchObject({ status: 'resumed', credential: A });
    dialogue.say('ask');
    expect(await dialogue.line()).toBe('asked');
    expect((await dialogue.who()).subject).toBe(B.subject);
    expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: B });
    expect(callback.calls).toBe(1);
    await hangUp(socket);
  });

  test('a resumed connection that answers as another makes sessions that nobody offers', async () => {
    const session = await sessionOf(server, answers(A), ask);
    const mixed = await sessionOf(server, { ...answers(B), sessionCredential: A, session }, ask);
    for (const sessionCredential of [A, B, null]) {
      const { reused } = await visit(server, { ...answers(), sessionCredential, session: mixed });
      expect(reused).toBe(false);
    }
  });
});

test.each<[string, string, unknown]>([
  ['session', 'a string', 'text'],
  ['session', 'a number', 7],
  ['session', 'an object', {}],
  ['session', 'an array', [1, 2]],
  ['sessionCredential', 'what one is made from', { cert: identityA.cert, key: identityA.key }],
  ['sessionCredential', 'a string', 'A'],
])('%s: %s is an argument error', (name, _what, value) => {
  expect(() => dial({ port: 1 }, { [name]: value })).toThrow(
    expect.objectContaining({
      code: 'ERR_INVALID_ARG_TYPE',
      message: expect.stringContaining(`options.${name}`),
    }),
  );
});

test('a Uint8Array is as good as a Buffer', async () => {
  const server = await serverOf('TLSv1.3');
  const session = new Uint8Array(await sessionOf(server, identityA));
  expect((await visit(server, { ...identityA, session })).reused).toBe(true);
  await server.stop();
});

test('credentialOf() of a chain resumes as that chain', async () => {
  const server = await serverOf('TLSv1.3');
  const deep = new Credential(credentialOf(pki.deepClient));
  const session = await sessionOf(server, answers(deep));
  const same = { ...answers(), sessionCredential: new Credential(credentialOf(pki.deepClient)) };
  const { reused, seen } = await visit(server, { ...same, session });
  expect(reused).toBe(true);
  expect(seen.subject).toBe(deep.subject);
  await server.stop();
});

test('requireClientCert has no use for a session whose certificate came after the handshake', async () => {
  const server = await startPythonServer({ identity: pki.server, clientCa: pki.clientCasPath });
  const { sessions, seen } = await visit(server, answers(A), async (dialogue) => {
    dialogue.say('ask');
    expect(await dialogue.line()).toBe('asked');
  });
  expect(seen.subject).toBe(A.subject);
  const session = sessions.at(-1);
  const known = { ...answers(), session, sessionCredential: A };
  const error = await failure(dial(server, { ...known, requireClientCert: true }));
  expect(error.code).toBe('ERR_CLIENT_CERT_REQUIRED');
  expect(error.message).toContain('the server asked for none');
  expect((await visit(server, known)).reused).toBe(true);
  await server.stop();
});
