/** The options of `net.connect()`, and what `net.Socket` has, each beside `tls.connect()`. */
import { type EventEmitter, once } from 'node:events';
import net, { type AddressInfo, BlockList, type LookupFunction } from 'node:net';
import type { TLSSocket as NodeTLSSocket } from 'node:tls';
import { type ConnectionOptions, connect } from '../../lib/index';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { type Client, clients, failure, next, pki, readBytes, record, to } from './stream-helpers';

let server: NodeServer;
beforeAll(async () => {
  server = await startNodeServer({ identity: pki.server });
});
afterAll(() => server.close());

/** What each of them shows, node:tls's last. */
async function both<T>(show: (client: Client) => Promise<T>): Promise<[ours: T, node: T]> {
  return [await show('ours'), await show('node')];
}

/** What both show is the same, and this. */
async function expectBoth<T>(show: (client: Client) => Promise<T>, expected: unknown) {
  const [ours, node] = await both(show);
  expect({ ours, node }).toEqual({ ours: expected, node: expected });
}

/** Opens, looks when it is secure, and closes. */
async function shown<T>(
  client: Client,
  options: object,
  look: (socket: NodeTLSSocket) => T | Promise<T>,
): Promise<T> {
  const socket = clients[client]({ ...to(server.port), ...options });
  await next(socket, 'secureConnect');
  const result = await look(socket);
  const closed = next(socket, 'close');
  socket.destroy();
  await closed;
  return result;
}

