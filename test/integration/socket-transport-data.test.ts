/** Data through the descriptor: slow and deaf peers, what leaves together, both ends. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash, randomBytes } from 'node:crypto';
import net, { type Socket } from 'node:net';
import type { TLSSocket as NodeTLSSocket } from 'node:tls';
import { connect, type TLSSocket } from '../../lib/index';
import { hangUp, secured } from '../support/client';
import { tcpConnection } from '../support/kernel-sockets';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { overDescriptors } from '../support/over-descriptors';
import { startTap, tlsRecords } from '../support/tap';
import {
  next,
  pki,
  readAll,
  readBytes,
  record,
  startRawServer,
  to,
  turns,
  VERSIONS,
  within,
} from './stream-helpers';

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function withServer(
  onConnection: ((socket: NodeTLSSocket) => void) | undefined,
  use: (server: NodeServer) => Promise<void>,
): Promise<void> {
  const server = await startNodeServer({
    identity: pki.server,
    allowHalfOpen: true,
    ...(onConnection && { onConnection }),
  });
  try {
    await use(server);
  } finally {
    await server.close();
  }
}

/** Connected and secured, through the descriptor. */
async function open(port: number, more: object = {}): Promise<TLSSocket> {
  const socket = connect({ ...to(port), ...more });
  await secured(socket);
  expect(socket.transport).toBe('socket');
  return socket;
}

/** The server's side of the only connection, which on TLS 1.3 may be secured later than ours. */
const sideOf = async (server: NodeServer) => (await server.sawClient()).socket;

/** Not within 'secureConnection', where Node's TLS 1.3 server may forget its close_notify. */
const greets = (peer: NodeTLSSocket) => void setImmediate(() => peer.end('greeting'));

/** Passes what `from` says on to `to`, a byte at a time, each in a turn of its own. */
function drip(from: Socket, to: Socket): void {
  const waiting: Buffer[] = [];
  let dripping = false;
  to.setNoDelay();
  const go = async () => {
    dripping = true;
    for (let chunk = waiting.shift(); chunk !== undefined; chunk = waiting.shift()) {
      for (let at = 0; at < chunk.length && !to.destroyed; at += 1) {
        to.write(chunk.subarray(at, at + 1));
        await turns(1);
      }
    }
    dripping = false;
    if (from.readableEnded) to.end();
  };
  from.on('data', (chunk: Buffer) => {
    waiting.push(chunk);
    if (!dripping) void go();
  });
  from.on('end', () => {
    if (!dripping) to.end();
  });
}

overDescriptors('a slow peer', () => {
  test.each(VERSIONS)('one byte at a time, handshake, data and end, %s', async (version) => {
    await withServer(undefined, async (server) => {
      const proxy = await startRawServer((client) => {
        const far = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
        for (const each of [client, far]) each.on('error', () => {}).setNoDelay();
        drip(client, far);
        drip(far, client);
      });
      const socket = connect({
        ...to(proxy.port, version),
        clientCertCallback: async () => pki.clients.ec256,
      });
      await secured(socket);
      expect(socket.transport).toBe('socket');
      expect((await server.sawClient()).subject).toContain('client ec256');
      const bytes = randomBytes(3000);
      const echoed = readAll(socket);
      socket.end(bytes);
      expect(digest(await echoed)).toBe(digest(bytes));
      await next(socket, 'close');
      await proxy.close();
    });
  });
});

