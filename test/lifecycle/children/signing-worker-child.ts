/** The main thread of the worker tests in which signatures are waited for. */
import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { handshake } from './signing';

const [mode, portText, times, echoPort] = process.argv.slice(2);
const port = Number(portText);
const count = Number(times);

function start(task: object): Worker {
  const worker = new Worker(join(__dirname, 'signing-worker-body.ts'), {
    workerData: { port, ...task },
  });
  worker.on('error', (error) => {
    console.log(`worker failed: ${error.stack}`);
    process.exit(2);
  });
  return worker;
}

async function main(): Promise<void> {
  if (mode === 'terminate') {
    // Two at a time, so that one waits when another goes.
    const lane = async () => {
      for (let i = 0; i < count; i += 1) {
        const worker = start({ waiting: 10 });
        await once(worker, 'message');
        await worker.terminate();
      }
    };
    await Promise.all([lane(), lane()]);
    console.log('terminated');
    console.log(await handshake(Number(echoPort)));
  } else if (mode === 'parallel') {
    const finished = async (worker: Worker) => {
      const [[message]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
      return JSON.stringify(message);
    };
    const workers = [1, 2].map(() => start({ handshakes: count }));
    const here = Array.from({ length: count }, () => handshake(port));
    console.log((await Promise.all(workers.map(finished))).join(' '));
    console.log((await Promise.all(here)).filter(Boolean).length);
  } else if (mode === 'exit') {
    await once(start({ waiting: 10 }), 'message');
    process.exit(7);
  }
}

void main();
