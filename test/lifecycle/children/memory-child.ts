/**
 * Uses shared keys and sessions, wipes what it was given of them, and looks for them in its memory. The servers, which
 * have them as well, are the parent's.
 */
import { once } from 'node:events';
import { type ConnectionOptions, connect, type TLSSocket } from '../../../lib/index';
import { heapSnapshot, Mark } from '../../support/own-memory';
import { to } from './client';

const [pskPort, port, masked = ''] = process.argv.slice(2);

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;

/** Closed, and held on to: what a closed connection keeps counts. */
const closed: TLSSocket[] = [];
const given: Buffer[] = [];

async function visit(options: ConnectionOptions): Promise<boolean> {
  const socket = connect(options);
  socket.on('session', (session) => given.push(session));
  await once(socket, 'secureConnect');
  socket.write('x');
  // Behind it nothing comes that was not asked for.
  await once(socket, 'data');
  const reused = socket.isSessionReused();
  socket.end();
  await once(socket, 'close');
  closed.push(socket);
  return reused;
}

async function useSharedKey(): Promise<Mark> {
  // Few bytes of their own V8 keeps in its heap, and moves about there, leaving copies.
  const psk = Buffer.from(new ArrayBuffer(masked.length / 2));
  psk.write(masked, 'hex');
  for (const [i, byte] of psk.entries()) psk[i] = byte ^ 0xff;
  given.push(psk);
  for (const version of VERSIONS) {
    await visit({
      ...to(Number(pskPort)),
      minVersion: version,
      maxVersion: version,
      ciphers: 'ECDHE-PSK-CHACHA20-POLY1305:TLS_AES_128_GCM_SHA256',
      checkServerIdentity: () => undefined,
      pskCallback: () => ({ psk, identity: 'me' }),
    });
  }
  return new Mark(psk);
}

async function useSession(version: (typeof VERSIONS)[number]): Promise<Mark> {
  const options = {
    ...to(Number(port)),
    minVersion: version,
    maxVersion: version,
    ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:TLS_AES_256_GCM_SHA384',
  };
  await visit(options);
  const session = given.at(-1) as Buffer;
  // The OCTET STRING with its 48 bytes is the master secret, in either version.
  const secret = session.indexOf(Buffer.of(4, 48)) + 2;
  const mark = new Mark(session.subarray(secret, secret + 48));
  if (!(await visit({ ...options, session }))) throw new Error('it was not resumed');
  return mark;
}

async function main(): Promise<void> {
  const marks = [await useSharedKey(), await useSession('TLSv1.2'), await useSession('TLSv1.3')];
  const whileHeld = marks.map((mark) => mark.inMemory());
  for (const bytes of given) bytes.fill(0);
  globalThis.gc?.();
  await new Promise((resolve) => setImmediate(resolve));
  const after = marks.map((mark) => mark.inMemory());
  const control = Buffer.from(`a control, ${process.pid}`);
  const held = { text: control.toString('base64') };
  const snapshot = await heapSnapshot();
  const inHeap = [new Mark(control), ...marks].map((mark) => mark.inSnapshot(snapshot));
  console.log(
    JSON.stringify({ whileHeld, after, inHeap, closed: closed.every((one) => one.closed) }),
  );
  held.text = '';
}

void main();
