/** Runs in a worker: connects as it was told, and reports to its parent. */
import { parentPort, workerData } from 'node:worker_threads';
import { connect } from '../../../lib/index';
import { to } from './client';
import { handshake } from './handshake';

interface Task {
  readonly port: number;
  /** Where to stay until terminated; or `handshakes`. */
  readonly phase: 'connecting' | 'suspended' | 'open' | 'asked later' | 'handshakes';
  readonly count?: number;
}

const { port, phase, count = 1 } = workerData as Task;
const report = (what: unknown) => parentPort?.postMessage(what);

async function main(): Promise<void> {
  if (phase === 'handshakes') {
    let good = 0;
    const runs = Array.from({ length: count }, () => handshake(port));
    for (const run of runs) if (await run) good += 1;
    report({ good });
    return;
  }
  const socket = connect({
    ...to(port),
    clientCertCallback:
      phase === 'suspended' || phase === 'asked later'
        ? () => {
            report(phase);
            return new Promise(() => {});
          }
        : null,
  });
  socket.on('error', () => {});
  if (phase === 'asked later') socket.write('ask\n');
  if (phase === 'connecting') report('connecting');
  if (phase === 'open') socket.once('secureConnect', () => report('open'));
}

void main();