describe.each<[string, ConnectionOptions]>([
  ['auto', {}],
  ['stream', { transport: 'stream' }],
])('transport %s', (_, transport) => {
  describe('how it gets to the server', () => {
    /** Answers with these, and keeps what it was asked. */
    const lookingUp = (...addresses: string[]) => {
      const asked: unknown[] = [];
      const lookup: LookupFunction = (hostname, { all, family, hints }, done) => {
        asked.push([hostname, { all, family, hints }]);
        const found = addresses.map((address) => ({ address, family: net.isIP(address) }));
        const [first] = found;
        process.nextTick(() =>
          all ? done(null, found) : done(null, first?.address as string, first?.family),
        );
      };
      return { asked, lookup };
    };

    test.each<[string, object]>([
      ['lookup alone', {}],
      ['family 4', { family: 4 }],
      ["family 'IPv4'", { family: 'IPv4' }],
      ['hints', { family: 4, hints: 32 }],
      ['autoSelectFamily: false', { autoSelectFamily: false }],
      ['autoSelectFamily: true', { autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 500 }],
    ])('%s', async (_name, options) => {
      const show = async (client: Client) => {
        const { asked, lookup } = lookingUp('127.0.0.1');
        const more = { ...transport, ...options, host: 'somewhere.test', lookup };
        const events: unknown[] = [];
        const socket = clients[client]({ ...to(server.port), ...more });
        socket.on('lookup', (...args) => events.push(args));
        await next(socket, 'secureConnect');
        socket.destroy();
        return { asked, events };
      };
      const [ours, node] = await both(show);
      expect(ours).toEqual(node);
      expect(ours.asked).toHaveLength(1);
      expect(ours.events).toEqual([[null, '127.0.0.1', 4, 'somewhere.test']]);
    });

    test('autoSelectFamily goes on to the next address, and tells of each attempt', async () => {
      const names = ['connectionAttempt', 'connectionAttemptFailed', 'connect', 'secureConnect'];
      const show = async (client: Client) => {
        const { lookup } = lookingUp('::1', '127.0.0.1');
        const more = { ...transport, host: 'two.test', lookup, autoSelectFamily: true };
        const socket = clients[client]({ ...to(server.port), ...more });
        const events = record(socket, names);
        await next(socket, 'secureConnect');
        const { autoSelectFamilyAttemptedAddresses } = socket;
        socket.destroy();
        return { events, autoSelectFamilyAttemptedAddresses };
      };
      const { port } = server;
      const [ours, node] = await both(show);
      expect(ours).toEqual(node);
      expect(ours.events.at(-1)).toBe('secureConnect');
      expect(ours.autoSelectFamilyAttemptedAddresses).toEqual([`::1:${port}`, `127.0.0.1:${port}`]);
    });

    test('when no address takes it, all their errors come as one', async () => {
      const closed = net.createServer().listen(0, '127.0.0.1');
      await once(closed, 'listening');
      const { port } = closed.address() as AddressInfo;
      closed.close();
      const show = async (client: Client) => {
        const { lookup } = lookingUp('127.0.0.1', '127.0.0.2');
        const more = { ...transport, host: 'two.test', lookup, autoSelectFamily: true };
        const error = await failure(clients[client]({ ...to(port), ...more }));
        const { name, code, message } = error;
        const parts = (error as unknown as AggregateError).errors;
        return { name, code, message, parts: parts.map(String) };
      };
      const [ours, node] = await both(show);
      expect(ours).toEqual(node);
      expect(ours).toMatchObject({ name: 'AggregateError', code: 'ECONNREFUSED' });
    });

    test('localAddress and localPort are where it comes from', async () => {
      const free = net.createServer().listen(0, '127.0.0.2');
      await once(free, 'listening');
      const { port: localPort } = free.address() as AddressInfo;
      free.close();
      await once(free, 'close');
      const options = { ...transport, localAddress: '127.0.0.2', localPort };
      const socket = connect({ ...to(server.port), ...options });
      await next(socket, 'secureConnect');
      expect([socket.localAddress, socket.localPort]).toEqual(['127.0.0.2', localPort]);
      socket.destroy();
      const show = (client: Client) =>
        shown(
          client,
          { ...transport, localAddress: '127.0.0.3' },
          ({ localAddress }) => localAddress,
        );
      await expectBoth(show, '127.0.0.3');
    });

    test('blockList, on the versions of Node that have it', async () => {
      const blockList = new BlockList();
      blockList.addAddress('127.0.0.1');
      const show = async (client: Client) => {
        const socket = clients[client]({ ...to(server.port), ...transport, blockList });
        return new Promise((resolve) => {
          socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
          socket.on('secureConnect', () => {
            resolve('connected');
            socket.destroy();
          });
        });
      };
      // tls.connect() passes it over even where net.connect() minds it.
      const minded = Number.parseInt(process.versions.node, 10) >= 22;
      expect(await both(show)).toEqual([minded ? 'ERR_IP_BLOCKED' : 'connected', 'connected']);
    });
  });

  describe('how the stream is made', () => {
    test.each<[string, object]>([
      ['nothing', {}],
      ['highWaterMark', { highWaterMark: 1_000 }],
      ['highWaterMark: 0', { highWaterMark: 0 }],
      ['readableHighWaterMark, which has no effect', { readableHighWaterMark: 7 }],
      ['readable: false, which has no effect', { readable: false }],
      ['writable: false, which has no effect', { writable: false }],
      ['objectMode, which has no effect', { objectMode: true }],
      ['encoding, which has no effect', { encoding: 'utf8' }],
      ['noDelay', { noDelay: true }],
      ['keepAlive', { keepAlive: true, keepAliveInitialDelay: 10_000 }],
      ['timeout', { timeout: 30_000 }],
      ['timeout: 0', { timeout: 0 }],
      ['allowHalfOpen', { allowHalfOpen: true }],
    ])('%s: the same stream, and data goes through', async (_name, options) => {
      const show = (client: Client) =>
        shown(client, { ...transport, ...options }, async (socket) => {
          socket.write('hello');
          const heard = await readBytes(socket, 5);
          return {
            heard,
            readableHighWaterMark: socket.readableHighWaterMark,
            writableHighWaterMark: socket.writableHighWaterMark,
            readableObjectMode: socket.readableObjectMode,
            writableObjectMode: socket.writableObjectMode,
            readableEncoding: socket.readableEncoding,
            allowHalfOpen: socket.allowHalfOpen,
            timeout: socket.timeout,
            readable: socket.readable,
            writable: socket.writable,
          };
        });
      const [ours, node] = await both(show);
      expect(ours).toEqual(node);
      expect(ours.heard.toString()).toBe('hello');
    });

    test.each([false, true])('allowHalfOpen: %s, when the server ends', async (allowHalfOpen) => {
      const heard: string[] = [];
      const half = await startNodeServer({
        identity: pki.server,
        allowHalfOpen: true,
        onConnection: (socket) => {
          socket.setEncoding('utf8').on('data', (text: string) => heard.push(text));
          // Behind the handshake's last words: an end in the same turn would be in its place.
          setImmediate(() => socket.end());
        },
      });
      const show = async (client: Client) => {
        const socket = clients[client]({ ...to(half.port), ...transport, allowHalfOpen });
        const closed = next(socket, 'close');
        socket.resume();
        await next(socket, 'end');
        await new Promise((resolve) => setImmediate(resolve));
        const { writable } = socket;
        if (writable) socket.end(`${client} goes on`);
        await closed;
        return writable;
      };
      await expectBoth(show, allowHalfOpen);
      expect(heard).toEqual(allowHalfOpen ? ['ours goes on', 'node goes on'] : []);
      await half.close();
    });

    test('over a stream of the caller, timeout and allowHalfOpen are ours, where Node takes its own', async () => {
      const show = async (client: Client) => {
        const socket = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
        await once(socket, 'connect');
        const options = { ...transport, socket, timeout: 30_000 };
        const left = await shown(client, options, (s) => [s.timeout, s.allowHalfOpen]);
        const other = net.connect({ port: server.port, host: '127.0.0.1' });
        await once(other, 'connect');
        const set = await shown(
          client,
          { ...transport, socket: other, allowHalfOpen: true },
          (s) => s.allowHalfOpen,
        );
        return { left, set };
      };
      // Whether a tunnel may be half open says nothing about what goes through it.
      expect(await both(show)).toEqual([
        { left: [30_000, false], set: true },
        { left: [undefined, true], set: false },
      ]);
    });

    // tls.connect() is given none: its process may die of it later (onread->IsFunction(), in Node 20).
    test('a signal that was aborted before: the error of net.connect(), and no connection', async () => {
      const reason = new Error('too late');
      const signal = AbortSignal.abort(reason);
      const errors: unknown[] = [];
      for (const open of [connect, net.connect] as const) {
        const socket = open({ ...to(server.port), ...transport, signal } as never) as net.Socket;
        const { name, code, message, cause } = await failure(socket);
        errors.push({ name, code, message, cause });
      }
      expect(errors[0]).toEqual(errors[1]);
      expect(errors[0]).toMatchObject({ name: 'AbortError', code: 'ABORT_ERR', cause: reason });
    });

    test.each(['fd', 'handle'])('%s is refused, where tls.connect() connects elsewhere', (name) => {
      expect(() => connect({ ...to(server.port), ...transport, [name]: 1 })).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_ARG_VALUE',
          message: expect.stringContaining(`options.${name}`),
        }),
      );
    });
  });

  test('what net.Socket has is the same at each stage of a connection', async () => {
    const look = (socket: NodeTLSSocket) => ({
      bufferSize: socket.bufferSize,
      bytesRead: socket.bytesRead,
      bytesWritten: socket.bytesWritten,
      connecting: socket.connecting,
      pending: socket.pending,
      destroyed: socket.destroyed,
      readyState: socket.readyState,
      timeout: socket.timeout,
      attempted: socket.autoSelectFamilyAttemptedAddresses,
      localAddress: socket.localAddress,
      localFamily: socket.localFamily,
      remoteAddress: socket.remoteAddress,
      remoteFamily: socket.remoteFamily,
      port: socket.remotePort,
    });
    const show = async (client: Client) => {
      const socket = clients[client]({ ...to(server.port), ...transport });
      const seen = { start: look(socket) } as Record<string, ReturnType<typeof look>>;
      socket.write('early');
      seen['with a write that waits'] = look(socket);
      await next(socket, 'connect');
      seen.connected = look(socket);
      await next(socket, 'secureConnect');
      await readBytes(socket, 5);
      seen.open = look(socket);
      const closed = next(socket, 'close');
      socket.resume().end('last');
      seen.ended = look(socket);
      await closed;
      seen.closed = look(socket);
      return seen;
    };
    const [ours, node] = await both(show);
    expect(ours).toEqual(node);
    expect(ours.open).toMatchObject({ readyState: 'open', bytesRead: 5, bytesWritten: 5 });
  });

  test('resetAndDestroy() and destroySoon()', async () => {
    const show = async (client: Client) => {
      const socket = clients[client]({ ...to(server.port), ...transport });
      await next(socket, 'secureConnect');
      let refused: unknown;
      try {
        socket.resetAndDestroy();
      } catch (error) {
        refused = (error as NodeJS.ErrnoException).code;
      }
      const events = record(socket, ['finish', 'end', 'error', 'close']);
      const closed = next(socket, 'close');
      socket.write('a');
      socket.destroySoon();
      await closed;
      const again = socket.resetAndDestroy() === socket;
      return { refused, again, events };
    };
    await expectBoth(show, {
      refused: 'ERR_INVALID_HANDLE_TYPE',
      again: true,
      events: ['finish', 'close false'],
    });
  });

  describe('onread', () => {
    /** What the callback was given, until so many bytes came. */
    const reading = (size: number, goOn: (count: number) => boolean = () => true) => {
      const calls: number[] = [];
      const bytes: Buffer[] = [];
      let finish: () => void = () => {};
      const all = new Promise<void>((resolve) => {
        finish = resolve;
      });
      const callback = (count: number, buffer: Uint8Array) => {
        calls.push(count);
        bytes.push(Buffer.from(buffer.subarray(0, count)));
        if (Buffer.concat(bytes).length >= size) finish();
        return goOn(calls.length);
      };
      return { callback, calls, all, text: () => Buffer.concat(bytes).toString() };
    };
    const longer = 'x'.repeat(40) + 'y'.repeat(40);

    test('everything goes into the one buffer, and nothing through the stream', async () => {
      const show = async (client: Client) => {
        const { callback, calls, all, text } = reading(longer.length);
        const buffer = Buffer.alloc(32);
        const socket = clients[client]({
          ...to(server.port),
          ...transport,
          onread: { buffer, callback },
        });
        const events = record(socket, ['data', 'end', 'close']);
        await next(socket, 'secureConnect');
        socket.write(longer);
        await all;
        const closed = next(socket, 'close');
        socket.end();
        await closed;
        return { calls, text: text(), events, bytesRead: socket.bytesRead };
      };
      await expectBoth(show, {
        calls: [32, 32, 16],
        text: longer,
        events: ['end', 'close false'],
        bytesRead: longer.length,
      });
    });

    test('a function gives a buffer for each', async () => {
      const show = async (client: Client) => {
        const { callback, all, text } = reading(longer.length);
        const given: Uint8Array[] = [];
        const buffer = () => {
          const next = Buffer.alloc(50);
          given.push(next);
          return next;
        };
        const options = { ...to(server.port), ...transport, onread: { buffer, callback } };
        const socket = clients[client](options);
        await next(socket, 'secureConnect');
        socket.write(longer);
        await all;
        socket.destroy();
        return { text: text(), given: given.length > 1 && new Set(given).size === given.length };
      };
      await expectBoth(show, { text: longer, given: true });
    });

    test('false holds it up until resume()', async () => {
      const show = async (client: Client) => {
        const { callback, calls, all, text } = reading(longer.length, (count) => count > 1);
        const buffer = Buffer.alloc(32);
        const options = { ...to(server.port), ...transport, onread: { buffer, callback } };
        const socket = clients[client](options);
        await next(socket, 'secureConnect');
        socket.write(longer);
        await server.sawClient(server.connections.length);
        // Another connection gets its answer meanwhile: time enough for this one's.
        await shown(client, transport, async (other) => {
          other.write('z');
          await readBytes(other, 1);
        });
        const held = [...calls];
        socket.resume();
        await all;
        socket.destroy();
        // Node hands out what it has decrypted by then, whatever the callback says.
        return { held: held.length <= 1 || client === 'node', text: text() };
      };
      await expectBoth(show, { held: true, text: longer });
    });

    test('pause() holds it up, too', async () => {
      const { callback, calls, all } = reading(1);
      const onread = { buffer: Buffer.alloc(32), callback };
      const socket = connect({ ...to(server.port), ...transport, onread });
      await next(socket, 'secureConnect');
      socket.pause();
      socket.write('1');
      await shown('ours', transport, async (other) => {
        other.write('z');
        await readBytes(other, 1);
      });
      expect(calls).toEqual([]);
      socket.resume();
      await all;
      expect(calls).toEqual([1]);
      socket.destroy();
    });

    test('it has no effect over a socket of the caller, as there', async () => {
      const show = async (client: Client) => {
        const { callback, calls } = reading(1);
        const socket = net.connect(server.port, '127.0.0.1');
        await once(socket, 'connect');
        return shown(
          client,
          { ...transport, socket, onread: { buffer: Buffer.alloc(9), callback } },
          async (secure) => {
            secure.write('hello');
            return [(await readBytes(secure, 5)).toString(), calls];
          },
        );
      };
      await expectBoth(show, ['hello', []]);
    });

    test.each<[unknown, string]>([
      [5, 'options.onread'],
      [{ buffer: Buffer.alloc(1) }, 'options.onread.callback'],
      [{ callback: () => true }, 'options.onread.buffer'],
    ])('%p is refused, where net.Socket goes on without', (onread, name) => {
      expect(() => connect({ port: 1, ...transport, onread: onread as never })).toThrow(
        expect.objectContaining({
          code: 'ERR_INVALID_ARG_TYPE',
          message: expect.stringContaining(`"${name}"`),
        }),
      );
    });
  });
});

test('what net.Socket could do and this cannot says so', () => {
  const socket = connect({ port: 1, host: '127.0.0.1' });
  (socket as EventEmitter).on('error', () => {});
  expect(() => socket.connect(1)).toThrow(
    expect.objectContaining({ code: 'ERR_METHOD_NOT_IMPLEMENTED' }),
  );
  socket.destroy();
});
