/** Keys shared in advance, beside node:tls: when the callback is called, and what comes of its answers. */
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { TLSSocket as OurSocket, PskCallback } from '../../lib/index';
import { startNodeServer } from '../support/node-server';
import { clients, failure, next, pki, readBytes, to, within } from './stream-helpers';

const NAMES = ['ours', 'node'] as const;
const psk = Buffer.from('d731ef57be09e5204f0b205b60627028', 'hex');
const right = { psk, identity: 'me' };
const ciphers = 'ECDHE-PSK-CHACHA20-POLY1305:TLS_AES_128_GCM_SHA256';

const VERSIONS = ['TLSv1.2', 'TLSv1.3', 'either'] as const;
type Version = (typeof VERSIONS)[number];

function startPskServer(maxVersion?: 'TLSv1.2') {
  const server: Server = createServer({
    ciphers,
    pskIdentityHint: 'who are you?',
    pskCallback: (_socket: TLSSocket, identity: string) =>
      identity === right.identity ? psk : (null as unknown as Buffer),
    ...(maxVersion && { maxVersion }),
  });
  server.on('tlsClientError', () => {});
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  return new Promise<{ port: number; close: () => Promise<void> }>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      resolve({ port, close: () => new Promise((done) => void server.close(() => done())) });
    });
  });
}

/** How a connection goes, with all that its callbacks were told. */
async function course(name: (typeof NAMES)[number], options: object, callback: PskCallback) {
  const log: unknown[] = [];
  const socket = clients[name]({
    host: '127.0.0.1',
    ciphers,
    checkServerIdentity: (hostname: string, certificate: object) => {
      log.push(['check', hostname, certificate]);
    },
    ...options,
    pskCallback: (hint: string | null) => {
      log.push(['psk', hint]);
      return callback(hint);
    },
  });
  const done = new Promise<void>((resolve) => {
    socket.once('secureConnect', () => {
      log.push('secureConnect', socket.getProtocol(), socket.authorized, socket.isSessionReused());
      log.push(socket.getCipher().name, socket.getPeerCertificate());
      socket.write('x');
      socket.once('data', (data) => {
        log.push(String(data));
        resolve();
      });
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      log.push(error.code ?? error.message);
      resolve();
    });
  });
  await within(done, 'end');
  socket.destroy();
  return log;
}

const versionsOf = (version: Version) =>
  version === 'either' ? {} : { minVersion: version, maxVersion: version };

