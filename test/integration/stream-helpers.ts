/** What the stream tests share: two clients to hold side by side, and bounded waits. */
import { type EventEmitter, once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import tls from 'node:tls';
import { type ConnectionOptions, connect, type TLSSocket } from '../../lib/index';
import { registerLeftover } from '../support/leftovers';
import type { NodeServer } from '../support/node-server';
import { createPair } from '../support/pair';
import { loadPki } from '../support/pki';

export const pki = loadPki();

export const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const;
export type Version = (typeof VERSIONS)[number];

/** Options that a good client of `pki.server` needs; the same for both clients. */
export function to(port: number, version?: Version) {
  return {
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: pki.serverCa.cert,
    ...(version !== undefined && { minVersion: version, maxVersion: version }),
  };
}

export type Client = 'ours' | 'node';

/** Ours under Node's type, so that one test can drive both. */
export const clients: Record<Client, (options: object) => tls.TLSSocket> = {
  ours: (options) => connect(options as ConnectionOptions) as unknown as tls.TLSSocket,
  node: (options) => tls.connect(options as tls.ConnectionOptions),
};

const EVENTS = ['lookup', 'connect', 'ready', 'secureConnect', 'end', 'finish', 'error', 'close'];

/** Keeps the names of what a socket emits, with an error's code and `'close'`'s argument. */
export function record(socket: EventEmitter, names: readonly string[] = EVENTS): string[] {
  const seen: string[] = [];
  for (const name of names) {
    socket.on(name, (argument: unknown) => {
      if (name === 'error') seen.push(`error ${(argument as NodeJS.ErrnoException).code}`);
      else if (name === 'close') seen.push(`close ${argument}`);
      else seen.push(name);
    });
  }
  return seen;
}

/** Rejects when `promise` takes longer than `ms`, instead of leaving it to jest to say nothing. */
export async function within<T>(promise: Promise<T>, what: string, ms = 8_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} in ${ms} ms`)), ms).unref();
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Resolves with the arguments of the next `name`; an `'error'` does not reject it. */
export function next(emitter: EventEmitter, name: string, ms?: number): Promise<unknown[]> {
  const seen = new Promise<unknown[]>((resolve) => {
    emitter.once(name, (...args: unknown[]) => resolve(args));
  });
  return within(seen, `'${name}'`, ms);
}

/** The error of a socket that is to fail, once it has closed. */
export async function failure(socket: EventEmitter, ms?: number): Promise<NodeJS.ErrnoException> {
  const errors: NodeJS.ErrnoException[] = [];
  socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error));
  await next(socket, 'close', ms);
  if (errors[0] === undefined) throw new Error('the socket closed without an error');
  if (errors.length > 1) throw new Error(`the socket failed ${errors.length} times`);
  return errors[0];
}

/** All that is read until `'end'`. The stream is not destroyed, which `for await` would do. */
export async function readAll(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await next(stream, 'end');
  return Buffer.concat(chunks);
}

/** Reads until `size` bytes have come. */
export async function readBytes(stream: Readable, size: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let count = 0;
  const done = new Promise<void>((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      count += chunk.length;
      if (count >= size) resolve();
    });
  });
  if (size > 0) await within(done, `${size} bytes`, 15_000);
  return Buffer.concat(chunks);
}

/** A connection over a pair in memory, secure on both sides, with the socket at the server. */
export async function overPair(server: NodeServer, client: Client, options: object) {
  const pair = createPair();
  const handshake = server.connections.length + 1;
  server.server.emit('connection', pair.server);
  const socket = clients[client]({ ...options, socket: pair.client });
  await next(socket, 'secureConnect');
  const { socket: peer } = await server.sawClient(handshake);
  return { socket, peer, below: pair.client };
}

export interface RawServer {
  readonly port: number;
  /** Every connection so far. */
  readonly sockets: Socket[];
  close(): Promise<void>;
}

/** A TCP server without any TLS, for what no TLS library would send. */
export async function startRawServer(onConnection: (socket: Socket) => void): Promise<RawServer> {
  const sockets: Socket[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    forget();
    const closed = once(server, 'close');
    server.close();
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  const forget = registerLeftover(close);
  return { port: (server.address() as AddressInfo).port, sockets, close };
}

/** A handshake that stays suspended until the returned function answers it. */
export function suspended(options: ConnectionOptions): {
  socket: TLSSocket;
  /** Resolves when the callback was called. */
  asked: Promise<AbortSignal>;
  answer: (credential: { cert: string; key: string } | null) => void;
} {
  let answer: (credential: { cert: string; key: string } | null) => void = () => {};
  const waiting = new Promise<{ cert: string; key: string } | null>((resolve) => {
    answer = resolve;
  });
  let heard: (signal: AbortSignal) => void = () => {};
  const asked = new Promise<AbortSignal>((resolve) => {
    heard = resolve;
  });
  const socket = connect({
    ...options,
    clientCertCallback: (_request, { signal }) => {
      heard(signal);
      return waiting;
    },
  });
  const bounded = within(asked, 'question');
  // Not every test gets as far as the question.
  bounded.catch(() => {});
  return { socket, asked: bounded, answer };
}

/** Two turns of the event loop: what is due by then has happened. */
export async function turns(count = 2): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
