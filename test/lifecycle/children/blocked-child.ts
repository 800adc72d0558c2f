/** The main thread while a worker, with a connection in each phase, is blocked in `Atomics.wait()`. */
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { PhasePorts } from '../phases';
import type { BlockedTask } from './blocked-body';
import { handshake } from './handshake';
import { go } from './reach';

const [mode, json = '', overdueText] = process.argv.slice(2);
const overdue = Number(overdueText);
const ports: PhasePorts = JSON.parse(json);
const flags = new Int32Array(new SharedArrayBuffer(8));

async function blocked(): Promise<Worker> {
  const task: BlockedTask = { ports, flags, overdue };
  const worker = new Worker(join(__dirname, 'blocked-body.ts'), { workerData: task });
  await once(worker, 'message');
  return worker;
}

/** Whether as many connections as here do what they should. */
async function hereAll(): Promise<boolean> {
  const runs = Array.from({ length: 5 }, (_, i) => handshake(ports.tls, { signed: i % 2 === 0 }));
  return (await Promise.all(runs)).every(Boolean);
}

async function wake(): Promise<void> {
  const worker = await blocked();
  const since = performance.now();
  console.log(await hereAll());
  console.log(await go(ports));
  console.log(await hereAll());
  await sleep(Math.max(0, since + overdue * 1.5 - performance.now()));
  console.log(Atomics.load(flags, 1) === 0 ? 'blocked all the time' : 'was awake');
  Atomics.store(flags, 0, 1);
  Atomics.notify(flags, 0);
  const exited = once(worker, 'exit');
  const [found] = await once(worker, 'message');
  console.log(JSON.stringify(found));
  console.log((await exited)[0]);
}

async function ends(): Promise<void> {
  await (await blocked()).terminate();
  console.log(await hereAll());
  await blocked();
  process.exit(7);
}

void (mode === 'wake' ? wake() : ends());