describe.each(VERSIONS)('%s', (version) => {
  let server: Awaited<ReturnType<typeof startPskServer>>;
  beforeAll(async () => {
    server = await startPskServer();
  });
  afterAll(() => server.close());

  test.each<[string, unknown]>([
    ['the right key', right],
    [
      'the right key in another view',
      { ...right, psk: new Uint16Array(new Uint8Array(psk).buffer) },
    ],
    ['a wrong key', { ...right, psk: Buffer.alloc(16) }],
    ['an unknown identity', { ...right, identity: 'you' }],
    ['null', null],
    ['undefined', undefined],
    ['no key', { identity: 'me' }],
    ['a key as text', { ...right, psk: 'text' }],
    ['no identity', { psk }],
    ['a promise', Promise.resolve(right)],
    ['text', 'me'],
    ['a key too long', { ...right, psk: Buffer.alloc(5000) }],
    ['an identity too long', { ...right, identity: 'i'.repeat(5000) }],
  ])('%s', async (_what, answer) => {
    const options = { port: server.port, ...versionsOf(version) };
    const [ours, theirs] = await Promise.all(
      NAMES.map((name) => course(name, options, () => answer as ReturnType<PskCallback>)),
    );
    expect(ours).toEqual(theirs);
    expect(ours?.[0]).toEqual(['psk', version === 'TLSv1.2' ? 'who are you?' : null]);
  });

  test('what the callback throws is what the connection fails with', async () => {
    const options = { port: server.port, ...versionsOf(version) };
    const logs = NAMES.map((name) =>
      course(name, options, () => {
        throw new Error('of the callback');
      }),
    );
    const [ours, theirs] = await Promise.all(logs);
    expect(ours).toEqual(theirs);
    expect(ours?.at(-1)).toBe('of the callback');
  });

  test.each([null, undefined, 'text'])('what it throws is no Error: %p', async (thrown) => {
    const socket = clients.ours({
      host: '127.0.0.1',
      ciphers,
      port: server.port,
      ...versionsOf(version),
      pskCallback: () => {
        throw thrown;
      },
    });
    const error = await failure(socket as unknown as OurSocket);
    expect(error).toMatchObject({
      code: 'ERR_TLS_PSK_CALLBACK',
      message: expect.stringContaining('pskCallback threw what is no Error'),
    });
    expect(error.cause).toBe(thrown);
    // It may be a secret.
    expect(error.message).not.toContain('text');
  });

  test('over a stream', async () => {
    const options = { port: server.port, ...versionsOf(version), transport: 'stream' };
    expect(await course('ours', options, () => right)).toContain('secureConnect');
  });

  test('the callback may connect again, and destroy its socket', async () => {
    const port = server.port;
    const options = { host: '127.0.0.1', port, ciphers, ...versionsOf(version) };
    let inner: TLSSocket | undefined;
    const outer = clients.ours({
      ...options,
      checkServerIdentity: () => undefined,
      pskCallback: () => {
        inner = clients.ours({
          ...options,
          checkServerIdentity: () => undefined,
          pskCallback: () => right,
        });
        outer.destroy();
        return right;
      },
    });
    await next(outer, 'close');
    await next(inner as TLSSocket, 'secureConnect');
    inner?.destroy();
  });

  test('the default check accepts no server without a certificate, as in node:tls', async () => {
    const options = { port: server.port, ...versionsOf(version), checkServerIdentity: undefined };
    const ours = await course('ours', options, () => right);
    // node:tls takes no `undefined` here.
    const { checkServerIdentity: _, ...theirs } = options;
    const node = clients.node({ host: '127.0.0.1', ciphers, ...theirs, pskCallback: () => right });
    const result = await new Promise((resolve) => {
      node.once('secureConnect', () => resolve('secureConnect'));
      node.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    });
    node.destroy();
    expect(ours).toContain(result);
  });
});

test('a server of TLS 1.2 gives its hint to a client that could do more', async () => {
  const server = await startPskServer('TLSv1.2');
  const [ours, theirs] = await Promise.all(
    NAMES.map((name) => course(name, { port: server.port }, (hint) => (hint ? right : null))),
  );
  expect(ours).toEqual(theirs);
  expect(ours?.slice(0, 2)).toEqual([
    ['psk', null],
    ['psk', 'who are you?'],
  ]);
  expect(ours).toContain('secureConnect');
  await server.close();
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  '%s: a session made by a key is resumed',
  async (version) => {
    const server = await startPskServer();
    const seen = await Promise.all(
      NAMES.map(async (name) => {
        const options = {
          host: '127.0.0.1',
          port: server.port,
          ciphers,
          minVersion: version,
          maxVersion: version,
          checkServerIdentity: () => undefined,
          pskCallback: () => right,
        };
        const first = clients[name](options);
        const [session] = await next(first, 'session');
        first.destroy();
        const second = clients[name]({ ...options, session });
        await next(second, 'secureConnect');
        const { authorized } = second;
        const reused = second.isSessionReused();
        second.destroy();
        return { authorized, reused };
      }),
    );
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]).toEqual({ authorized: true, reused: true });
    await server.close();
  },
);

test('where the key is of no use the server asks for a certificate as ever', async () => {
  const server = await startNodeServer({ identity: pki.server });
  const { cert, key } = pki.clients.ec256;
  const socket = clients.ours({
    ...to(server.port, 'TLSv1.3'),
    pskCallback: () => null,
    clientCertCallback: async () => ({ cert, key }),
  });
  await next(socket, 'secureConnect');
  socket.write('x');
  await readBytes(socket, 1);
  expect((await server.sawClient()).subject).toMatch(/client ec256/);
  socket.destroy();
  await server.close();
});
