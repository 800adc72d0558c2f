/** A lot of data in one direction over one connection. */
import { once } from 'node:events';
import type { Setup, ThroughputTask, TransferSample } from '../messages';
import { type Opener, openerOf, type Socket, settled } from './sockets';

/** As a file stream reads. */
const PIECE = Buffer.alloc(64 * 1024);

/** Of the one kind that this process measures. */
let open: Opener | undefined;

/** With the option `onread`: who is told of what is in the buffer. */
let onRead: (count: number) => void = () => {};

const ONREAD = {
  buffer: Buffer.allocUnsafe(64 * 1024),
  callback(count: number) {
    onRead(count);
    return true;
  },
};

export async function measureThroughput(
  setup: Setup,
  { kind, direction, bytes }: ThroughputTask,
): Promise<TransferSample> {
  open ??= openerOf(setup, kind, direction === 'onread' ? { onread: ONREAD } : {});
  const socket = await settled(open(), 'secureConnect');
  const failed = new Promise<never>((_, reject) => {
    socket.once('error', reject);
    socket.once('end', () => reject(new Error('the server hung up')));
  });
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  const done = direction === 'send' ? send(socket, bytes) : receive(socket, bytes);
  await Promise.race([done, failed]);
  const { user, system } = process.cpuUsage(cpu);
  const seconds = Number(process.hrtime.bigint() - wall) / 1e9;
  socket.destroy();
  return { cpu: (user + system) / 1e6, wall: seconds };
}

function receive(socket: Socket, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = bytes;
    onRead = (count) => {
      left -= count;
      if (left === 0) resolve();
      else if (left < 0) reject(new Error('more than was asked for'));
    };
    socket.on('data', (chunk: Buffer) => onRead(chunk.length));
    socket.write(`source ${bytes}\n`);
  });
}

/** Over when the server says that it has all of it. */
async function send(socket: Socket, bytes: number): Promise<void> {
  const sunk = said(socket, `sunk ${bytes}\n`);
  socket.write(`sink ${bytes}\n`);
  for (let left = bytes; left > 0; left -= PIECE.length) {
    const goesOn = socket.write(left < PIECE.length ? PIECE.subarray(0, left) : PIECE);
    if (!goesOn) await once(socket, 'drain');
  }
  await sunk;
}

function said(socket: Socket, expected: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text === expected) resolve();
      else if (!expected.startsWith(text)) reject(new Error(`the server says ${text}`));
    });
  });
}
