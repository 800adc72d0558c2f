/** Runs in a worker: signs handshakes, or has many of them wait for ever and says so. */
import { parentPort, workerData } from 'node:worker_threads';
import { dial, handshake, waits } from './signing';

const {
  port,
  waiting = 0,
  handshakes = 0,
} = workerData as {
  readonly port: number;
  readonly waiting?: number;
  readonly handshakes?: number;
};

async function main(): Promise<void> {
  if (handshakes > 0) {
    const runs = Array.from({ length: handshakes }, () => handshake(port));
    parentPort?.postMessage({ good: (await Promise.all(runs)).filter(Boolean).length });
    return;
  }
  let asked = 0;
  for (let i = 0; i < waiting; i += 1) {
    const signer = waits(() => {
      asked += 1;
      if (asked === waiting) parentPort?.postMessage('all wait');
    });
    dial(port, signer).on('error', () => {});
  }
}

void main();
