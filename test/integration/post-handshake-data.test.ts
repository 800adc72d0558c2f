/** Requests after the handshake while data flows: nothing is lost, and nothing overtakes. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import {
  type ClientCertCallback,
  type ConnectionOptions,
  Credential,
  SUSPEND,
  type Suspension,
  type TLSSocket,
} from '../../lib/index';
import { credentialOf, deferred, dial, hangUp, later, secured, within } from '../support/client';
import { loadPki } from '../support/pki';
import { Dialogue, type PythonServer, pattern, startPythonServer } from '../support/python-server';
import { startTap } from '../support/tap';

const pki = loadPki();
const identity = pki.clients.ec256;
const credential = new Credential(credentialOf(identity));
const MEGABYTE = 1024 * 1024;
const PIECE = 64 * 1024;
const WAIT_MS = 15_000;

let server: PythonServer;

beforeAll(async () => {
  server = await startPythonServer({ identity: pki.server, clientCa: pki.clientCaA.certPath });
});

afterAll(() => server.stop());

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function open(options: ConnectionOptions, port = server.port): Promise<TLSSocket> {
  const socket = dial({ port }, options);
  await secured(socket);
  return socket;
}

/** Hashes `size` bytes as they come; they are few enough words for a failure to be read. */
async function hashOf(stream: Readable, size: number): Promise<string> {
  const hash = createHash('sha256');
  const all = deferred();
  let count = 0;
  const take = (chunk: Buffer) => {
    count += chunk.length;
    hash.update(chunk);
    if (count >= size) all.resolve();
  };
  stream.on('data', take);
  await within(`${size} bytes`, all.promise, WAIT_MS);
  stream.removeListener('data', take);
  expect(count).toBe(size);
  return hash.digest('hex');
}

/** Writes all of it in pieces, and no faster than the socket takes them. */
async function upload(socket: TLSSocket, data: Buffer): Promise<{ drains: number }> {
  let drains = 0;
  for (let offset = 0; offset < data.length; offset += PIECE) {
    if (!socket.write(data.subarray(offset, offset + PIECE))) {
      await within('drain', once(socket, 'drain'), WAIT_MS);
      drains += 1;
    }
  }
  return { drains };
}

/** So many bytes that `count` requests come, each before the last byte. */
function between(count: number, size: number): number {
  return Math.floor((size - 1) / count);
}

type Way = [string, () => { callback: ClientCertCallback; listener?: (it: Suspension) => void }];

const WAYS: Way[] = [
  ['at once', () => ({ callback: () => credential })],
  ['late', () => ({ callback: () => later(credential, 10) })],
  [
    'after SUSPEND and resume() three times',
    () => ({
      callback: ({ attempt }) => (attempt < 4 ? SUSPEND : credential),
      listener: (suspension) => void later(null, 2).then(() => suspension.resume()),
    }),
  ],
  ['by a decline', () => ({ callback: () => later(null, 5) })],
];

describe.each(WAYS)('answered %s', (way, make) => {
  const expected = way === 'by a decline' ? null : identity.subject;

  test.each([1, 3, 20])('both directions, %i requests', async (count) => {
    const { callback, listener = () => {} } = make();
    let requests = 0;
    const socket = await open({
      // So that each request is put to the callback, and suspends.
      reselectClientCert: true,
      clientCertCallback: (request, context) => {
        if (request.attempt === 1) requests += 1;
        return callback(request, context);
      },
    });
    socket.on('suspend', listener);
    const data = pattern(count * 3 * PIECE + 1);
    socket.write(`echo ${data.length} every ${between(count, data.length)}\n`);
    const [hash] = await Promise.all([hashOf(socket, data.length), upload(socket, data)]);
    expect(hash).toBe(sha256(data));
    expect(requests).toBe(count);
    expect((await new Dialogue(socket).who()).subject).toBe(expected);
    expect(requests).toBe(count);
    await hangUp(socket);
  });
});

test.each([1, 3, 20])('an upload alone, %i requests', async (count) => {
  const socket = await open({
    reselectClientCert: true,
    clientCertCallback: () => later(credential, 5),
  });
  const data = pattern(8 * MEGABYTE);
  const dialogue = new Dialogue(socket);
  dialogue.say(`sink ${data.length} every ${between(count, data.length)}`);
  const { drains } = await upload(socket, data);
  expect(drains).toBeGreaterThan(0);
  expect(await dialogue.line(WAIT_MS)).toBe(`sunk ${data.length} ${sha256(data)}`);
  expect((await dialogue.who()).subject).toBe(identity.subject);
  await hangUp(socket);
});

test.each([1, 3, 20])('a download alone, %i requests', async (count) => {
  const socket = await open({
    reselectClientCert: true,
    clientCertCallback: () => later(credential, 5),
  });
  const size = 8 * MEGABYTE;
  socket.write(`source ${size} every ${between(count, size)}\n`);
  expect(await hashOf(socket, size)).toBe(sha256(pattern(size)));
  expect((await new Dialogue(socket).who()).subject).toBe(identity.subject);
  await hangUp(socket);
});

