/** TLS 1.2: requests in a renegotiation that a signer signs for. */
import { constants } from 'node:crypto';
import { once } from 'node:events';
import tls, { type TLSSocket as NodeTLSSocket } from 'node:tls';
import { type ClientCertAnswer, type ConnectionOptions, Credential } from '../../lib/index';
import {
  credentialOf,
  deferred,
  dial,
  endedBy,
  hangUp,
  inTurn,
  later,
  secured,
  within,
  withSServer,
} from '../support/client';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { heldSigner, lateSigner, signedBy, signerOf } from '../support/signers';

const pki = loadPki();
const identity = pki.clients.ec256;
const bob = pki.clients.rsa;
const server12 = {
  protocol: 'TLSv1.2',
  requestCert: 'no',
  clientCa: pki.clientCaA.certPath,
  args: ['-no_resumption_on_reneg'],
} as const;

afterEach(() => {
  jest.restoreAllMocks();
});

async function withNodeServer(
  options: Partial<Parameters<typeof startNodeServer>[0]>,
  use: (server: NodeServer) => Promise<void>,
): Promise<void> {
  // Node's server counts its own, each twice.
  jest.replaceProperty(tls, 'CLIENT_RENEG_LIMIT', 10);
  const server = await startNodeServer({
    identity: pki.server,
    ca: [pki.clientCaA.cert],
    maxVersion: 'TLSv1.2',
    requestCert: false,
    secureOptions: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
    ...options,
  });
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

async function pair(server: NodeServer, options: ConnectionOptions) {
  const socket = dial(server, options);
  await secured(socket);
  const { socket: peer } = await server.sawClient();
  return { socket: socket.resume(), peer };
}

/** Has the server renegotiate, and tells whom it saw then. */
async function renegotiated(peer: NodeTLSSocket): Promise<string> {
  const done = deferred<Error | null>();
  peer.renegotiate({ requestCert: true, rejectUnauthorized: false }, (error) =>
    done.resolve(error),
  );
  expect(await within('renegotiation', done.promise)).toBe(null);
  return (peer.getPeerCertificate().subject as { CN?: string } | undefined)?.CN ?? 'nobody';
}

test.each(['from the callback', 'set in advance'])(
  'begun by s_server: the certificate stays back until it is signed, by a signer %s',
  async (source) => {
    await withSServer(server12, async (server) => {
      const key = heldSigner(identity);
      const answer = signedBy(identity, key);
      const socket = dial(
        server,
        source === 'set in advance' ? answer : { clientCertCallback: () => answer },
      );
      await secured(socket.resume());
      expect(socket.clientAuth.status).toBe('not-requested');
      await server.sawClient();
      server.type('R');
      const call = await key.call();
      expect(socket.clientAuth.status).toBe('pending');
      socket.write('still here\n');
      await later(null, 30);
      expect(server.clientCertificateMessageCount).toBe(0);
      expect(server.output).not.toContain('still here');
      const from = server.output.length;
      call.give();
      await server.waitFor('still here', 5_000, from);
      expect((await server.clientChain())[0]?.subject).toContain('ec256');
      expect(socket.clientAuth).toMatchObject({ status: 'sent', signatureScheme: call.scheme });
      await hangUp(socket);
    });
  },
);

test('begun by s_server: end() waits behind the signature', async () => {
  await withSServer(server12, async (server) => {
    const key = heldSigner(identity);
    const socket = dial(server, { clientCertCallback: () => signedBy(identity, key) });
    await secured(socket.resume());
    await server.sawClient();
    server.type('R');
    const call = await key.call();
    const closed = once(socket, 'close');
    socket.end('last words\n');
    const from = server.output.length;
    call.give();
    expect((await within('close', closed))[0]).toBe(false);
    await server.waitFor('last words', 5_000, from);
    await server.waitFor(/close_notify/, 5_000, from);
    expect(socket.clientAuth.status).toBe('sent');
  });
});

test('in the middle of an upload, nothing of it is lost', async () => {
  await withSServer({ ...server12, messages: false }, async (server) => {
    const key = heldSigner(identity);
    const socket = dial(server, { clientCertCallback: () => signedBy(identity, key) });
    await secured(socket.resume());
    await server.waitFor('CIPHER is');
    const lines = Array.from({ length: 60_000 }, (_, i) => `${String(i).padStart(6, '0')}\n`);
    socket.write(lines.slice(0, 30_000).join(''));
    server.type('R');
    const call = await key.call();
    const more = lines.slice(30_000).map((line) => socket.write(line));
    expect(more).toContain(false);
    const drained = within('drain', once(socket, 'drain'));
    call.give();
    await drained;
    await server.waitFor('059999');
    const uploaded = server.output.replace(/(depth=|verify |SSL_do_|Read BLOCK).*\n/g, '');
    expect(uploaded.match(/^\d{6}$/gm)?.join('\n')).toBe(lines.join('').trimEnd());
    expect(socket.clientAuth.status).toBe('sent');
    await hangUp(socket);
  });
});

test('twice: the first signer is asked again, the callback is not', async () => {
  await withNodeServer({}, async (server) => {
    const key = lateSigner(identity);
    const { requests, clientCertCallback } = inTurn(signedBy(identity, key));
    const { socket, peer } = await pair(server, { clientCertCallback });
    for (let nth = 1; nth <= 2; nth += 1) {
      expect(await renegotiated(peer)).toContain('ec256');
      expect(key.asked).toHaveLength(nth);
      expect(socket.clientAuth.status).toBe('sent');
    }
    expect(requests.map(({ phase }) => phase)).toEqual(['renegotiation']);
    await hangUp(socket);
  });
});

test('a signer of the first handshake is asked again in a renegotiation', async () => {
  await withNodeServer({ requestCert: true }, async (server) => {
    const key = lateSigner(identity);
    const { clientCertCallback } = inTurn(signedBy(identity, key));
    const { socket, peer } = await pair(server, { clientCertCallback });
    expect(key.asked).toHaveLength(1);
    expect(await renegotiated(peer)).toContain('ec256');
    expect(key.asked).toHaveLength(2);
    await hangUp(socket);
  });
});

const kept = credentialOf(identity);
test.each<[string, () => ClientCertAnswer[], string[]]>([
  [
    'a key in memory, then a signer',
    () => [kept, signedBy(bob, lateSigner(bob))],
    ['client ec256', 'client rsa'],
  ],
  [
    'a signer, then a key in memory',
    () => [signedBy(bob, lateSigner(bob)), kept],
    ['client rsa', 'client ec256'],
  ],
  ['a signer, then nobody', () => [signedBy(bob, signerOf(bob)), null], ['client rsa', 'nobody']],
])('reselectClientCert: %s', async (_what, answers, seen) => {
  await withNodeServer({}, async (server) => {
    const { requests, clientCertCallback } = inTurn(...answers());
    const { socket, peer } = await pair(server, { clientCertCallback, reselectClientCert: true });
    for (const name of seen) expect(await renegotiated(peer)).toBe(name);
    expect(requests).toHaveLength(seen.length);
    await hangUp(socket);
  });
});

describe('begun by us', () => {
  test('the signer is asked, and data goes on behind it', async () => {
    await withNodeServer({ requestCert: true }, async (server) => {
      const key = lateSigner(identity);
      const credential = new Credential(signedBy(identity, key));
      const { socket, peer } = await pair(server, { clientCertCallback: () => credential });
      const done = deferred<unknown>();
      const peerAgain = once(peer, 'secure');
      expect(socket.renegotiate({}, done.resolve)).toBe(true);
      const heard = once(socket, 'data');
      socket.write('written meanwhile');
      expect(await within('callback', done.promise)).toBe(null);
      expect(String((await within('echo', heard))[0])).toBe('written meanwhile');
      await within('server', peerAgain);
      expect(key.asked).toHaveLength(2);
      await hangUp(socket);
    });
  });

  test('while the signature for another one is waited for', async () => {
    await withNodeServer({}, async (server) => {
      const key = heldSigner(identity);
      const credential = new Credential(signedBy(identity, key));
      const { socket, peer } = await pair(server, { clientCertCallback: () => credential });
      const seen = renegotiated(peer);
      const call = await key.call();
      const done = deferred<unknown>();
      expect(socket.renegotiate({}, done.resolve)).toBe(true);
      await later(null, 20);
      call.give();
      expect(await seen).toContain('ec256');
      // Ours follows, in which the server asks as it did last.
      (await key.call(2)).give();
      expect(await within('callback', done.promise)).toBe(null);
      await hangUp(socket);
    });
  });
});

test.each<[string, (peer: NodeTLSSocket) => void]>([
  ['closes', (peer) => peer.destroy()],
  ['closes in good order', (peer) => peer.destroySoon()],
])('a server that %s while it is signed fails the connection', async (_how, go) => {
  await withNodeServer({}, async (server) => {
    const key = heldSigner(identity);
    const { socket, peer } = await pair(server, {
      clientCertCallback: () => signedBy(identity, key),
    });
    const ended = endedBy(socket);
    peer.renegotiate({ requestCert: true, rejectUnauthorized: false }, () => {});
    const call = await key.call();
    go(peer);
    const error = await ended;
    expect(error.code).toBe('ECONNRESET');
    expect(error.identity).toBeUndefined();
    expect(call.signal.aborted).toBe(true);
    expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
    call.give();
    await later(null, 5);
  });
});

test('a wrong signature fails the connection, and what was queued with it', async () => {
  await withSServer(server12, async (server) => {
    const key = heldSigner(identity);
    const socket = dial(server, { clientCertCallback: () => signedBy(identity, key) });
    await secured(socket.resume());
    await server.sawClient();
    server.type('R');
    const call = await key.call();
    const ended = endedBy(socket);
    const written = new Promise<unknown>((resolve) => socket.write('never sent\n', resolve));
    call.settle(Buffer.alloc(70));
    const error = await ended;
    expect(error.code).toBe('ERR_SIGNATURE_INVALID');
    expect(await within('callback', written)).toBe(error);
    expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
    await later(null, 30);
    expect(server.clientCertificateMessageCount).toBe(0);
    expect(server.output).not.toContain('never sent');
  });
});
