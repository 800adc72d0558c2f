/** What is written arrives, whole and in order, both ways. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { TLSSocket as NodeTLSSocket } from 'node:tls';
import { connect } from '../../lib/index';
import { type NodeServer, startNodeServer } from '../support/node-server';
import {
  type Client,
  clients,
  next,
  pki,
  readAll,
  readBytes,
  to,
  VERSIONS,
} from './stream-helpers';

const MEBIBYTE = 1024 * 1024;

/** Random, and no two mebibytes alike: a lost, doubled or swapped piece changes the hash. */
async function* numberedBlocks(count: number): AsyncGenerator<Buffer> {
  const block = randomBytes(MEBIBYTE);
  for (let i = 0; i < count; i += 1) {
    const copy = Buffer.from(block);
    copy.writeUInt32BE(i);
    yield copy;
  }
}

describe.each(VERSIONS)('data, %s', (version) => {
  let server: NodeServer;
  beforeAll(async () => {
    server = await startNodeServer({ identity: pki.server });
  });
  afterAll(() => server.close());

  const open = () => connect(to(server.port, version));

  test('comes back from an echo server', async () => {
    const socket = open();
    socket.write('hello');
    expect(String(await readBytes(socket, 5))).toBe('hello');
    socket.destroy();
  });

  test('goes one byte at a time', async () => {
    const socket = open();
    const bytes = randomBytes(2_000);
    for (const byte of bytes) socket.write(Buffer.of(byte));
    expect(await readBytes(socket, bytes.length)).toEqual(bytes);
    // And each waiting for the one before.
    for (const byte of bytes.subarray(0, 100)) {
      socket.write(Buffer.of(byte));
      const [echoed] = await once(socket, 'data');
      expect(echoed).toEqual(Buffer.of(byte));
    }
    socket.destroy();
  });

  test('goes 50 MB both ways at once', async () => {
    const socket = open();
    const sent = createHash('sha256');
    const received = createHash('sha256');
    const count = 50;
    const sending = pipeline(
      numberedBlocks(count),
      async function* (blocks: AsyncIterable<Buffer>) {
        for await (const block of blocks) {
          sent.update(block);
          yield block;
        }
      },
      socket,
      { end: false },
    );
    let size = 0;
    for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
      received.update(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size === count * MEBIBYTE) break;
    }
    await sending;
    expect(received.digest('hex')).toBe(sent.digest('hex'));
    expect(socket.bytesRead).toBe(count * MEBIBYTE);
    expect(socket.bytesWritten).toBe(count * MEBIBYTE);
    socket.destroy();
  });

  test('takes writes of every size around the record size', async () => {
    const sizes = [16_384, 32_768, 65_536, 131_072, 262_144].flatMap((size) => [
      size - 1,
      size,
      size + 1,
    ]);
    const socket = open();
    const pieces = sizes.map((size) => randomBytes(size));
    const whole = Buffer.concat(pieces);
    for (const piece of pieces) socket.write(piece);
    expect((await readBytes(socket, whole.length)).equals(whole)).toBe(true);
    // One at a time as well: then each has a record, or several, of its own.
    for (const piece of pieces) {
      const echoed = readBytes(socket, piece.length);
      socket.write(piece);
      expect((await echoed).equals(piece)).toBe(true);
      socket.removeAllListeners('data');
    }
    socket.destroy();
  });

  test('gathers corked writes, strings in any encoding, and empty ones', async () => {
    const socket = open();
    await next(socket, 'secureConnect');
    socket.cork();
    socket.write('grüße ');
    socket.write('');
    socket.write('grüße ', 'latin1');
    socket.write(Buffer.alloc(0));
    socket.write('00ff', 'hex');
    socket.write(new Uint8Array([1, 2]));
    socket.write('AAEC', 'base64');
    socket.write('€', 'utf16le');
    socket.uncork();
    const expected = Buffer.concat([
      Buffer.from('grüße '),
      Buffer.from('grüße ', 'latin1'),
      Buffer.of(0, 255, 1, 2, 0, 1, 2),
      Buffer.from('€', 'utf16le'),
    ]);
    expect(await readBytes(socket, expected.length)).toEqual(expected);
    expect(socket.bytesWritten).toBe(expected.length);
    socket.destroy();
  });

  test('keeps the order of what was written before connect, handshake and after', async () => {
    const socket = open();
    socket.write('1');
    socket.once('connect', () => socket.write('3'));
    socket.once('secureConnect', () => socket.write('4'));
    socket.write('2');
    expect(String(await readBytes(socket, 4))).toBe('1234');
    socket.destroy();
  });

  test('calls each write back once, in order, and not before it was sent', async () => {
    const socket = open();
    const called: number[] = [];
    let opened = false;
    socket.once('secureConnect', () => {
      opened = true;
    });
    const sizes = [1, 0, 300_000, 5, 0, 20_000, 1];
    await new Promise<void>((resolve) => {
      sizes.forEach((size, i) => {
        socket.write(Buffer.alloc(size), (error) => {
          expect(error ?? null).toBeNull();
          expect(opened).toBe(true);
          called.push(i);
          if (i === sizes.length - 1) resolve();
        });
      });
      socket.resume();
    });
    const ended = next(socket, 'close');
    socket.end('x', () => called.push(99));
    await ended;
    expect(called).toEqual([...sizes.keys(), 99]);
  });

  test('counts bytes as node:tls does', async () => {
    const counts = async (client: Client) => {
      const socket = clients[client](to(server.port, version));
      const seen: number[] = [];
      const look = () => seen.push(socket.bytesRead, socket.bytesWritten);
      look();
      socket.write('0123456789');
      socket.write('äö');
      look();
      await readBytes(socket, 14);
      look();
      socket.end();
      await next(socket, 'close');
      look();
      return seen;
    };
    expect(await counts('ours')).toEqual(await counts('node'));
  });

  test('decodes text across pieces', async () => {
    const text = 'zwölf €uro, 𝄞';
    const socket = open().setEncoding('utf8');
    let read = '';
    socket.on('data', (chunk: string) => {
      expect(typeof chunk).toBe('string');
      read += chunk;
    });
    for (const byte of Buffer.from(text)) socket.write(Buffer.of(byte));
    socket.end();
    await next(socket, 'end');
    expect(read).toBe(text);
  });

  test('can be iterated over', async () => {
    const socket = open();
    const bytes = randomBytes(100_000);
    socket.end(bytes);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    expect(socket.destroyed).toBe(true);
  });

  test('works inside pipeline()', async () => {
    const socket = open();
    const parts = Array.from({ length: 50 }, () => randomBytes(9_999));
    const chunks: Buffer[] = [];
    await pipeline(Readable.from(parts), socket, async (source: AsyncIterable<Buffer>) => {
      for await (const chunk of source) chunks.push(chunk);
    });
    expect(Buffer.concat(chunks).equals(Buffer.concat(parts))).toBe(true);
  });
});

test('data that arrives with the last handshake flight is read', async () => {
  const server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket: NodeTLSSocket) => {
      socket.write('first ');
      setImmediate(() => socket.end('last'));
    },
  });
  const socket = connect(to(server.port));
  expect(String(await readAll(socket))).toBe('first last');
  await server.close();
});
