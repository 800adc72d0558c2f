/** As many handshakes as there may be, all suspended at once, and then all answered. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientCertCallback, connect, createSecureContext } from '../../lib/index';
import type { CrowdEndSample, CrowdMemorySample, CrowdTask, LoopSample, Setup } from '../messages';
import { PARAMETERS } from '../parameters';
import { converse } from './handshakes';
import { memory } from './memory';
import { ADDRESS, credentialOf } from './sockets';

/** Handshakes under way at a time, until each is suspended, and again when they are answered. */
const CONCURRENCY = 50;
const WARM_UP = 100;
/** Of the event-loop monitor, in milliseconds. */
const RESOLUTION = 1;
const WATCH_MS = 500;
/** Nobody answers before all are there. */
const PATIENCE_MS = 600_000;

interface Suspended {
  answer(): void;
  /** Greeted by the server, and closed. */
  readonly done: Promise<void>;
}

type Suspend = () => Promise<Suspended>;

/** Those that are suspended now. */
let crowd: readonly Suspended[] = [];

export async function measureCrowd(
  setup: Setup,
  { kind, count }: CrowdTask,
): Promise<CrowdMemorySample | LoopSample | CrowdEndSample> {
  switch (kind) {
    case 'suspend':
      return suspendCrowd(suspender(setup), count);
    case 'watch':
      return watchLoop();
    case 'answer': {
      const held = await answerAll(crowd);
      crowd = [];
      return { held };
    }
  }
}

async function suspendCrowd(suspend: Suspend, count: number): Promise<CrowdMemorySample> {
  // Code that runs for the first time, and caches.
  await answerAll(await suspendAll(WARM_UP, suspend));
  const before = await memory();
  crowd = await suspendAll(count, suspend);
  const after = await memory();
  return { rss: count === 0 ? 0 : (after.rss - before.rss) / count };
}

function suspender(setup: Setup): Suspend {
  const credential = credentialOf(setup);
  const secureContext = createSecureContext({ ...PARAMETERS, ca: setup.keys.serverCa });
  const shared = {
    ...ADDRESS,
    port: setup.port,
    secureContext,
    clientCertTimeout: PATIENCE_MS,
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

/** While the loop has nothing to do but what its connections make it do. */
async function watchLoop(): Promise<LoopSample> {
  const monitor = monitorEventLoopDelay({ resolution: RESOLUTION });
  const cpu = process.cpuUsage();
  monitor.enable();
  await sleep(WATCH_MS);
  monitor.disable();
  const { user, system } = process.cpuUsage(cpu);
  return { delay: monitor.percentile(99) / 1e6, load: (user + system) / 1000 / WATCH_MS };
}
