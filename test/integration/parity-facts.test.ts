/** What a socket tells of its connection, beside what node:tls tells of the same. */
import tls from 'node:tls';
import { type ConnectionOptions, connect } from '../../lib/index';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { createPair } from '../support/pair';
import { startTap } from '../support/tap';
import {
  clients,
  failure,
  next,
  pki,
  readBytes,
  to,
  VERSIONS,
  type Version,
  within,
} from './stream-helpers';

const TRANSPORTS = ['auto', 'stream'] as const;
const CASES = VERSIONS.flatMap((version) =>
  TRANSPORTS.map((transport) => [version, transport] as const),
);

const NAMES = ['ours', 'node'] as const;
const identity = { cert: pki.clients.ec256.cert, key: pki.clients.ec256.key };

/** Buffers by their size: these differ from one connection to the next. */
function shape(value: unknown): unknown {
  return Buffer.isBuffer(value) ? `${value.length} bytes` : value;
}

const FACTS = [
  'getProtocol',
  'getCipher',
  'getSharedSigalgs',
  'getFinished',
  'getPeerFinished',
  'isSessionReused',
  'getPeerCertificate',
  'getCertificate',
] as const;

const factsOf = (socket: tls.TLSSocket): Record<string, unknown> => ({
  ...Object.fromEntries(FACTS.map((name) => [name, shape(socket[name]())])),
  // Its size differs: numbers are encoded in it that are longer in one than in the other.
  getTLSTicket: socket.getTLSTicket() && 'a ticket',
});

async function secured(socket: tls.TLSSocket): Promise<tls.TLSSocket> {
  await next(socket, 'secureConnect');
  return socket;
}

describe.each(CASES)('%s, transport %s', (version, transport) => {
  let server: NodeServer;
  const options = () => ({ ...to(server.port, version), transport });

  afterEach(() => server.close());

  test.each([
    ['a server that asks', true, identity],
    ['a server that asks nobody in particular', true, {}],
    ['a server that does not ask', false, identity],
  ])('the same facts in every phase: %s', async (_what, requestCert, credential) => {
    // What later versions of OpenSSL prefer is no ephemeral key to SSL_get_peer_tmp_key(3).
    server = await startNodeServer({
      identity: pki.server,
      requestCert,
      ecdhCurve: 'X25519:P-256',
    });
    const seen = await Promise.all(
      NAMES.map(async (name) => {
        const socket = clients[name]({ ...options(), ...credential });
        const before = factsOf(socket);
        // node:tls 24 does not survive to be asked now.
        if (name === 'ours') expect(socket.getEphemeralKeyInfo()).toEqual({});
        await secured(socket);
        const after = factsOf(socket);
        after.getEphemeralKeyInfo = socket.getEphemeralKeyInfo();
        // TLS 1.3 brings its tickets with the first data.
        socket.write('x');
        await readBytes(socket, 1);
        const later = factsOf(socket);
        // Last: on node:tls 20 this takes the leaf out of what getPeerCertificate() looks at.
        const x509 = [socket.getX509Certificate()?.raw, socket.getPeerX509Certificate()?.raw];
        socket.destroy();
        return { before, after, later, x509 };
      }),
    );
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]?.after.getEphemeralKeyInfo).toMatchObject({ type: 'ECDH' });
    expect(seen[0]?.later.getTLSTicket).toBe('a ticket');
    expect(seen[0]?.after.getSharedSigalgs).toEqual(
      requestCert ? expect.arrayContaining(['ECDSA+SHA256']) : [],
    );
  });

  test('Finished and keying material are the same as on the side of the server', async () => {
    server = await startNodeServer({ identity: pki.server });
    for (const name of NAMES) {
      const socket = await secured(clients[name](options()));
      const { socket: peer } = await server.sawClient(NAMES.indexOf(name) + 1);
      expect(socket.getFinished()).toEqual(peer.getPeerFinished());
      expect(socket.getPeerFinished()).toEqual(peer.getFinished());
      for (const context of [undefined, Buffer.of(), Buffer.from('context')]) {
        const args = [128, 'EXPERIMENTAL-test', context] as [number, string, Buffer];
        expect(socket.exportKeyingMaterial(...args)).toEqual(peer.exportKeyingMaterial(...args));
      }
      const words = new Uint16Array([1, 2, 3]);
      expect(socket.exportKeyingMaterial(9, 'l', words as never)).toEqual(
        peer.exportKeyingMaterial(9, 'l', Buffer.from(words.buffer)),
      );
      socket.destroy();
    }
  });

  test('what is no keying material is refused alike', async () => {
    server = await startNodeServer({ identity: pki.server });
    const ask: [unknown, unknown, unknown?][] = [
      ['8', 'label'],
      [0, 'label'],
      [-1, 'label'],
      [1.5, 'label'],
      [2 ** 32, 'label'],
      [8, undefined],
      [8, 'label', 'context'],
      [8, 'label', null],
    ];
    const codes = await Promise.all(
      NAMES.map(async (name) => {
        const socket = clients[name](options());
        const codeOf = (args: unknown[]) => {
          try {
            socket.exportKeyingMaterial(...(args as [number, string, Buffer]));
            return 'none';
          } catch (error) {
            return (error as NodeJS.ErrnoException).code;
          }
        };
        const early = codeOf([8, 'label']);
        await secured(socket);
        const found = [early, ...ask.map(codeOf)];
        socket.destroy();
        return found;
      }),
    );
    expect(codes[0]).toEqual(codes[1]);
    expect(codes[0]?.[0]).toBe('ERR_TLS_INVALID_STATE');
    expect(codes[0]).not.toContain('none');
  });

  test.each(['X25519', 'P-256', 'P-384', 'P-521'])('the curve %s', async (ecdhCurve) => {
    server = await startNodeServer({ identity: pki.server, ecdhCurve });
    const infos = await Promise.all(
      NAMES.map(async (name) => {
        const socket = await secured(clients[name](options()));
        const info = socket.getEphemeralKeyInfo();
        socket.destroy();
        return info;
      }),
    );
    expect(infos[0]).toEqual(infos[1]);
    expect(infos[0]).toMatchObject({ type: 'ECDH', name: expect.any(String) });
  });

  test('setMaxSendFragment bounds the records that are sent', async () => {
    server = await startNodeServer({ identity: pki.server });
    const tap = await startTap(server.port);
    const sizes = await Promise.all(
      NAMES.map(async (name) => {
        const socket = await secured(clients[name]({ ...options(), port: tap.port }));
        const answers = [511, 512, 16384, 16385, -1, 512].map((size) =>
          socket.setMaxSendFragment(size),
        );
        const codes = ['5', 1.5, 2 ** 31].map((size) => {
          try {
            return socket.setMaxSendFragment(size as number);
          } catch (error) {
            return (error as NodeJS.ErrnoException).code;
          }
        });
        const text = 'x'.repeat(40_000);
        socket.write(text);
        expect(String(await readBytes(socket, text.length))).toBe(text);
        socket.destroy();
        return { answers, codes };
      }),
    );
    expect(sizes[0]).toEqual(sizes[1]);
    // Forty thousand bytes from each, none of them in a record of more than 512 and its overhead.
    const overhead = tap.fromClient.length - 80_000;
    expect(overhead).toBeGreaterThan(2 * (40_000 / 512) * 20);
    await tap.close();
  });
});