overDescriptors('a peer that does not read', () => {
  test('write() says stop, and all arrives in order when it reads', async () => {
    const PIECES = 256;
    const piece = (index: number) => Buffer.alloc(256 * 1024, index + 1);
    await withServer(
      (peer) => peer.pause(),
      async (server) => {
        const socket = await open(server.port);
        const peer = await sideOf(server);
        const calls: number[] = new Array(PIECES).fill(0);
        const order: number[] = [];
        const sent = createHash('sha256');
        const said = new Set<boolean>();
        const all = Promise.all(
          calls.map((_, index) => {
            sent.update(piece(index));
            return new Promise<void>((resolve, reject) => {
              const goesOn = socket.write(piece(index), (error) => {
                calls[index] = (calls[index] ?? 0) + 1;
                order.push(index);
                if (error) reject(error);
                else resolve();
              });
              said.add(goesOn);
            });
          }),
        );
        expect(said).toEqual(new Set([false]));
        const drained = next(socket, 'drain', 15_000);
        const received = createHash('sha256');
        const ended = next(peer, 'end', 15_000);
        // It has not passed on what the kernel does not take.
        await turns(20);
        expect(order.length).toBeLessThan(PIECES);
        expect(socket.writableLength).toBeGreaterThan(0);
        peer.on('data', (chunk: Buffer) => received.update(chunk)).resume();
        await within(all, 'callbacks', 15_000);
        await drained;
        socket.end();
        await ended;
        expect(received.digest('hex')).toBe(sent.digest('hex'));
        await turns();
        expect(calls).toEqual(new Array(PIECES).fill(1));
        expect(order).toEqual(calls.map((_, index) => index));
        await hangUp(socket);
      },
    );
  });

  test('end() waits for what it did not take', async () => {
    const bytes = randomBytes(16 * 1024 * 1024);
    await withServer(
      (peer) => peer.pause(),
      async (server) => {
        const socket = await open(server.port);
        let finished = false;
        socket.once('finish', () => {
          finished = true;
        });
        socket.write(bytes.subarray(0, -5));
        socket.end(bytes.subarray(-5));
        await turns(20);
        expect(finished).toBe(false);
        const peer = await sideOf(server);
        const received = readAll(peer);
        // A listener alone does not undo pause().
        peer.resume();
        expect(digest(await received)).toBe(digest(bytes));
        // The other direction is still open.
        const answer = readAll(socket);
        peer.end('thanks');
        expect(String(await answer)).toBe('thanks');
        expect(finished).toBe(true);
        await hangUp(socket);
      },
    );
  });
});

overDescriptors('a peer that resets', () => {
  /** Secured through a relay, whose end may be reset. */
  async function throughRelay(use: (socket: TLSSocket, relay: Socket) => Promise<void>) {
    await withServer(undefined, async (server) => {
      const relay = await startRawServer((client) => {
        const target = net.connect({ port: server.port, host: '127.0.0.1' });
        client.pipe(target).pipe(client);
        client.once('close', () => target.destroy());
      });
      const socket = await open(relay.port);
      // All of the handshake has passed.
      await sideOf(server);
      await use(socket, relay.sockets[0] as Socket);
      await relay.close();
    });
  }
  const RESET = [expect.stringMatching(/^error (ECONNRESET|EPIPE)$/), 'close true'];

  test.each([
    ['data', ['last words']],
    ['close_notify', []],
  ])('the last %s fails before anything is told to be finished', async (_, last) => {
    await throughRelay(async (socket, relay) => {
      const seen = record(socket, ['finish', 'error', 'close']);
      const closed = next(socket, 'close');
      // The kernel has the reset before our write.
      relay.resetAndDestroy();
      socket.end(...(last as []));
      await closed;
      expect(seen).toEqual(RESET);
    });
  });

  test('an end that waits for what it did not take fails with it', async () => {
    await throughRelay(async (socket, relay) => {
      relay.unpipe().pause();
      const seen = record(socket, ['finish', 'error', 'close']);
      const written = new Promise((resolve) => {
        socket.write(Buffer.alloc(16 * 1024 * 1024), resolve);
      });
      const ended = new Promise((resolve) => socket.end(resolve));
      await turns(20);
      const closed = next(socket, 'close');
      relay.resetAndDestroy();
      await closed;
      expect(seen).toEqual(RESET);
      expect([await written, await ended]).toEqual([
        expect.objectContaining({ code: expect.any(String) }),
        expect.objectContaining({ code: expect.any(String) }),
      ]);
    });
  });
});

