/** Whoever stops reading stops the other side; nothing grows without bound meanwhile. */
import { createHash } from 'node:crypto';
import type { TLSSocket as NodeTLSSocket } from 'node:tls';
import { connect } from '../../lib/index';
import { startNodeServer } from '../support/node-server';
import { createPair } from '../support/pair';
import {
  clients,
  next,
  pause,
  pki,
  readBytes,
  suspended,
  to,
  turns,
  VERSIONS,
  within,
} from './stream-helpers';

const CHUNK = 64 * 1024;
const SMALL = 4 * 1024;
/** What is taken in while nothing of it can be read. */
const RECEIVED_AHEAD = 64 * 1024;
/** Far above what loopback's kernel buffers hold, far below what would flow in the meantime. */
const KERNEL_BOUND = 32 * 1024 * 1024;

/** Waits until a number that grows has stopped growing, and returns it. */
async function settled(look: () => number): Promise<number> {
  let last = -1;
  for (let calm = 0, tries = 0; calm < 4; tries += 1) {
    if (tries > 200) throw new Error(`still growing at ${last}`);
    const now = look();
    calm = now === last ? calm + 1 : 0;
    last = now;
    await pause(25);
  }
  return last;
}

/** Writes as fast as the socket lets it, up to `limit` bytes. */
function flood(socket: NodeTLSSocket, limit: number) {
  const state = { written: 0, stopped: false, drains: 0 };
  const more = () => {
    state.stopped = false;
    while (state.written < limit) {
      const chunk = Buffer.alloc(CHUNK, state.written / CHUNK);
      state.written += CHUNK;
      if (!socket.write(chunk)) {
        state.stopped = true;
        break;
      }
    }
  };
  socket.on('drain', () => {
    state.drains += 1;
    more();
  });
  more();
  return state;
}

