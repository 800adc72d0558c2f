/** TLS over whatever stream is passed as `socket`, and over what `net.connect` opens. */
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { type ConnectionOptions, connect } from '../../lib/index';
import { registerLeftover } from '../support/leftovers';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { createPair } from '../support/pair';
import {
  type Client,
  clients,
  next,
  overPair,
  pki,
  readAll,
  readBytes,
  record,
  startRawServer,
  to,
  turns,
  VERSIONS,
} from './stream-helpers';

describe.each(VERSIONS)('transports, %s', (version) => {
  let server: NodeServer;
  const options = () => to(server.port, version);
  const below = () => net.connect(server.port, '127.0.0.1');

  beforeEach(async () => {
    server = await startNodeServer({ identity: pki.server });
  });
  afterEach(() => server.close());

  /** Sends something there and back, ends, and returns whether the close was clean. */
  async function exercise(socket: ReturnType<typeof connect>): Promise<void> {
    const closed = next(socket, 'close');
    const text = 'x'.repeat(100_000);
    socket.write(text);
    expect(String(await readBytes(socket, text.length))).toBe(text);
    socket.end();
    expect(await closed).toEqual([false]);
  }

  test('a pair in memory', async () => {
    const { client, server: far } = createPair();
    // As tls.Server does with it, but without any server.
    const peer = new tls.TLSSocket(far, {
      isServer: true,
      cert: pki.server.cert,
      key: pki.server.key,
    });
    peer.pipe(peer);
    const socket = connect({ ...options(), socket: client });
    expect(socket.remoteAddress).toBeUndefined();
    expect(socket.address()).toEqual({});
    expect(socket.connecting).toBe(false);
    expect(socket.setNoDelay().setKeepAlive(true).ref().unref()).toBe(socket);
    await exercise(socket);
    expect(client.destroyed).toBe(true);
  });

  test.each(['connected', 'still connecting'])('a net.Socket that is %s', async (state) => {
    const raw = below();
    if (state === 'connected') await once(raw, 'connect');
    const socket = connect({ ...options(), socket: raw });
    expect(socket.connecting).toBe(state !== 'connected');
    await exercise(socket);
    expect(raw.destroyed).toBe(true);
  });

  test('a tunnel through an HTTP proxy', async () => {
    const proxy = http.createServer();
    proxy.on('connect', (request, client, head) => {
      const [host, port] = String(request.url).split(':');
      const target = net.connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n');
        target.write(head);
        target.pipe(client).pipe(target);
      });
      target.on('error', () => client.destroy());
      client.on('error', () => target.destroy());
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    const forget = registerLeftover(async () => void proxy.close());
    const path = `127.0.0.1:${server.port}`;
    const { port } = proxy.address() as AddressInfo;
    const request = http.request({
      port,
      host: '127.0.0.1',
      method: 'CONNECT',
      path,
      agent: false,
    });
    request.end();
    const [, tunnel] = (await next(request, 'connect')) as [unknown, net.Socket];
    await exercise(connect({ ...options(), socket: tunnel }));
    forget();
    await new Promise((resolve) => proxy.close(resolve));
  });

  test.each(['ours', 'node'] as const)("TLS inside TLS: inside %s's", async (outer) => {
    // The outer server hands on what it decrypts, and each end by itself: the inner close_notify
    // comes back after ours has gone.
    const relay = await startNodeServer({
      identity: pki.serverRsa,
      allowHalfOpen: true,
      onConnection: (socket) => {
        const target = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
        socket.pipe(target).pipe(socket);
        target.on('error', () => socket.destroy());
      },
    });
    const tunnel = clients[outer](to(relay.port, version));
    const socket = connect({ ...options(), socket: tunnel });
    await exercise(socket);
    expect(tunnel.destroyed).toBe(true);
    expect((await server.sawClient()).protocol).toBe(version);
    await relay.close();
  });

  test('a socket upgraded after some plaintext', async () => {
    const plain = await startRawServer((raw) => {
      raw.write('220 ready\r\n');
      raw.once('data', () => {
        raw.write('220 go ahead\r\n', () => server.server.emit('connection', raw));
      });
    });
    const raw = net.connect(plain.port, '127.0.0.1');
    expect(String((await next(raw, 'data'))[0])).toBe('220 ready\r\n');
    raw.removeAllListeners('data');
    raw.write('STARTTLS\r\n');
    expect(String((await next(raw, 'data'))[0])).toBe('220 go ahead\r\n');
    await exercise(connect({ ...options(), socket: raw }));
    await plain.close();
  });

  test('bytes that were read too far and put back are not lost', async () => {
    const { client, server: far } = createPair();
    const socket = connect({ ...options(), socket: client });
    const hello = await next(far, 'data');
    const raw = below();
    raw.write((hello as [Buffer])[0]);
    const [flight] = (await next(raw, 'data')) as [Buffer];
    raw.pause();
    // What a program does that parsed up to here.
    raw.unshift(flight.subarray(5));
    raw.unshift(flight.subarray(0, 5));
    far.pipe(raw).pipe(far);
    await exercise(socket);
  });

  test('a Unix domain socket', async () => {
    const unix = tls.createServer({ cert: pki.server.cert, key: pki.server.key }, (peer) =>
      peer.pipe(peer),
    );
    const path =
      process.platform === 'win32'
        ? `\\\\.\\pipe\\tls-client-cert-${process.pid}`
        : join(pki.dir, `${version}-${process.pid}.sock`);
    await once(unix.listen(path), 'listening');
    const forget = registerLeftover(async () => void unix.close());
    const { port, host, ...rest } = options();
    const socket = connect({ ...rest, path });
    const events = record(socket, ['connect', 'ready', 'secureConnect', 'close']);
    await exercise(socket);
    expect(events).toEqual(['connect', 'ready', 'secureConnect', 'close false']);
    forget();
    await new Promise((resolve) => unix.close(resolve));
  });
});