describe('a peer that is faster than who reads', () => {
  test('keeps neither promises nor timers waiting', async () => {
    const MANY = 4 * 1024 * 1024;
    await withServer(
      (peer) => void peer.write(Buffer.alloc(MANY)),
      async (server) => {
        const socket = connect(to(server.port));
        socket.pause();
        await secured(socket);
        await turns(20);
        let received = 0;
        let chunks = 0;
        let most = 0;
        let timers = 0;
        const timer = setInterval(() => timers++, 0);
        socket.on('data', (chunk: Buffer) => {
          received += chunk.length;
          chunks++;
          most = Math.max(most, chunks);
          void Promise.resolve().then(() => {
            chunks = 0;
          });
          // As slow as the kernel is fast.
          for (const until = performance.now() + 2; performance.now() < until; );
        });
        socket.resume();
        const all = async () => {
          while (received < MANY) await turns(1);
        };
        await within(all(), 'all of it', 15_000);
        clearInterval(timer);
        expect(most).toBe(1);
        expect(timers).toBeGreaterThan(10);
        socket.destroy();
      },
    );
  });

  test.each(['auto', 'stream'] as const)(
    'is stopped by who only keeps what came, %s',
    async (transport) => {
      await withServer(
        (peer) => void peer.write(Buffer.alloc(8 * 1024 * 1024)),
        async (server) => {
          const socket = connect({ ...to(server.port), transport });
          socket.on('data', async () => {
            await null;
            socket.pause();
          });
          await secured(socket);
          const pausing = async () => {
            while (!socket.isPaused()) await turns(1);
          };
          await within(pausing(), 'pause');
          await turns(20);
          // One piece, and as much as a stream keeps for who does not read.
          expect(socket.bytesRead).toBeLessThan(512 * 1024);
          socket.destroy();
        },
      );
    },
  );
});

describe('a chunk', () => {
  test.each([1, 5_000, 16_384, 65_536, 100_000])(
    'of %i bytes brings nothing else along in its ArrayBuffer',
    async (size) => {
      await withServer(
        (peer) => void peer.write(Buffer.alloc(size, 'x')),
        async (server) => {
          const socket = connect(to(server.port));
          const buffers: ArrayBufferLike[] = [];
          socket.on('data', (chunk: Buffer) => {
            expect(chunk.buffer.byteLength).toBe(chunk.length);
            buffers.push(chunk.buffer);
          });
          await readBytes(socket, size);
          expect(new Set(buffers).size).toBe(buffers.length);
          await hangUp(socket);
        },
      );
    },
  );
});

describe('a peer that resets before its data is read', () => {
  const ways = (['auto', 'stream'] as const).flatMap((transport) =>
    [5_000, 30_000, 60_000].map((size) => ({ transport, size })),
  );

  /** Paused, while `size` bytes, and close_notify if `ends`, arrive and then a reset. */
  async function paused(
    { transport, size }: (typeof ways)[number],
    ends: boolean,
    use: (socket: TLSSocket) => Promise<void>,
  ): Promise<void> {
    const bytes = Buffer.alloc(size, 'x');
    const onConnection = (peer: NodeTLSSocket) =>
      void setImmediate(() => {
        if (ends) peer.end(bytes);
        else peer.write(bytes, () => peer.destroy());
      });
    await withServer(onConnection, async (server) => {
      let passed = () => {};
      const all = new Promise<void>((resolve) => {
        passed = resolve;
      });
      const relay = await startRawServer((client) => {
        // Nothing may wait in the kernel, where a reset would drop it.
        client.setNoDelay();
        const target = net.connect({ port: server.port, host: '127.0.0.1' });
        client.pipe(target);
        target.pipe(client, { end: false });
        target.once('end', passed);
      });
      const socket = connect({ ...to(relay.port), transport });
      socket.pause();
      await secured(socket);
      await within(all, 'data');
      (relay.sockets[0] as Socket).resetAndDestroy();
      await turns(20);
      await use(socket);
      socket.destroy();
      await relay.close();
    });
  }

  test.each(ways)('and had said all: all is read, and the end, $transport, $size', async (way) => {
    await paused(way, true, async (socket) => {
      const seen = record(socket, ['error', 'end', 'close']);
      const closed = next(socket, 'close');
      const all = readAll(socket);
      // A listener alone does not undo pause().
      socket.resume();
      expect((await all).length).toBe(way.size);
      await closed;
      expect(seen).toEqual(['end', 'close false']);
    });
  });

  test.each(ways.filter(({ size }) => size > 30_000))(
    'and had not: what came is read, and then the error, $transport, $size',
    async (way) => {
      await paused(way, false, async (socket) => {
        const seen = record(socket, ['error', 'end', 'close']);
        const closed = next(socket, 'close');
        let count = 0;
        socket.on('data', (chunk: Buffer) => {
          count += chunk.length;
        });
        socket.resume();
        await closed;
        expect(seen).toEqual(['error ECONNRESET', 'close true']);
        expect(count).toBe(way.size);
      });
    },
  );
});

