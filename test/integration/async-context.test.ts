/** The context of `connect()` is kept in what it leads to, as `tls.connect()` keeps it. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type EventEmitter, once } from 'node:events';
import net from 'node:net';
import { Connection, type ConnectionOptions, Credential, connect, SUSPEND } from '../../lib/index';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { signWith } from '../support/signers';
import { type Client, clients, next, pki, to, turns, within } from './stream-helpers';

const storage = new AsyncLocalStorage<string>();
/** Where everything else happens: what is of the connection must not be seen there, nor this there. */
const elsewhere = <T>(work: () => T): T => storage.run('elsewhere', work);

let server: NodeServer;
beforeAll(async () => {
  server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) => {
      socket.on('data', (data) => socket.write(data));
      socket.on('end', () => socket.end());
    },
  });
});
afterAll(() => server.close());

const EVENTS = ['lookup', 'connect', 'ready', 'secureConnect', 'session', 'data', 'end', 'close'];

/** Which of its events come in which context. */
function contexts(socket: EventEmitter): Map<string, Set<string | undefined>> {
  const seen = new Map<string, Set<string | undefined>>();
  for (const name of EVENTS) {
    socket.on(name, () => {
      const found = seen.get(name) ?? new Set();
      seen.set(name, found.add(storage.getStore()));
    });
  }
  return seen;
}

const TRANSPORTS: [name: string, options: () => Promise<ConnectionOptions>][] = [
  ['the socket', async () => ({ host: 'localhost', family: 4 })],
  ['the stream', async () => ({ host: 'localhost', family: 4, transport: 'stream' })],
  ["a caller's socket", async () => ({ socket: await connected() })],
  ["a caller's stream", async () => ({ socket: await connected(), transport: 'stream' })],
];

