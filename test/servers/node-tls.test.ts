/** Node's own tls server: whom it saw, in a full handshake, a resumed one, and a renegotiated one. */
import { constants } from 'node:crypto';
import { once } from 'node:events';
import type { TLSSocket as NodeTLSSocket } from 'node:tls';
import { type ConnectionOptions, Credential, type TLSSocket } from '../../lib/index';
import {
  credentialOf,
  deferred,
  dial,
  endedBy,
  hangUp,
  later,
  PROTOCOLS,
  type Protocol,
  secured,
  within,
} from '../support/client';
import {
  type NodeServer,
  type NodeServerOptions,
  nodeTellsReceivedChains,
  startNodeServer,
} from '../support/node-server';
import { loadPki } from '../support/pki';

const pki = loadPki();
const deep = new Credential(credentialOf(pki.deepClient));
const direct = new Credential(credentialOf(pki.clients.ec256));
const withoutChain = new Credential({ cert: pki.deepClient.cert, key: pki.deepClient.key });
const ofUnknownCa = new Credential(credentialOf(pki.clientB));

const SUSPENDED_MS = 50;

/** Node's form of a test subject: one attribute a line, the outermost first. */
function nodeForm(subject: string): string {
  return subject.split(',').reverse().join('\n');
}

/** A server of one version that knows the root of the clients alone. */
async function withNodeServer(
  protocol: Protocol,
  options: Partial<NodeServerOptions>,
  use: (server: NodeServer) => Promise<void>,
): Promise<void> {
  const server = await startNodeServer({
    identity: pki.server,
    ca: pki.clientCaA.cert,
    minVersion: protocol,
    maxVersion: protocol,
    ...options,
  });
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

/** A client whose callback answers late, and the phases of the requests it was called with. */
function client(
  server: NodeServer,
  answer: Credential | null,
  options: ConnectionOptions = {},
): { readonly socket: TLSSocket; readonly phases: readonly string[] } {
  const phases: string[] = [];
  const socket = dial(server, {
    clientCertCallback: (request) => {
      phases.push(request.phase);
      return later(answer, SUSPENDED_MS);
    },
    ...options,
  });
  return { socket, phases };
}

/** Has the server echo, which shows that it accepted what it was sent. */
async function expectEcho(socket: TLSSocket, words: string): Promise<void> {
  const heard = within('echo', once(socket, 'data'));
  socket.write(words);
  expect(String((await heard)[0])).toBe(words);
}

describe.each(PROTOCOLS)('a tls server of Node, %s', (protocol) => {
  test('authorizes a client that sends its chain', async () => {
    await withNodeServer(protocol, { rejectUnauthorized: true }, async (server) => {
      const { socket, phases } = client(server, deep);
      await secured(socket);
      await expectEcho(socket, 'hello');
      const seen = await server.sawClient();
      expect(seen).toMatchObject({
        subject: nodeForm(pki.deepClient.subject),
        chainLength: nodeTellsReceivedChains ? 1 + pki.deepClient.chainLength : 1,
        authorized: true,
        authorizationError: undefined,
        protocol,
        resumed: false,
      });
      expect(phases).toEqual(['handshake']);
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: deep });
      await hangUp(socket);
    });
  });

  test.each([
    ['without its chain', withoutChain, pki.deepClient, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['of an unknown authority', ofUnknownCa, pki.clientB, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ])('sees a client %s, but does not authorize it', async (_what, credential, identity, code) => {
    await withNodeServer(protocol, {}, async (server) => {
      const { socket } = client(server, credential);
      await secured(socket);
      await expectEcho(socket, 'hello');
      expect(await server.sawClient()).toMatchObject({
        subject: nodeForm(identity.subject),
        chainLength: 1,
        authorized: false,
        authorizationError: code,
      });
      await hangUp(socket);
    });
  });

  test('sees nobody when the client declines', async () => {
    await withNodeServer(protocol, {}, async (server) => {
      const { socket, phases } = client(server, null);
      await secured(socket);
      await expectEcho(socket, 'hello');
      expect(await server.sawClient()).toMatchObject({
        subject: undefined,
        chainLength: 0,
        authorized: false,
      });
      expect(phases).toEqual(['handshake']);
      expect(socket.clientAuth).toMatchObject({ status: 'declined', reason: 'callback' });
      await hangUp(socket);
    });
  });

  test('recognises the client of a session, and asks it nothing', async () => {
    await withNodeServer(protocol, { rejectUnauthorized: true }, async (server) => {
      const first = client(server, deep);
      await secured(first.socket);
      // On TLS 1.3 the session has come by the time that data has.
      await expectEcho(first.socket, 'hello');
      const session = first.socket.getSession();
      expect(session).toBeInstanceOf(Buffer);
      await hangUp(first.socket);

      const again = client(server, direct, { session, sessionCredential: deep });
      await secured(again.socket);
      await expectEcho(again.socket, 'hello');
      expect(await server.sawClient(2)).toMatchObject({
        subject: nodeForm(pki.deepClient.subject),
        authorized: true,
        resumed: true,
      });
      expect(again.socket.isSessionReused()).toBe(true);
      expect(again.phases).toEqual([]);
      expect(again.socket.clientAuth).toEqual({
        status: 'resumed',
        requested: false,
        sent: false,
        credential: deep,
      });
      await hangUp(again.socket);

      // Nobody else is let in on that session.
      const other = client(server, direct, { session, sessionCredential: direct });
      await secured(other.socket);
      await expectEcho(other.socket, 'hello');
      expect(await server.sawClient(3)).toMatchObject({
        subject: nodeForm(pki.clients.ec256.subject),
        authorized: true,
        resumed: false,
      });
      expect(other.socket.isSessionReused()).toBe(false);
      expect(other.phases).toEqual(['handshake']);
      await hangUp(other.socket);
    });
  });
});

describe('renegotiation with a tls server of Node', () => {
  // A resumed session asks nothing.
  const full = { secureOptions: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION };

  function subjectSeenBy(peer: NodeTLSSocket): string | undefined {
    return peer.getPeerX509Certificate()?.subject;
  }

  test('by the client: renegotiate() lets the server ask who declined before', async () => {
    await withNodeServer('TLSv1.2', full, async (server) => {
      const answers = [null, deep];
      const phases: string[] = [];
      const { socket } = client(server, null, {
        clientCertCallback: (request) => {
          phases.push(request.phase);
          return later(answers[phases.length - 1], SUSPENDED_MS);
        },
      });
      await secured(socket);
      const { socket: peer, subject } = await server.sawClient();
      expect(subject).toBeUndefined();

      const renegotiated = deferred<Error | null>();
      const peerSecure = once(peer, 'secure');
      expect(socket.renegotiate({}, renegotiated.resolve)).toBe(true);
      expect(await within('renegotiation', renegotiated.promise)).toBeNull();
      await within('secure', peerSecure);
      expect(subjectSeenBy(peer)).toBe(nodeForm(pki.deepClient.subject));
      expect(phases).toEqual(['handshake', 'renegotiation']);
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: deep });
      await expectEcho(socket, 'and goes on');
      await hangUp(socket);
    });
  });

  test('by the server: it asks in the middle of a connection', async () => {
    await withNodeServer('TLSv1.2', { ...full, requestCert: false }, async (server) => {
      const { socket, phases } = client(server, deep);
      await secured(socket);
      await expectEcho(socket, 'hello');
      const { socket: peer, subject } = await server.sawClient();
      expect(subject).toBeUndefined();
      expect(phases).toEqual([]);

      const renegotiated = deferred<Error | null>();
      peer.renegotiate({ requestCert: true, rejectUnauthorized: true }, renegotiated.resolve);
      expect(await within('renegotiation', renegotiated.promise)).toBeNull();
      expect(subjectSeenBy(peer)).toBe(nodeForm(pki.deepClient.subject));
      expect(phases).toEqual(['renegotiation']);
      await expectEcho(socket, 'and goes on');
      await hangUp(socket);
    });
  });

  test('after disableRenegotiation() a server that begins it fails the connection', async () => {
    await withNodeServer('TLSv1.2', { ...full, requestCert: false }, async (server) => {
      const { socket, phases } = client(server, deep);
      await secured(socket);
      socket.disableRenegotiation();
      await expectEcho(socket, 'nothing changes by itself');
      const { socket: peer } = await server.sawClient();
      const ended = endedBy(socket);
      peer.renegotiate({ requestCert: true, rejectUnauthorized: true }, () => {});
      expect((await ended).code).toBe('ERR_TLS_RENEGOTIATION_DISABLED');
      expect(phases).toEqual([]);
    });
  });

  test('TLS 1.3 has none: the callback gets an error, and the connection goes on', async () => {
    await withNodeServer('TLSv1.3', {}, async (server) => {
      const { socket, phases } = client(server, deep);
      await secured(socket);
      const refused = deferred<Error | null>();
      expect(socket.renegotiate({}, refused.resolve)).toBe(false);
      expect(await within('refusal', refused.promise)).toMatchObject({
        code: 'ERR_SSL_WRONG_SSL_VERSION',
      });
      await expectEcho(socket, 'goes on');
      expect(phases).toEqual(['handshake']);
      await hangUp(socket);
    });
  });
});
