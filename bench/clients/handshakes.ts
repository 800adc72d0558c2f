/** The whole life of short connections, a few at a time. */
import type { HandshakeSample, HandshakesTask, Setup } from '../messages';
import { type Opener, openers, type Socket } from './sockets';

/** Of the one kind that this process measures. */
let open: Opener | undefined;

export function measureHandshakes(setup: Setup, task: HandshakesTask): Promise<HandshakeSample> {
  open ??= openers(setup)[task.kind]();
  return repeat(open, task);
}

/** Opens `count` connections and has each greeted, `concurrency` at a time. */
export async function repeat(
  opener: Opener,
  { count, concurrency }: { readonly count: number; readonly concurrency: number },
): Promise<HandshakeSample> {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await converse(opener());
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

/** It counts only if the server said that it accepted the client. */
export function converse(socket: Socket): Promise<void> {
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
