/** Connections through a descriptor, in a process of their own: its memory, its CPU, its end. */
import { closeSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { connect, type TLSSocket } from '../../../lib/index';
import { socketDescriptors, tcpConnection } from '../../support/kernel-sockets';
import { credential, to } from './client';

const [what = '', port = '', ...rest] = process.argv.slice(2);
const MEGABYTE = 1024 * 1024;
const say = (value: unknown) => console.log(JSON.stringify(value));
const event = (socket: TLSSocket | Socket, name: string) =>
  new Promise<void>((resolve) => socket.once(name, () => resolve()));
const turn = () => new Promise((resolve) => setImmediate(resolve));
const unread = (socket: TLSSocket | Socket) =>
  tcpConnection(socket.localPort ?? 0, Number(port))?.unread ?? 0;

/** CPU time of this process, in ms, while it has nothing to do for `ms`. */
async function cpuOver(ms: number): Promise<number> {
  const before = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, ms));
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Writes `total` MB, each when the one before allows it. The server reads after a byte of ours. */
async function memory(total: number): Promise<void> {
  const socket = connect(to(Number(port)));
  await event(socket, 'secureConnect');
  const piece = Buffer.alloc(MEGABYTE, 'x');
  const start = process.memoryUsage.rss();
  let most = start;
  const look = () => {
    most = Math.max(most, process.memoryUsage.rss());
  };
  let written = 0;
  while (socket.write(piece)) written += 1;
  // Nobody reads: what the kernel does not take stays where it is.
  for (let count = 0; count < 100; count += 1) await turn();
  look();
  console.log('blocked');
  for (written += 1; written < total; written += 1) {
    if (socket.writableNeedDrain) await event(socket, 'drain');
    socket.write(piece);
    if (written % 16 === 0) look();
  }
  socket.resume().end();
  await event(socket, 'close');
  say({ transport: socket.transport, grown: (most - start) / MEGABYTE });
}

/** Somebody closes the descriptor that is ours. */
async function closed(phase: string, kind: string): Promise<void> {
  const raw = net.connect(Number(port), '127.0.0.1');
  raw.on('error', () => {});
  if (kind === 'passed') await event(raw, 'connect');
  let answer: (answer: typeof credential) => void = () => {};
  let asked: () => void = () => {};
  const question = new Promise<void>((resolve) => {
    asked = resolve;
  });
  if (kind !== 'passed') raw.destroy();
  const socket = connect({
    ...to(Number(port)),
    ...(kind === 'passed' && { socket: raw }),
    clientCertCallback: () => {
      asked();
      if (phase !== 'suspended') return credential;
      return new Promise((resolve) => {
        answer = resolve;
      });
    },
  });
  const events: string[] = [];
  socket.on('error', (error: NodeJS.ErrnoException) => events.push(`error ${error.code}`));
  socket.on('close', () => events.push('close'));
  if (phase === 'suspended') await question;
  else await event(socket, 'secureConnect');
  const { fd } = (raw as unknown as { _handle: { fd: number } | null })._handle ?? {};
  const { inode } = tcpConnection(socket.localPort ?? 0, Number(port)) ?? {};
  const own = socketDescriptors(inode).filter((descriptor) => descriptor !== fd);
  if (own.length !== 1) throw new Error(`${own.length} descriptors`);
  closeSync(own[0] as number);
  const cpu = await cpuOver(200);
  // Who does nothing need not notice; who does, has to.
  answer(credential);
  if (phase === 'open') socket.write('x');
  if (!socket.closed) await event(socket, 'close');
  say({ transport: socket.transport, events, idle: cpu < 100 });
}

/** Nothing to do while something is unread. */
async function idle(state: string, size: number, end: string): Promise<void> {
  const socket = connect({
    ...to(Number(port)),
    clientCertTimeout: 0,
    clientCertCallback: () => new Promise(() => {}),
  });
  let error: string | undefined;
  socket.on('error', (failure: NodeJS.ErrnoException) => {
    error = failure.code;
  });
  await event(socket, 'secureConnect');
  const connection = () => tcpConnection(socket.localPort ?? 0, Number(port));
  socket.pause();
  if (state === 'suspended') socket.write(`ask-then-source ${size}\nstall\n`);
  else socket.write(`source ${size}\n${end}\n`);
  // As much as comes without anybody's reading: until nothing more of it does.
  let seen = -1;
  for (let now = unread(socket); now !== seen; now = unread(socket)) {
    seen = now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const cpu = await cpuOver(500);
  const held = connection() !== undefined && !socket.destroyed;
  let read = 0;
  socket.on('data', (chunk: Buffer) => {
    read += chunk.length;
  });
  if (state === 'suspended') socket.destroy();
  else socket.resume();
  await event(socket, 'close');
  say({ transport: socket.transport, idle: cpu < 150, held, read, error });
}

/** Whether the process ends by itself. */
async function referenced(when: string, kind: string, state: string): Promise<void> {
  const raw = kind === 'passed' ? net.connect(Number(port), '127.0.0.1') : undefined;
  const socket = connect({ ...to(Number(port)), ...(raw && { socket: raw }) });
  const apply = () => {
    socket.unref();
    if (state === 'ref') socket.ref();
  };
  const secured = event(socket, 'secureConnect');
  // Or nothing would be waited for.
  const patience = setTimeout(() => {}, 10_000);
  if (when === 'before') apply();
  await secured;
  clearTimeout(patience);
  process.once('exit', () => say({ transport: socket.transport, closed: socket.closed }));
  if (when === 'after') apply();
  // Unreferenced it does not come to that.
  setTimeout(() => socket.destroy(), 300).unref();
  if (state === 'ref') socket.resume();
}

/** What a listener throws, in the midst of others' data. */
async function throws(): Promise<void> {
  process.on('uncaughtException', (error) => console.log(`uncaught ${error.message}`));
  const socket = connect(to(Number(port)));
  await event(socket, 'secureConnect');
  let read = 0;
  socket.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read === 3 * MEGABYTE) socket.end();
  });
  socket.once('data', () => {
    throw new Error('from data');
  });
  socket.write(Buffer.alloc(3 * MEGABYTE));
  await event(socket, 'close');
  say({ transport: socket.transport, read });
}

const [first = '', second = '', third = ''] = rest;
const RUNS: Readonly<Record<string, () => Promise<void>>> = {
  memory: () => memory(Number(first)),
  closed: () => closed(first, second),
  idle: () => idle(first, Number(second), third),
  referenced: () => referenced(first, second, third),
  throws,
};
void RUNS[what]?.();
