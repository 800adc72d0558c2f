/** As many handshakes as there may be, all suspended at once, and then all answered. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientCertCallback, connect, createSecureContext } from '../../lib/index';
import type { CrowdSample, CrowdTask, Setup } from '../messages';
import { PARAMETERS } from '../parameters';
import { quantile } from '../report';
import { converse } from './handshakes';
import { memory } from './memory';
import { ADDRESS, credentialOf } from './sockets';

/** Handshakes under way at a time, until each is suspended, and again when they are answered. */
const CONCURRENCY = 50;
const WARM_UP = 100;
/** Of the event-loop monitor, in milliseconds. */
const RESOLUTION = 1;
/** A slice that another process disturbs does not count for more than one. */
const SLICES = 7;
const SLICE_MS = 500;
/** Nobody answers before all are there. */
const PATIENCE_MS = 600_000;

interface Suspended {
  answer(): void;
  /** Greeted by the server, and closed. */
  readonly done: Promise<void>;
}

type Suspend = () => Promise<Suspended>;

export async function measureCrowd(setup: Setup, { kind, count }: CrowdTask): Promise<CrowdSample> {
  const suspend = suspender(setup, kind);
  await answerAll(await suspendAll(WARM_UP, suspend));
  const before = await memory();
  const { delay: delayBefore } = await watchLoop();
  const all = await suspendAll(count, suspend);
  const after = await memory();
  const { delay: delayWith, load } = await watchLoop();
  return {
    rss: (after.rss - before.rss) / count,
    delayBefore,
    delayWith,
    load,
    held: await answerAll(all),
  };
}

function suspender(setup: Setup, kind: CrowdTask['kind']): Suspend {
  const credential = credentialOf(setup);
  const secureContext = createSecureContext({ ...PARAMETERS, ca: setup.keys.serverCa });
  const shared = {
    ...ADDRESS,
    port: setup.port,
    secureContext,
    clientCertTimeout: PATIENCE_MS,
    ...(kind === 'ours-stream' ? { transport: 'stream' as const } : {}),
  };
  return () =>
    new Promise((resolve, reject) => {
      const clientCertCallback: ClientCertCallback = () =>
        new Promise((answer) => {
          resolve({ answer: () => answer(credential), done });
        });
      const done = converse(connect({ ...shared, clientCertCallback }));
      done.catch(reject);
    });
}

async function suspendAll(count: number, suspend: Suspend): Promise<Suspended[]> {
  const all: Suspended[] = [];
  let left = count;
  const worker = async () => {
    while (left-- > 0) all.push(await suspend());
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return all;
}

/** Resolves with how many the server accepted: that they were held until then. */
async function answerAll(all: readonly Suspended[]): Promise<number> {
  const waiting = [...all];
  let accepted = 0;
  const worker = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      next.answer();
      await next.done;
      accepted++;
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
  return accepted;
}

/** The event loop's delay while it has nothing to do but what all those connections make it do. */
async function watchLoop(): Promise<{ readonly delay: number; readonly load: number }> {
  const delays: number[] = [];
  const loads: number[] = [];
  for (let slice = 0; slice < SLICES; slice++) {
    const monitor = monitorEventLoopDelay({ resolution: RESOLUTION });
    const cpu = process.cpuUsage();
    monitor.enable();
    await sleep(SLICE_MS);
    monitor.disable();
    const { user, system } = process.cpuUsage(cpu);
    delays.push(monitor.percentile(99) / 1e6);
    loads.push((user + system) / 1000 / SLICE_MS);
  }
  const median = (values: number[]) =>
    quantile(
      values.sort((a, b) => a - b),
      0.5,
    );
  return { delay: median(delays), load: median(loads) };
}