describe('transports that cannot be used', () => {
  const options = { servername: 'localhost', ca: pki.serverCa.cert };

  test.each(['destroyed', 'ended by its peer', 'ended by us'])('one that is %s', async (how) => {
    const { client, server: far } = createPair();
    if (how === 'destroyed') client.destroy();
    if (how === 'ended by its peer') {
      far.end();
      await readAll(client);
    }
    if (how === 'ended by us') client.end();
    const socket = connect({ ...options, socket: client });
    const events = record(socket, ['end', 'error', 'close']);
    await next(socket, 'close', 2_000);
    expect(events).toEqual(['error ECONNRESET', 'close true']);
    expect(client.destroyed).toBe(true);
  });

  test('one whose peer ends before the handshake', async () => {
    const { client, server: far } = createPair();
    far.end();
    const socket = connect({ ...options, socket: client });
    const events = record(socket, ['end', 'error', 'close']);
    await next(socket, 'close', 2_000);
    expect(events).toEqual(['error ECONNRESET', 'close true']);
  });

  test('one that gives text, or objects', async () => {
    for (const spoil of ['text', 'objects']) {
      const { client, server: far } = createPair();
      if (spoil === 'text') client.setEncoding('utf8');
      const socket = connect({ ...options, socket: client });
      const events = record(socket, ['end', 'error', 'close']);
      if (spoil === 'text') far.write('HTTP/1.1 400\r\n');
      else process.nextTick(() => client.emit('data', { an: 'object' }));
      await next(socket, 'close', 2_000);
      expect(events).toEqual(['error ERR_INVALID_ARG_TYPE', 'close true']);
    }
  });

  test.each([1, 'text', {}, new http.Agent()])('%p is no stream', (value) => {
    expect(() => connect({ ...options, socket: value as never })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});

describe('who destroys whom', () => {
  test('destroy() destroys the transport, and its error does not go down', async () => {
    const { client } = createPair();
    const transportEvents = record(client, ['error', 'close']);
    const socket = connect({ socket: client });
    const error = Object.assign(new Error('mine'), { code: 'MINE' });
    const events = record(socket, ['error', 'close']);
    socket.destroy(error);
    await next(socket, 'close');
    expect(events).toEqual(['error MINE', 'close true']);
    expect(client.destroyed).toBe(true);
    expect(transportEvents.filter((event) => event.startsWith('error'))).toEqual([]);
  });

  test('an error of the transport is ours, once, the same object', async () => {
    const { client } = createPair();
    const socket = connect({ socket: client });
    const error = Object.assign(new Error('tunnel'), { code: 'TUNNEL' });
    const events = record(socket, ['error', 'close']);
    const failed = next(socket, 'error');
    const closed = next(socket, 'close');
    client.destroy(error);
    expect(await failed).toEqual([error]);
    await closed;
    expect(events).toEqual(['error TUNNEL', 'close true']);
  });

  test('a transport destroyed without an error is ECONNRESET', async () => {
    const { client } = createPair();
    const socket = connect({ socket: client });
    const failed = next(socket, 'error');
    client.destroy();
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  test('bad options leave the stream alone', () => {
    const { client } = createPair();
    expect(() => connect({ socket: client, ciphers: 'none of these' })).toThrow();
    expect(client.destroyed).toBe(false);
    expect(client.listenerCount('data')).toBe(0);
    client.destroy();
  });
});

describe('a transport that goes', () => {
  let server: NodeServer;
  const mine = () => Object.assign(new Error('tunnel'), { code: 'TUNNEL' });
  beforeEach(async () => {
    server = await startNodeServer({ identity: pki.server, allowHalfOpen: true });
  });
  afterEach(() => server.close());

  /** By TLS 1.2, whose servers send no tickets behind the handshake. */
  const open = (client: Client, more: Partial<ConnectionOptions>) =>
    overPair(server, client, { ...to(server.port, 'TLSv1.2'), ...more });

  test.each([
    ['without a word', undefined],
    ['with an error', mine()],
  ])("after the server's end, %s: so do we, even if we have not ended", async (_, error) => {
    const seen: Record<string, string[]> = {};
    for (const client of ['ours', 'node'] as const) {
      const { socket, peer, below } = await open(client, { allowHalfOpen: true });
      seen[client] = record(socket.resume(), ['end', 'finish', 'error', 'close']);
      const ended = next(socket, 'end');
      peer.end();
      await ended;
      const closed = next(socket, 'close', 2_000);
      below.destroy(error);
      await closed;
    }
    expect(seen.ours).toEqual([
      'end',
      ...(error ? ['error TUNNEL', 'close true'] : ['close false']),
    ]);
    // As always when its transport fails, node:tls takes this for no error of its own.
    expect(seen.node).toEqual(['end', ...(error ? ['error TUNNEL'] : []), 'close false']);
  });

  test.each([true, false])(
    "before the server's end is read: it is, allowHalfOpen %p",
    async (allowHalfOpen) => {
      const { socket, peer, below } = await open('ours', { allowHalfOpen });
      const seen = record(socket.pause(), ['end', 'finish', 'error', 'close']);
      const heard = next(below, 'end');
      peer.end('hello');
      await heard;
      below.destroy();
      await next(below, 'close');
      const closed = next(socket, 'close', 2_000);
      expect(String(await readAll(socket.resume()))).toBe('hello');
      await closed;
      expect(seen).toEqual(['end', ...(allowHalfOpen ? [] : ['finish']), 'close false']);
    },
  );

  test.each(['read', 'unread'])(
    "over our own end, the server's %s: end() hears of it",
    async (how) => {
      const { socket, peer, below } = await open('ours', { allowHalfOpen: true });
      const seen = record(socket.pause(), ['end', 'finish', 'error', 'close']);
      below._write = () => {};
      const heard = next(below, 'end');
      peer.end('hello');
      await heard;
      if (how === 'read') await readAll(socket.resume());
      const ended = new Promise<unknown>((resolve) => void socket.end(resolve as () => void));
      await turns();
      below.destroy();
      await next(below, 'close');
      const closed = next(socket, 'close', 2_000);
      socket.resume();
      await closed;
      expect(await ended).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
      expect(seen).toEqual(['end', 'close false']);
    },
  );

  test.each([
    ['with an error: who reads slowly hears of it', mine(), 'TUNNEL'],
    ['without a word', undefined, 'ECONNRESET'],
  ])('%s, behind what is there', async (_, error, code) => {
    const { socket, peer, below } = await open('ours', { highWaterMark: 1 });
    const failed = next(socket.pause(), 'error');
    // A stream that nobody reads takes the first, and leaves the second where it is.
    for (const word of ['hello', 'world']) {
      const arrived = next(below, 'data');
      peer.write(word);
      await arrived;
    }
    below.destroy(error);
    await next(below, 'close');
    expect(String(await readBytes(socket.resume(), 10))).toBe('helloworld');
    expect(await failed).toEqual([expect.objectContaining({ code })]);
  });

  test('after an end without close_notify: it is that, which is told of', async () => {
    const { socket, peer, below } = await open('ours', { highWaterMark: 1 });
    const failed = next(socket.pause(), 'error');
    const heard = next(below, 'end');
    peer.write('hello', () => below.push(null));
    await heard;
    below.destroy();
    await next(below, 'close');
    expect(String(await readBytes(socket.resume(), 5))).toBe('hello');
    expect(await failed).toEqual([
      expect.objectContaining({ code: 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING' }),
    ]);
  });
});