describe('after close there is nothing to tell', () => {
  test.each(VERSIONS)('%s', async (version) => {
    const server = await startNodeServer({ identity: pki.server });
    const socket = connect({ ...to(server.port, version) });
    await next(socket, 'secureConnect');
    socket.destroy();
    await next(socket, 'close');
    expect(socket.getEphemeralKeyInfo()).toBeNull();
    expect(socket.getSharedSigalgs()).toEqual([]);
    for (const name of ['getFinished', 'getPeerFinished', 'getTLSTicket'] as const) {
      expect(socket[name]()).toBeUndefined();
    }
    expect(socket.setMaxSendFragment(512)).toBe(false);
    expect(() => socket.enableTrace()).not.toThrow();
    expect(() => socket.exportKeyingMaterial(8, 'label')).toThrow(
      expect.objectContaining({ code: 'ERR_TLS_INVALID_STATE' }),
    );
    await server.close();
  });
});

describe('minDHSize', () => {
  const dhe = 'DHE-RSA-AES128-GCM-SHA256';
  let server: NodeServer;
  beforeAll(async () => {
    server = await startNodeServer({ identity: pki.serverRsa, ciphers: dhe, dhparam: 'auto' });
  });
  afterAll(() => server.close());

  const options = (more: object) => ({ ...to(server.port, 'TLSv1.2'), ciphers: dhe, ...more });

  test('a key that is large enough is told of, by its size', async () => {
    for (const minDHSize of [undefined, 1024, 2048]) {
      const infos = await Promise.all(
        NAMES.map(async (name) => {
          const given = minDHSize === undefined ? {} : { minDHSize };
          const socket = await secured(clients[name](options(given)));
          const info = socket.getEphemeralKeyInfo();
          socket.destroy();
          return info;
        }),
      );
      expect(infos[0]).toEqual(infos[1]);
      expect(infos[0]).toEqual({ type: 'DH', size: expect.any(Number) });
    }
  });

  test('one that is too small fails the connection, and nobody is shown a certificate', async () => {
    for (const rejectUnauthorized of [true, false]) {
      const more = { minDHSize: 10_000, rejectUnauthorized, ...identity };
      const theirs = await failure(clients.node(options(more)));
      const before = server.connections.length;
      const ours = await failure(clients.ours(options(more)));
      expect(ours.code).toBe('ERR_TLS_DH_PARAM_SIZE');
      expect(ours.code).toBe(theirs.code);
      expect(ours.message).toMatch(/^DH parameter size \d+ is less than 10000/);
      // In node:tls the handshake is complete by then.
      await server.sawHandshakeError(rejectUnauthorized ? 1 : 2);
      expect(server.connections.length).toBe(before);
    }
  });
});

