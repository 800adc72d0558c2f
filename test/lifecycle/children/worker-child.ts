/** The main thread of the worker tests. */
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { PhaseName, PhasePorts } from '../phases';
import type { HandshakeOptions } from './handshake';
import type { WorkerTask } from './worker-body';

const [mode, json = '', phase, protocol, count] = process.argv.slice(2);
const ports: PhasePorts = JSON.parse(json);

function start(task: Omit<WorkerTask, 'ports'>, file = 'worker-body.ts'): Worker {
  const worker = new Worker(join(__dirname, file), { workerData: { ports, ...task } });
  worker.on('error', (error: Error) => {
    if (error.message === 'on purpose') return;
    console.log(`worker failed: ${error.stack}`);
    process.exit(2);
  });
  return worker;
}

/** Not by `once()`, which fails when the worker does. */
function reported(worker: Worker): Promise<unknown> {
  return new Promise((resolve) => worker.once('message', resolve));
}

/** What a worker reports, and how it ended by itself. */
async function finished(worker: Worker): Promise<string> {
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  const message = await reported(worker);
  return `${JSON.stringify(message)} ${await exited}`;
}

/** In this thread, which may not have loaded the addon so far. */
async function here(options?: HandshakeOptions): Promise<boolean> {
  const { handshake } = require('./handshake') as typeof import('./handshake');
  return handshake(ports.tls, options);
}

async function terminated(worker: Worker): Promise<string> {
  const message = await reported(worker);
  await worker.terminate();
  return `${JSON.stringify(message)} terminated`;
}

/** Workers that end in each way while in the phase; at last the process, while one more is in it. */
async function ends(name: PhaseName): Promise<void> {
  const all = await Promise.all([
    terminated(start({ phase: name })),
    finished(start({ phase: name, way: 'process.exit' })),
    finished(start({ phase: name, way: 'an uncaught exception' })),
    finished(start({ phase: name, way: 'its natural end' })),
  ]);
  for (const line of all) console.log(line);
  console.log(await here());
  console.log(await reported(start({ phase: name })));
  process.exit(7);
}

async function storm(rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const workers = [1, 2].map(() => start({}, 'worker-storm.ts'));
    // From the first handshakes on, a little later each round.
    await Promise.all(workers.map(reported));
    for (let turn = 0; turn < round * 20; turn += 1) await setImmediate();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  console.log('terminated');
}

async function parallel(handshakes: number, options: HandshakeOptions): Promise<void> {
  const workers = [1, 2].map(() => start({ handshakes, options }));
  const own = Array.from({ length: handshakes }, () => here(options));
  for (const line of await Promise.all(workers.map(finished))) console.log(line);
  console.log((await Promise.all(own)).filter(Boolean).length);
}

async function workerFirst(): Promise<void> {
  for (let round = 0; round < 2; round += 1) {
    console.log(await finished(start({ handshakes: 1 })));
    console.log(await here());
  }
}

switch (mode) {
  case 'ends':
    void ends(phase as PhaseName);
    break;
  case 'storm':
    void storm(Number(phase));
    break;
  case 'parallel':
    void parallel(Number(count), {
      signed: phase === 'signed',
      maxVersion: protocol as HandshakeOptions['maxVersion'] & string,
    });
    break;
  case 'worker first':
    void workerFirst();
    break;
}
