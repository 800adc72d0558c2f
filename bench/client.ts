/** A client's process. It measures one kind of connection, so that no other shares its heap or JIT. */
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { type ClientCertCallback, Credential, connect, createSecureContext } from '../lib/index';
import type { HandshakeKind, HandshakeSample, HoldKind, HoldSample, Setup, Task } from './messages';

type Socket = ReturnType<typeof connect> | tls.TLSSocket;
type Opener = (port: number) => Socket;

/** Everything that can be shared is made once, as a program that cares would do it. */
function openers({ keys }: Setup): Record<HandshakeKind, () => Opener> {
  const { serverCa: ca, clientCert: cert, clientKey: key } = keys;
  const common = { host: '127.0.0.1', servername: 'localhost' } as const;
  const asking = (callbackFor: (credential: Credential) => ClientCertCallback): Opener => {
    const clientCertCallback = callbackFor(new Credential({ cert, key }));
    const secureContext = createSecureContext({ ca, clientCertCallback });
    return (port) => connect({ ...common, port, secureContext });
  };
  return {
    node: () => {
      const secureContext = tls.createSecureContext({ ca, cert, key });
      return (port) => tls.connect({ ...common, port, secureContext });
    },
    static: () => {
      const secureContext = createSecureContext({ ca, cert, key });
      return (port) => connect({ ...common, port, secureContext });
    },
    'at-once': () => asking((credential) => () => credential),
    suspended: () =>
      asking((credential) => () => new Promise((resolve) => setImmediate(resolve, credential))),
  };
}

async function measureHandshakes(
  open: Opener,
  port: number,
  count: number,
  concurrency: number,
): Promise<HandshakeSample> {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await converse(open(port));
  };
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  await Promise.all(Array.from({ length: concurrency }, worker));
  const { user, system } = process.cpuUsage(cpu);
  return {
    cpu: (user + system) / count,
    wall: Number(process.hrtime.bigint() - wall) / 1000 / count,
  };
}

/** The whole life of a connection; it counts only if the server said that it accepted the client. */
function converse(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let received = 0;
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    socket.on('error', reject);
    socket.on('close', () => {
      if (received === 1) resolve();
      else reject(new Error('the server accepted no certificate'));
    });
  });
}

async function measureHold(kind: HoldKind, setup: Setup, count: number): Promise<HoldSample> {
  const port = setup.ports.silent;
  const hold = holder(kind, setup);
  // Code that runs for the first time, and caches.
  for (const socket of await many(20, () => hold(port))) socket.destroy();
  await sleep(200);
  const before = await memory();
  const held = await many(count, () => hold(port));
  const after = await memory();
  if (held.some((socket) => socket.destroyed)) throw new Error('a connection was lost');
  return {
    rss: (after.rss - before.rss) / count,
    heap: (after.heapUsed - before.heapUsed) / count,
    external: (after.external - before.external) / count,
  };
}

/** Opens a connection and resolves when it has come to where it shall stay. */
function holder(kind: HoldKind, setup: Setup): (port: number) => Promise<Socket> {
  const make = openers(setup);
  if (kind !== 'suspended') {
    const open = make[kind === 'idle' ? 'at-once' : 'node']();
    return (port) => settled(open(port), 'secureConnect');
  }
  const { serverCa: ca } = setup.keys;
  const secureContext = createSecureContext({ ca });
  return (port) => {
    const host = '127.0.0.1';
    return new Promise((resolve, reject) => {
      const clientCertCallback = () => {
        resolve(socket);
        return new Promise<null>(() => {});
      };
      const servername = 'localhost';
      const socket = connect({ host, port, servername, secureContext, clientCertCallback });
      socket.once('error', reject);
    });
  };
}

function settled(socket: Socket, event: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once(event, () => resolve(socket));
  });
}

async function many(count: number, open: () => Promise<Socket>): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const size = Math.min(50, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: size }, open))));
  }
  return sockets;
}

async function memory(): Promise<NodeJS.MemoryUsage> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await sleep(50);
  }
  return process.memoryUsage();
}

async function main(): Promise<void> {
  const setup = await new Promise<Setup>((resolve) => process.once('message', resolve));
  let open: Opener | undefined;
  process.on('message', async (task: Task) => {
    try {
      if (task.task === 'handshakes') {
        open ??= openers(setup)[task.kind]();
        const { count, concurrency } = task;
        const sample = await measureHandshakes(open, setup.ports.greeting, count, concurrency);
        process.send?.({ sample });
      } else {
        process.send?.({ sample: await measureHold(task.kind, setup, task.count) });
      }
    } catch (error) {
      process.send?.({ error: String(error) });
    }
  });
}

process.once('disconnect', () => process.exit());
void main();
