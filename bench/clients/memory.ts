/** Many connections at once that stay where they are. */
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, createSecureContext } from '../../lib/index';
import type { HoldKind, HoldSample, HoldTask, Setup } from '../messages';
import { ADDRESS, openers, type Socket, settled } from './sockets';

export async function measureHold(setup: Setup, { kind, count }: HoldTask): Promise<HoldSample> {
  const hold = holder(kind, setup);
  // Code that runs for the first time, and caches.
  for (const socket of await many(20, hold)) socket.destroy();
  await sleep(200);
  const before = await memory();
  const held = await many(count, hold);
  const after = await memory();
  if (held.some((socket) => socket.destroyed)) throw new Error('a connection was lost');
  return {
    rss: (after.rss - before.rss) / count,
    heap: (after.heapUsed - before.heapUsed) / count,
    external: (after.external - before.external) / count,
  };
}

/** Opens a connection and resolves when it has come to where it shall stay. */
function holder(kind: HoldKind, setup: Setup): () => Promise<Socket> {
  if (kind !== 'suspended') {
    const open = openers(setup)[kind === 'idle' ? 'at-once' : 'node']();
    return () => settled(open(), 'secureConnect');
  }
  const { port, keys } = setup;
  const secureContext = createSecureContext({ ca: keys.serverCa });
  return () =>
    new Promise((resolve, reject) => {
      const clientCertCallback = () => {
        resolve(socket);
        return new Promise<null>(() => {});
      };
      const socket = connect({ ...ADDRESS, port, secureContext, clientCertCallback });
      socket.once('error', reject);
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

export async function memory(): Promise<NodeJS.MemoryUsage> {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await sleep(50);
  }
  return process.memoryUsage();
}
