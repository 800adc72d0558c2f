/** A worker with a connection in each phase that stops in `Atomics.wait()`, and then looks what it finds. */
import { parentPort, workerData } from 'node:worker_threads';
import type { TLSSocket } from '../../../lib/index';
import { PHASE_NAMES, type PhaseName, type PhasePorts } from '../phases';
import { reach } from './reach';

export interface BlockedTask {
  readonly ports: PhasePorts;
  /** Of two: whether to go on, and whether it has. */
  readonly flags: Int32Array;
  /** Timers of so many ms expire while it is blocked. */
  readonly overdue: number;
}

/** What became of one connection after the wake. */
interface Found {
  received: string;
  readonly events: string[];
}

const { ports, flags, overdue } = workerData as BlockedTask;

function watch(socket: TLSSocket): { found: Found; closed: Promise<void> } {
  const found: Found = { received: '', events: [] };
  socket.on('data', (chunk) => {
    found.received += chunk;
  });
  socket.on('end', () => found.events.push('end'));
  socket.on('timeout', () => {
    found.events.push('timeout');
    socket.destroy();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => found.events.push(`error ${error.code}`));
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      found.events.push('close');
      resolve();
    });
  });
  return { found, closed };
}

/** What its program does with each as soon as it runs again. */
function goOn(name: PhaseName, socket: TLSSocket, answer: () => void): void {
  answer();
  if (name === 'answered') socket.destroy();
  else if (name === 'asked later' || name === 'signing later') socket.end('who\n');
  else if (name === 'half-closed by the peer' || name === 'writing') socket.end();
  else if (name !== 'closing') socket.end('hello');
}

async function main(): Promise<void> {
  const bring = async (name: PhaseName) => ({ name, ...(await reach(name, ports)) });
  const others = PHASE_NAMES.filter((name) => name !== 'connecting');
  const inPhases = await Promise.all(others.map(bring));
  const toldLater = await Promise.all(
    ['send later', 'cut later'].map(async (name) => {
      const { socket } = await reach('open', ports);
      await new Promise<void>((resolve) => socket.write(`${name}\n`, () => resolve()));
      return { name, socket };
    }),
  );
  const watched = [...inPhases, ...toldLater].map(({ name, socket }) => ({
    name,
    ...watch(socket),
  }));
  const late = await reach('suspended', ports, { clientCertTimeout: overdue });
  watched.push({ name: 'overdue', ...watch(late.socket) });
  const idle = await reach('open', ports);
  watched.push({ name: 'idle', ...watch(idle.socket) });
  idle.socket.setTimeout(overdue);
  // Last: the kernel connects it while nobody is there.
  const connecting = await bring('connecting');
  inPhases.push(connecting);
  const all = [...watched, { name: connecting.name, ...watch(connecting.socket) }];

  parentPort?.postMessage('blocked');
  Atomics.wait(flags, 0, 0);
  Atomics.store(flags, 1, 1);

  for (const { name, socket, answer } of inPhases) goOn(name, socket, answer);
  await Promise.all(all.map(({ closed }) => closed));
  parentPort?.postMessage(Object.fromEntries(all.map(({ name, found }) => [name, found])));
}

void main();