/** A connection that the server has asked, and that waits for its answer. */
async function suspended(options: ConnectionOptions = {}, port = server.port, first = '') {
  const asked = deferred();
  const answer = deferred<Credential | null>();
  const socket = await open(
    {
      clientCertCallback: () => {
        asked.resolve();
        return answer.promise;
      },
      ...options,
    },
    port,
  );
  const dialogue = new Dialogue(socket);
  socket.write(`${first}ask\n`);
  await within('question', asked.promise);
  return { socket, dialogue, answer: answer.resolve };
}

describe('while suspended', () => {
  test('what came before the request is delivered, what came after it waits', async () => {
    const size = 100_000;
    const { socket, dialogue, answer } = await suspended({}, server.port, `source ${size}\n`);
    expect((await dialogue.bytes(size)).equals(pattern(size))).toBe(true);
    // The server has said 'asked' since: it is here, but behind the request.
    await later(null, 30);
    expect(dialogue.buffered).toBe(0);
    answer(credential);
    expect(await dialogue.line()).toBe('asked');
    await hangUp(socket);
  });

  test('writes queue up to the high-water mark, and leave in order', async () => {
    const tap = await startTap(server.port);
    const { socket, dialogue, answer } = await suspended({ highWaterMark: PIECE }, tap.port);
    const sent = tap.fromClient.length;
    const data = pattern(2 * MEGABYTE);
    const done: number[] = [];
    expect(socket.writableLength).toBe(0);
    expect(socket.write(`sink ${data.length}\n`)).toBe(true);
    for (let offset = 0; offset < data.length; offset += PIECE) {
      const piece = data.subarray(offset, offset + PIECE);
      // Full, and it says so; whoever writes on all the same loses nothing.
      expect(socket.write(piece, () => done.push(offset))).toBe(false);
    }
    expect(socket.writableNeedDrain).toBe(true);
    await later(null, 30);
    expect(done).toEqual([]);
    expect(tap.fromClient.length).toBe(sent);

    const drained = once(socket, 'drain');
    answer(credential);
    await within('drain', drained);
    expect(await dialogue.line()).toBe('asked');
    expect(await dialogue.line()).toBe(`sunk ${data.length} ${sha256(data)}`);
    expect(done).toEqual(Array.from({ length: data.length / PIECE }, (_, i) => i * PIECE));
    expect(socket.writableLength).toBe(0);
    await hangUp(socket);
    await tap.close();
  });

  test('end() waits behind the answer, with what was written before it', async () => {
    const { socket, dialogue, answer } = await suspended();
    socket.write('sink 5\n');
    const finished = once(socket, 'finish');
    socket.end('hello');
    expect(await Promise.race([finished, later('waits', 30)])).toBe('waits');
    answer(null);
    await within('finish', finished);
    expect(await dialogue.line()).toBe('asked');
    expect(await dialogue.line()).toBe(`sunk 5 ${sha256(Buffer.from('hello'))}`);
    await within('close', once(socket, 'close'));
  });

  test('a reader that pauses gets all of it afterwards', async () => {
    const { socket, dialogue, answer } = await suspended();
    socket.pause();
    answer(credential);
    const size = 3 * MEGABYTE;
    dialogue.say(`source ${size}`);
    await later(null, 30);
    const before = dialogue.buffered;
    await later(null, 30);
    expect(dialogue.buffered).toBe(before);
    socket.resume();
    expect(await dialogue.line()).toBe('asked');
    expect((await dialogue.bytes(size)).equals(pattern(size))).toBe(true);
    await hangUp(socket);
  });

  test('write callbacks come after the answer, even with no data to read', async () => {
    const { socket, answer } = await suspended();
    const written = new Promise<unknown>((resolve) => socket.write('who\n', resolve));
    expect(await Promise.race([written, later('waits', 30)])).toBe('waits');
    answer(credential);
    expect(await within('callback', written)).toBeFalsy();
    await hangUp(socket);
  });

  test('the idle timeout of the socket counts on', async () => {
    const { socket } = await suspended();
    socket.setTimeout(30);
    await within('timeout', once(socket, 'timeout'));
    expect(socket.destroyed).toBe(false);
    await hangUp(socket);
  });
});

test('by iteration: a reader that pulls is asked in the midst of it', async () => {
  const socket = await open({
    reselectClientCert: true,
    clientCertCallback: () => later(credential, 5),
  });
  const size = 4 * MEGABYTE;
  socket.write(`source ${size} every ${MEGABYTE + 1}\n`);
  const hash = createHash('sha256');
  let left = size;
  for await (const chunk of socket) {
    hash.update(chunk as Buffer);
    left -= (chunk as Buffer).length;
    // Not before: a server that closes over an open question is an error.
    if (left === 0) socket.write('close\n');
  }
  expect(hash.digest('hex')).toBe(sha256(pattern(size)));
  expect(socket.clientAuth).toMatchObject({ status: 'sent', credential });
});
