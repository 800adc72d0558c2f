/** Data while a request after the handshake waits for its signature: nothing is lost or overtakes. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { ConnectionOptions } from '../../lib/index';
import { deferred, dial, hangUp, later, secured, within } from '../support/client';
import { loadPki } from '../support/pki';
import { Dialogue, type PythonServer, pattern, startPythonServer } from '../support/python-server';
import { heldSigner, lateSigner, signedBy } from '../support/signers';
import { startTap } from '../support/tap';

const pki = loadPki();
const identity = pki.clients.ec256;
const PIECE = 64 * 1024;
const MEGABYTE = 1024 * 1024;

let server: PythonServer;

beforeAll(async () => {
  server = await startPythonServer({ identity: pki.server, clientCa: pki.clientCasPath });
});

afterAll(() => server.stop());

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Hashes `size` bytes as they come. */
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
  await within(`${size} bytes`, all.promise, 15_000);
  stream.removeListener('data', take);
  expect(count).toBe(size);
  return hash.digest('hex');
}

test.each([1, 3, 20])('in both directions, with %i requests', async (count) => {
  const key = lateSigner(identity, 3);
  const socket = dial(server, signedBy(identity, key));
  await secured(socket);
  const data = pattern(count * 3 * PIECE + 1);
  socket.write(`echo ${data.length} every ${Math.floor((data.length - 1) / count)}\n`);
  const upload = async () => {
    for (let offset = 0; offset < data.length; offset += PIECE) {
      if (!socket.write(data.subarray(offset, offset + PIECE))) {
        await within('drain', once(socket, 'drain'), 15_000);
      }
    }
  };
  const [hash] = await Promise.all([hashOf(socket, data.length), upload()]);
  expect(hash).toBe(sha256(data));
  expect(key.asked).toHaveLength(count);
  expect((await new Dialogue(socket).who()).subject).toBe(identity.subject);
  await hangUp(socket);
});

/** A connection that the server has asked, and whose signer keeps it waiting. */
async function signing(options: ConnectionOptions = {}, port = server.port, first = '') {
  const key = heldSigner(identity);
  const socket = dial({ port }, { clientCertCallback: () => signedBy(identity, key), ...options });
  await secured(socket);
  const dialogue = new Dialogue(socket);
  socket.write(`${first}ask\n`);
  return { socket, dialogue, call: await key.call() };
}

test('what came before the request is delivered, what came after it waits', async () => {
  const size = 100_000;
  const { socket, dialogue, call } = await signing({}, server.port, `source ${size}\n`);
  expect((await dialogue.bytes(size)).equals(pattern(size))).toBe(true);
  await later(null, 30);
  expect(dialogue.buffered).toBe(0);
  call.give();
  expect(await dialogue.line()).toBe('asked');
  await hangUp(socket);
});

test('writes queue, none overtakes, and nothing leaves before it is signed', async () => {
  const tap = await startTap(server.port);
  const { socket, dialogue, call } = await signing({ highWaterMark: PIECE }, tap.port);
  const sent = tap.fromClient.length;
  const data = pattern(2 * MEGABYTE);
  const done: number[] = [];
  socket.write(`sink ${data.length}\n`);
  for (let offset = 0; offset < data.length; offset += PIECE) {
    const piece = data.subarray(offset, offset + PIECE);
    expect(socket.write(piece, () => done.push(offset))).toBe(false);
  }
  await later(null, 30);
  expect(done).toEqual([]);
  expect(tap.fromClient.length).toBe(sent);
  const drained = once(socket, 'drain');
  call.give();
  await within('drain', drained);
  expect(await dialogue.line()).toBe('asked');
  expect(await dialogue.line()).toBe(`sunk ${data.length} ${sha256(data)}`);
  expect(done).toEqual(Array.from({ length: data.length / PIECE }, (_, i) => i * PIECE));
  expect((await dialogue.who()).subject).toBe(identity.subject);
  await hangUp(socket);
  await tap.close();
});

test('end() waits behind the signature, with what was written before it', async () => {
  const { socket, dialogue, call } = await signing();
  socket.write('sink 5\n');
  const finished = once(socket, 'finish');
  socket.end('hello');
  expect(await Promise.race([finished, later('waits', 30)])).toBe('waits');
  call.give();
  await within('finish', finished);
  expect(await dialogue.line()).toBe('asked');
  expect(await dialogue.line()).toBe(`sunk 5 ${sha256(Buffer.from('hello'))}`);
  await within('close', once(socket, 'close'));
});

test('a reader that pauses gets all of it afterwards', async () => {
  const { socket, dialogue, call } = await signing();
  socket.pause();
  call.give();
  const size = 3 * MEGABYTE;
  dialogue.say(`source ${size}`);
  await later(null, 30);
  socket.resume();
  expect(await dialogue.line()).toBe('asked');
  expect((await dialogue.bytes(size)).equals(pattern(size))).toBe(true);
  await hangUp(socket);
});

test('a wrong signature fails what was written, and shows nobody', async () => {
  const tap = await startTap(server.port);
  const { socket, call } = await signing({}, tap.port);
  const sent = tap.fromClient.length;
  const written = new Promise<unknown>((resolve) => socket.write('who\n', resolve));
  const failed = once(socket, 'error');
  call.settle(new Uint8Array(70));
  const [error] = await within('error', failed);
  expect(error).toMatchObject({ code: 'ERR_SIGNATURE_INVALID' });
  expect(await within('callback', written)).toBe(error);
  expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
  expect(tap.fromClient.length).toBe(sent);
  await tap.close();
});