test('a group of TLS 1.3 counts as well', async () => {
  const server = await startNodeServer({
    identity: pki.server,
    ecdhCurve: 'ffdhe2048',
    minVersion: 'TLSv1.3',
  });
  const options = { ...to(server.port, 'TLSv1.3'), ecdhCurve: 'ffdhe2048' };
  for (const name of NAMES) {
    const socket = await secured(clients[name](options));
    expect(socket.getEphemeralKeyInfo()).toEqual({ type: 'DH', size: 2048 });
    socket.destroy();
    const error = await failure(clients[name]({ ...options, minDHSize: 2049 }));
    expect(error.code).toBe('ERR_TLS_DH_PARAM_SIZE');
  }
  await server.close();
});

describe('secureProtocol', () => {
  test.each([
    ['TLSv1_2_method', 'TLSv1.2'],
    ['TLSv1_2_client_method', 'TLSv1.2'],
    ['SSLv23_method', 'TLSv1.2'],
    ['TLS_method', 'TLSv1.3'],
    ['TLS_client_method', 'TLSv1.3'],
  ])('%s agrees on %s', async (secureProtocol, version) => {
    const server = await startNodeServer({ identity: pki.server });
    for (const name of NAMES) {
      const socket = await secured(clients[name]({ ...to(server.port), secureProtocol }));
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
    await server.close();
  });

  test('a method for servers is none for a client', () => {
    expect(() => connect({ port: 1, secureProtocol: 'TLS_server_method' })).toThrow(
      expect.objectContaining({ code: 'ERR_TLS_INVALID_PROTOCOL_METHOD' }),
    );
  });
});

describe('getPeerCertificate(true)', () => {
  /** The links of a chain, which may end in itself. */
  function links(certificate: tls.DetailedPeerCertificate): string[] {
    const subjects: string[] = [];
    const seen = new Set<object>();
    let current: tls.DetailedPeerCertificate | undefined = certificate;
    while (current !== undefined && !seen.has(current)) {
      seen.add(current);
      subjects.push(`${current.fingerprint256} ${Object.keys(current).sort().join()}`);
      current = current.issuerCertificate;
    }
    subjects.push(current === undefined ? 'open' : 'to itself');
    return subjects;
  }

  test.each<[string, Version, object, { cert: string; key: string }]>([
    ['completed from ca', 'TLSv1.3', {}, pki.server],
    ['completed from ca', 'TLSv1.2', {}, pki.server],
    ['RSA', 'TLSv1.3', {}, pki.serverRsa],
    ['unknown issuer', 'TLSv1.3', { rejectUnauthorized: false }, pki.untrustedServer],
    ['no issuer to be found', 'TLSv1.2', { rejectUnauthorized: false, ca: [] }, pki.server],
    [
      'the root is sent as well',
      'TLSv1.3',
      {},
      { cert: pki.server.cert + pki.serverCa.cert, key: pki.server.key },
    ],
  ])('%s, %s', async (_what, version, more, served) => {
    const server = await startNodeServer({ identity: served });
    const found = await Promise.all(
      NAMES.map(async (name) => {
        const socket = await secured(clients[name]({ ...to(server.port, version), ...more }));
        const plain = socket.getPeerCertificate();
        const detailed = links(socket.getPeerCertificate(true));
        socket.destroy();
        return { plain, detailed };
      }),
    );
    expect(found[0]).toEqual(found[1]);
    await server.close();
  });
});

test('the most in one record holds over a stream as well as over a descriptor', async () => {
  const { client, server: far } = createPair();
  const peer = new tls.TLSSocket(far, { isServer: true, ...pki.server });
  peer.pipe(peer);
  const socket = connect({ ...to(0), socket: client } as ConnectionOptions);
  await next(socket, 'secureConnect');
  expect(socket.setMaxSendFragment(1024)).toBe(true);
  const before = client.sent.length;
  socket.write(Buffer.alloc(10 * 1024));
  await within(readBytes(socket, 10 * 1024), 'echo');
  let records = 0;
  const sent = client.sent.subarray(before);
  for (let at = 0; at < sent.length; at += 5 + sent.readUInt16BE(at + 3)) records += 1;
  expect(records).toBe(10);
  socket.destroy();
});
