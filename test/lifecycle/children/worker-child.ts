/** The main thread of the worker tests. */
import { once } from 'node:events';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

const [mode, port, times, phase, echoPort = port] = process.argv.slice(2);
const count = Number(times);

function start(task: object, file = 'worker-body.ts'): Worker {
  const worker = new Worker(join(__dirname, file), {
    workerData: { port: Number(port), ...task },
  });
  worker.on('error', (error) => {
    console.log(`worker failed: ${error.stack}`);
    process.exit(2);
  });
  return worker;
}

/** What a worker reports, once it has ended by itself. */
async function finished(worker: Worker): Promise<string> {
  const [[message]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
  return JSON.stringify(message);
}

/** In this thread, which may not have loaded the addon so far. */
async function here(): Promise<boolean> {
  const { handshake } = require('./handshake') as typeof import('./handshake');
  return handshake(Number(echoPort));
}

async function main(): Promise<void> {
  if (mode === 'terminate') {
    // Two at a time, so that one is in the middle of things when another goes.
    const lane = async () => {
      for (let i = 0; i < count; i += 1) {
        const worker = start({ phase });
        await once(worker, 'message');
        await worker.terminate();
      }
    };
    await Promise.all([lane(), lane()]);
    console.log('terminated');
    console.log(await here());
  } else if (mode === 'storm') {
    for (let round = 0; round < count; round += 1) {
      const workers = [1, 2].map(() => start({}, 'worker-storm.ts'));
      // From the first handshakes on, a little later each round.
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      for (let turn = 0; turn < round * 20; turn += 1) await setImmediate();
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
    console.log('terminated');
  } else if (mode === 'parallel') {
    const workers = [1, 2].map(() => start({ phase: 'handshakes', count }));
    console.log((await Promise.all(workers.map(finished))).join(' '));
  } else if (mode === 'worker first') {
    console.log(await finished(start({ phase: 'handshakes' })));
    console.log(await here());
    console.log(await finished(start({ phase: 'handshakes' })));
    console.log(await here());
  } else if (mode === 'exit') {
    const worker = start({ phase });
    await once(worker, 'message');
    process.exit(7);
  }
}

void main();