function expectedHash(size: number): string {
  const hash = createHash('sha256');
  for (let at = 0; at < size; at += CHUNK) hash.update(Buffer.alloc(CHUNK, at / CHUNK));
  return hash.digest('hex');
}

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe.each(VERSIONS)('backpressure, %s', (version) => {
  test('a consumer that does not read stops the server, and loses nothing', async () => {
    const limit = 2 * KERNEL_BOUND;
    let state: ReturnType<typeof flood> | undefined;
    const server = await startNodeServer({
      identity: pki.server,
      onConnection: (socket) => {
        state = flood(socket, limit);
      },
    });
    const socket = connect(to(server.port, version));
    await next(socket, 'secureConnect');
    const stoppedAt = await settled(() => state?.written ?? 0);
    expect(state?.stopped).toBe(true);
    expect(stoppedAt).toBeLessThan(KERNEL_BOUND);
    expect(socket.readableLength).toBeLessThanOrEqual(socket.readableHighWaterMark + CHUNK);
    const whole = await readBytes(socket, limit);
    expect(hashOf(whole)).toBe(expectedHash(limit));
    socket.destroy();
    await server.close();
  });

  test('pause() in the middle stops the server, resume() lets it go on', async () => {
    const limit = 2 * KERNEL_BOUND;
    let state: ReturnType<typeof flood> | undefined;
    const server = await startNodeServer({
      identity: pki.server,
      onConnection: (socket) => {
        state = flood(socket, limit);
      },
    });
    const socket = connect(to(server.port, version));
    let read = 0;
    let pausedFor = 0;
    socket.on('data', (chunk: Buffer) => {
      expect(socket.isPaused()).toBe(false);
      read += chunk.length;
      if (read > 1024 * 1024 && pausedFor === 0) {
        pausedFor = read;
        socket.pause();
      }
    });
    await next(socket, 'pause');
    expect(await settled(() => state?.written ?? 0)).toBeLessThan(KERNEL_BOUND);
    expect(read).toBe(pausedFor);
    expect(socket.readableLength).toBeLessThanOrEqual(socket.readableHighWaterMark + CHUNK);
    socket.resume();
    await readBytes(socket, limit - read);
    expect(read).toBe(limit);
    socket.destroy();
    await server.close();
  });

  test("a server that does not read stops our writer; 'drain' follows when it does", async () => {
    const limit = 2 * KERNEL_BOUND;
    let accepted: ((socket: NodeTLSSocket) => void) | undefined;
    const connection = new Promise<NodeTLSSocket>((resolve) => {
      accepted = resolve;
    });
    const server = await startNodeServer({
      identity: pki.server,
      onConnection: (socket) => accepted?.(socket),
    });
    const socket = connect(to(server.port, version));
    const state = flood(socket as unknown as NodeTLSSocket, limit);
    expect(state.stopped).toBe(true);
    const peer = await within(connection, 'connection');
    expect(await settled(() => state.written)).toBeLessThan(KERNEL_BOUND);
    expect(state.stopped).toBe(true);
    expect(socket.writableNeedDrain).toBe(true);
    expect(socket.writableLength).toBeLessThanOrEqual(socket.writableHighWaterMark + CHUNK);
    const drainsBefore = state.drains;
    const whole = await readBytes(peer, limit);
    expect(hashOf(whole)).toBe(expectedHash(limit));
    expect(state.drains).toBeGreaterThan(drainsBefore);
    socket.destroy();
    await server.close();
  });

  test('highWaterMark means what it means in node:tls', async () => {
    const server = await startNodeServer({ identity: pki.server });
    const marks = (client: 'ours' | 'node') => {
      const options = { ...to(server.port, version), highWaterMark: 1_000 };
      const socket = clients[client](options);
      const returned = [socket.write(Buffer.alloc(999)), socket.write('x'), socket.writableLength];
      const marks = [socket.readableHighWaterMark, socket.writableHighWaterMark];
      socket.destroy();
      return { returned, marks };
    };
    expect(marks('ours')).toEqual(marks('node'));
    const socket = connect({ ...to(server.port, version), highWaterMark: 1 });
    const sent = Buffer.alloc(200_000, 'ab');
    const echoed = readBytes(socket, sent.length);
    expect(socket.write(sent)).toBe(false);
    expect((await echoed).equals(sent)).toBe(true);
    socket.destroy();
    await server.close();
  });

  test('a flood during a suspended handshake is not taken in', async () => {
    // The stream itself keeps one chunk at most.
    const { client, server: far } = createPair({ highWaterMark: 1 });
    const server = await startNodeServer({ identity: pki.server });
    // Between the two, so that it can be followed by bytes that no server would send.
    const { client: near, server: other } = createPair();
    server.server.emit('connection', other);
    far.pipe(near, { end: false });
    near.pipe(far, { end: false });
    const { socket, asked, answer } = suspended({ ...to(0, version), socket: client });
    await asked;
    near.unpipe(far);
    let taken = 0;
    let stopped = false;
    const junk = () => {
      stopped = true;
      far.write(Buffer.alloc(SMALL, 0x17), () => {
        taken += SMALL;
        stopped = false;
        if (taken < KERNEL_BOUND) junk();
      });
    };
    junk();
    const stoppedAt = await settled(() => taken);
    expect(stopped).toBe(true);
    expect(stoppedAt).toBeGreaterThanOrEqual(RECEIVED_AHEAD - SMALL);
    expect(stoppedAt).toBeLessThanOrEqual(RECEIVED_AHEAD + SMALL);
    expect(socket.secureConnecting).toBe(true);
    expect(socket.readableLength).toBe(0);
    // Looked at only now, and then it is no TLS.
    const failed = next(socket, 'error');
    answer(null);
    const [error] = (await failed) as [NodeJS.ErrnoException];
    expect(error.code).toMatch(/^ERR_SSL_/);
    other.destroy();
    near.destroy();
    far.destroy();
    await server.close();
  });

  test('pause() and resume() while suspended hold for what comes after', async () => {
    const server = await startNodeServer({
      identity: pki.server,
      onConnection: (socket) => socket.write('greeting'),
    });
    const { socket, asked, answer } = suspended(to(server.port, version));
    const read: string[] = [];
    socket.on('data', (chunk: Buffer) => read.push(String(chunk)));
    await asked;
    socket.pause();
    socket.resume();
    socket.pause();
    answer(null);
    await next(socket, 'secureConnect');
    await server.sawClient();
    await turns(10);
    expect(read).toEqual([]);
    const greeted = next(socket, 'data');
    socket.resume();
    await greeted;
    expect(read.join('')).toBe('greeting');
    socket.destroy();
    await server.close();
  });

  test('a slow transport holds the writer back', async () => {
    const { client, server: far } = createPair({ highWaterMark: 1 });
    const server = await startNodeServer({ identity: pki.server, onConnection: () => {} });
    server.server.emit('connection', far);
    const socket = connect({ ...to(0, version), socket: client });
    await next(socket, 'secureConnect');
    const peer = (await server.sawClient()).socket;
    const state = flood(socket as unknown as NodeTLSSocket, 4 * 1024 * 1024);
    expect(await settled(() => state.written)).toBeLessThan(1024 * 1024);
    expect(socket.writableLength).toBeLessThanOrEqual(socket.writableHighWaterMark + CHUNK);
    expect(hashOf(await readBytes(peer, 4 * 1024 * 1024))).toBe(expectedHash(4 * 1024 * 1024));
    socket.destroy();
    await server.close();
  });
});