async function connected(): Promise<net.Socket> {
  const socket = net.connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

describe.each(TRANSPORTS)('over %s', (_, how) => {
  test('events come in the context of connect(), as those of tls.connect()', async () => {
    const run = async (client: Client) => {
      const more = await elsewhere(how);
      const socket = storage.run('ours', () => clients[client]({ ...to(server.port), ...more }));
      const seen = elsewhere(() => contexts(socket));
      await elsewhere(async () => {
        await next(socket, 'secureConnect');
        const heard = next(socket, 'data');
        socket.write('hello');
        await heard;
        const closed = next(socket, 'close');
        socket.end();
        await closed;
      });
      return Object.fromEntries([...seen].map(([name, found]) => [name, [...found]]));
    };
    const ours = await run('ours');
    const node = await run('node');
    // Node tells the close of a caller's socket in that one's context.
    expect(ours).toEqual({ ...node, close: ['ours'] });
    expect(ours).toMatchObject({ secureConnect: ['ours'], data: ['ours'], close: ['ours'] });
    expect(ours).toMatchObject({ session: ['ours'], end: ['ours'] });
  });

  test('what tells that data was sent comes in the context in which it was written', async () => {
    const run = async (client: Client) => {
      const more = await elsewhere(how);
      const socket = storage.run('ours', () => clients[client]({ ...to(server.port), ...more }));
      await next(socket, 'secureConnect');
      socket.resume();
      const seen = Promise.all([
        new Promise((resolve) => socket.once('drain', () => resolve(storage.getStore()))),
        new Promise((resolve) => {
          // More than the kernel takes at once: somebody else has to bring it on.
          const data = Buffer.alloc(8 * 1024 * 1024);
          storage.run('writer', () => socket.write(data, () => resolve(storage.getStore())));
        }),
      ]);
      const told = await within(seen, 'drain');
      socket.destroy();
      return told;
    };
    const ours = await run('ours');
    expect(ours).toEqual(['writer', 'writer']);
    expect(await run('node')).toEqual(ours);
  });

  test('an error and its close come in it', async () => {
    const run = async (client: Client) => {
      const more = await elsewhere(how);
      const options = { ...to(server.port), ...more, ca: pki.clientCaA.cert };
      const socket = storage.run('ours', () => clients[client](options));
      return within(
        new Promise((resolve) => {
          const seen: unknown[] = [];
          elsewhere(() => socket.on('error', () => seen.push(storage.getStore())));
          elsewhere(() => socket.on('close', () => resolve([...seen, storage.getStore()])));
        }),
        'close',
      );
    };
    expect(await run('ours')).toEqual(['ours', 'ours']);
    expect(await run('node')).toEqual(['ours', expect.anything()]);
  });

  test('the callback, the signer, the check of the name and the suspension run in it', async () => {
    const more = await elsewhere(how);
    const seen: Record<string, unknown> = {};
    const { cert, key } = pki.clients.ec256;
    const socket = storage.run('ours', () =>
      connect({
        ...to(server.port),
        ...more,
        checkServerIdentity: () => {
          seen.checkServerIdentity = storage.getStore();
          return undefined;
        },
        clientCertCallback: async (request) => {
          seen[`callback ${request.attempt}`] = storage.getStore();
          await turns(1);
          seen[`after await ${request.attempt}`] = storage.getStore();
          if (request.attempt === 1) return SUSPEND;
          return new Credential({
            cert,
            key: {
              sign: async (data, scheme) => {
                seen.sign = storage.getStore();
                await turns(1);
                return signWith(key, data, scheme);
              },
            },
          });
        },
      }),
    );
    elsewhere(() =>
      socket.on('suspend', (suspension) => {
        seen.suspend = storage.getStore();
        elsewhere(() => setImmediate(() => suspension.resume()));
      }),
    );
    elsewhere(() => socket.on('secureConnect', () => (seen.secureConnect = storage.getStore())));
    await next(socket, 'secureConnect');
    expect(socket.clientAuth.status).toBe('sent');
    socket.destroy();
    expect(seen).toEqual({
      checkServerIdentity: 'ours',
      'callback 1': 'ours',
      'after await 1': 'ours',
      suspend: 'ours',
      'callback 2': 'ours',
      'after await 2': 'ours',
      sign: 'ours',
      secureConnect: 'ours',
    });
  });
});

test('many at once are not mixed up', async () => {
  const names = Array.from({ length: 12 }, (_, i) => `connection ${i}`);
  const seen = await Promise.all(
    names.map(
      (name) =>
        new Promise<string>((resolve, reject) => {
          let asked: string | undefined;
          const socket = storage.run(name, () =>
            connect({
              ...to(server.port),
              clientCertCallback: async () => {
                await turns(2);
                asked = storage.getStore();
                return null;
              },
            }),
          );
          socket.on('error', reject);
          socket.on('secureConnect', () => {
            resolve(`${asked}, ${storage.getStore()}`);
            socket.destroy();
          });
        }),
    ),
  );
  expect(seen).toEqual(names.map((name) => `${name}, ${name}`));
});

test('a connection without a socket keeps that in which it was made', async () => {
  let asked: string | undefined;
  let resumed: string | undefined;
  const wire = net.connect(server.port, '127.0.0.1');
  await once(wire, 'connect');
  const done = new Promise<void>((resolve, reject) => {
    const step = () => {
      const { status } = connection.handshake();
      const bytes = connection.drain();
      if (bytes !== undefined) wire.write(bytes);
      if (status === 'done') resolve();
      else if (status === 'failed') reject(new Error('the handshake failed'));
    };
    const connection = storage.run(
      'ours',
      () =>
        new Connection(
          {
            ca: pki.serverCa.cert,
            servername: 'localhost',
            clientCertCallback: async () => {
              asked = storage.getStore();
              return null;
            },
          },
          {
            resumed: () => {
              resumed = storage.getStore();
              step();
            },
          },
        ),
    );
    elsewhere(() => {
      wire.on('data', (data) => {
        connection.receive(data);
        step();
      });
      step();
    });
  });
  await within(done, 'handshake');
  wire.destroy();
  expect({ asked, resumed }).toEqual({ asked: 'ours', resumed: 'ours' });
});
