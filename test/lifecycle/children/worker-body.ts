/** Runs in a worker: makes handshakes, or brings connections into a phase and stays there or ends. */
import { parentPort, workerData } from 'node:worker_threads';
import type { PhaseName, PhasePorts } from '../phases';
import { type HandshakeOptions, handshake } from './handshake';
import { letGo, reach } from './reach';

export interface WorkerTask {
  readonly ports: PhasePorts;
  readonly phase?: PhaseName;
  /** How the worker ends by itself; without it, it stays where it is. */
  readonly way?: 'process.exit' | 'an uncaught exception' | 'its natural end';
  /** Instead of a phase: how many handshakes. */
  readonly handshakes?: number;
  readonly options?: HandshakeOptions;
}

const AT_ONCE = 3;
const { ports, phase = 'open', way, handshakes = 0, options } = workerData as WorkerTask;

async function main(): Promise<void> {
  if (handshakes > 0) {
    const runs = Array.from({ length: handshakes }, () => handshake(ports.tls, options));
    parentPort?.postMessage({ good: (await Promise.all(runs)).filter(Boolean).length });
    return;
  }
  const all = await Promise.all(Array.from({ length: AT_ONCE }, () => reach(phase, ports)));
  const there = all.filter(({ socket }) => !socket.destroyed);
  parentPort?.postMessage(there.length === AT_ONCE ? 'there' : `only ${there.length} are there`);
  switch (way) {
    case 'process.exit':
      process.exit(3);
      break;
    case 'an uncaught exception':
      throw new Error('on purpose');
    case 'its natural end':
      for (const reached of all) letGo(phase, reached);
      break;
  }
}

void main();