overDescriptors('the ends', () => {
  test('after our end the server may go on', async () => {
    const reply = randomBytes(1024 * 1024);
    const onConnection = (peer: NodeTLSSocket) => peer.resume().once('end', () => peer.end(reply));
    await withServer(onConnection, async (server) => {
      const socket = await open(server.port);
      const finished = next(socket, 'finish');
      const answer = readAll(socket);
      const closed = next(socket, 'close');
      socket.end('request');
      await finished;
      expect(digest(await answer)).toBe(digest(reply));
      expect(await closed).toEqual([false]);
    });
  });

  test("after the server's end we may go on, with allowHalfOpen", async () => {
    await withServer(greets, async (server) => {
      const socket = await open(server.port, { allowHalfOpen: true });
      expect(String(await readAll(socket))).toBe('greeting');
      await turns();
      expect(socket.writable).toBe(true);
      const bytes = randomBytes(1024 * 1024);
      const received = readAll(await sideOf(server));
      const closed = next(socket, 'close');
      socket.end(bytes);
      expect(digest(await received)).toBe(digest(bytes));
      expect(await closed).toEqual([false]);
    });
  });

  test("without it the server's end is ours", async () => {
    await withServer(greets, async (server) => {
      const socket = await open(server.port);
      const closed = next(socket, 'close');
      expect(String(await readAll(socket))).toBe('greeting');
      expect(await closed).toEqual([false]);
      expect(socket.writableEnded).toBe(true);
    });
  });
});

overDescriptors('small writes', () => {
  test.each(VERSIONS)('of one turn leave in a few records, in order, %s', async (version) => {
    await withServer(undefined, async (server) => {
      const tap = await startTap(server.port);
      const socket = connect(to(tap.port, version));
      await secured(socket);
      // The handshake has passed the tap when the echo of something is back.
      const first = readBytes(socket, 1);
      socket.write('-');
      await first;
      const records = () => tlsRecords(tap.fromClient).length;
      const before = records();
      const text = Array.from({ length: 100 }, (_, index) => String(index)).join(',');
      const echoed = readBytes(socket, text.length);
      let called = 0;
      for (const letter of text) socket.write(letter, () => called++);
      expect(String(await echoed)).toBe(text);
      const left = records() - before;
      expect(left).toBeGreaterThanOrEqual(1);
      expect(left).toBeLessThanOrEqual(3);
      await turns();
      expect(called).toBe(text.length);
      await hangUp(socket);
      await tap.close();
    });
  });

  test('the first has left when write() returns', async () => {
    await withServer(undefined, async (server) => {
      const socket = await open(server.port);
      // The server has read the handshake.
      const first = readBytes(socket, 1);
      socket.write('-');
      await first;
      const unread = () => tcpConnection(server.port, socket.localPort ?? 0)?.unread;
      expect(unread()).toBe(0);
      const echoed = readBytes(socket, 1);
      socket.write('x');
      // Nobody else in this process has had a turn.
      expect(unread()).toBeGreaterThan(0);
      await echoed;
      await hangUp(socket);
    });
  });
});

overDescriptors('options of the kernel', () => {
  test('keep-alive, by the option', async () => {
    await withServer(
      (peer) => peer.pipe(peer),
      async (server) => {
        const socket = await open(server.port, { keepAlive: true, keepAliveInitialDelay: 50_000 });
        // Once what was sent is acknowledged; before, the timer is that of sending it again.
        const echoed = readBytes(socket, 1);
        socket.write('x');
        await echoed;
        const connection = tcpConnection(socket.localPort ?? 0, server.port);
        expect(connection?.timer).toBe(2);
        expect(connection?.due).toBeGreaterThan(40);
        await hangUp(socket);
      },
    );
  });

  test('keep-alive, set and taken back once connected', async () => {
    await withServer(undefined, async (server) => {
      const socket = await open(server.port);
      const echoed = readBytes(socket, 1);
      socket.write('x');
      await echoed;
      const connection = () => tcpConnection(socket.localPort ?? 0, server.port);
      expect(connection()?.timer).not.toBe(2);
      expect(socket.setKeepAlive(true, 90_000)).toBe(socket);
      expect(connection()?.timer).toBe(2);
      expect(connection()?.due).toBeGreaterThan(80);
      expect(connection()?.due).toBeLessThanOrEqual(90);
      socket.setKeepAlive(false);
      expect(connection()?.timer).not.toBe(2);
      expect(socket.setNoDelay()).toBe(socket);
      await hangUp(socket);
      // Nobody is there any more; nor is that anybody's mistake.
      expect(socket.setKeepAlive(true, 1000)).toBe(socket);
      expect(socket.setNoDelay(false)).toBe(socket);
    });
  });

  test.each(['looked at before', 'never looked at'])('addresses after close, %s', async (when) => {
    await withServer(undefined, async (server) => {
      const seen = [];
      for (const transport of ['auto', 'stream'] as const) {
        const socket = connect({ ...to(server.port), transport });
        await secured(socket);
        if (when === 'looked at before') {
          expect(socket.remoteAddress).toBe('127.0.0.1');
          expect(socket.remotePort).toBe(server.port);
          expect(socket.remoteFamily).toBe('IPv4');
          expect(socket.address()).toEqual({
            address: '127.0.0.1',
            family: 'IPv4',
            port: socket.localPort,
          });
        }
        await hangUp(socket);
        const { remoteAddress, remotePort, remoteFamily } = socket;
        const { localAddress, localPort, localFamily } = socket;
        seen.push({
          remote: { remoteAddress, remotePort, remoteFamily },
          local: { localAddress, localPort, localFamily, address: socket.address() },
        });
      }
      expect(seen[0]).toEqual(seen[1]);
    });
  });
});

describe('AsyncLocalStorage', () => {
  test.each(['auto', 'stream'] as const)("connect()'s store, transport %s", async (transport) => {
    await withServer(undefined, async (server) => {
      const storage = new AsyncLocalStorage<string>();
      const seen = new Map<string, string | undefined>();
      const see = (what: string) => seen.set(what, storage.getStore());
      const socket = storage.run('ours', () =>
        connect({
          ...to(server.port),
          transport,
          clientCertCallback: () => {
            see('clientCertCallback');
            return null;
          },
        }),
      );
      for (const event of ['secureConnect', 'data', 'end', 'close']) {
        socket.on(event, () => see(event));
      }
      const closed = next(socket, 'close');
      await secured(socket);
      const peer = await sideOf(server);
      storage.run('another', () => socket.once('data', () => peer.end()));
      storage.run('another', () => socket.write('x'));
      await closed;
      expect(Object.fromEntries(seen)).toEqual({
        clientCertCallback: 'ours',
        secureConnect: 'ours',
        data: 'ours',
        end: 'ours',
        close: 'ours',
      });
    });
  });
});

overDescriptors("a caller's socket", () => {
  test('does not find itself idle while data flows, and does when none does', async () => {
    await withServer(undefined, async (server) => {
      const raw = net.connect(server.port, '127.0.0.1');
      await next(raw, 'connect');
      const socket = await open(server.port, { socket: raw });
      const idle: number[] = [];
      raw.setTimeout(400, () => idle.push(rounds));
      let rounds = 0;
      socket.resume();
      // Longer in all than the timeout, and never as long without a byte.
      for (; rounds < 15; rounds++) {
        socket.write('x');
        await readBytes(socket, 1);
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      expect(idle).toEqual([]);
      if (idle.length === 0) await next(raw, 'timeout');
      await hangUp(socket);
    });
  });
});
