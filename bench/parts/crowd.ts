/** Thousands of handshakes suspended at once: whether they hold, and what they weigh. */
import type { CrowdEndSample, CrowdMemorySample, LoopSample } from '../messages';
import { connectionsThatFit, noteOnFit } from '../open-files';
import type { PartOptions, PartResult } from '../part';
import { Client, startNodeServer } from '../processes';
import { printTable, ratios, show, summarize } from '../report';

/** Each opens, holds and ends that many connections. */
const MAX_ROUNDS = 2;
/** In a round; one that the rest of the machine disturbs does not count for more than one. */
const WATCHES = 15;

interface Samples {
  readonly rss: number[];
  readonly held: number[];
  /** Those with the same index were taken at the same time. */
  readonly with: LoopSample[];
  readonly without: LoopSample[];
}

/**
 * In new processes each time: memory that was used once does not count as new. The loop with all those
 * connections is watched beside the loop of a process that has none, at the same time.
 */
async function measure({ keys }: PartOptions, rounds: number, count: number): Promise<Samples> {
  const { greeting: port } = await startNodeServer(keys);
  const samples: Samples = { rss: [], held: [], with: [], without: [] };
  for (let round = 0; round < rounds; round++) {
    const [client, idle] = [new Client({ keys, port }), new Client({ keys, port })];
    const task = { task: 'crowd', count } as const;
    await idle.run({ ...task, kind: 'suspend', count: 0 });
    const { rss } = await client.run<CrowdMemorySample>({ ...task, kind: 'suspend' });
    samples.rss.push(rss);
    for (let i = 0; i < WATCHES; i++) {
      const watch = (it: Client) => it.run<LoopSample>({ ...task, kind: 'watch' });
      const [loop, idleLoop] = await Promise.all([watch(client), watch(idle)]);
      samples.with.push(loop);
      samples.without.push(idleLoop);
    }
    const { held } = await client.run<CrowdEndSample>({ ...task, kind: 'answer' });
    samples.held.push(held);
    await Promise.all([client.stop(), idle.stop()]);
  }
  return samples;
}

export async function crowd(options: PartOptions): Promise<PartResult> {
  const rounds = Math.min(options.rounds, MAX_ROUNDS);
  const count = connectionsThatFit(options.crowd);
  const samples = await measure(options, rounds, count);
  const delays = (which: 'with' | 'without') => samples[which].map(({ delay }) => delay);
  const percent = (which: 'with' | 'without') =>
    summarize(samples[which].map(({ load }) => load * 100));
  const row = {
    held: summarize(samples.held),
    kib: summarize(samples.rss.map((bytes) => bytes / 1024)),
    delayWithout: summarize(delays('without')),
    delayWith: summarize(delays('with')),
    percentWithout: percent('without'),
    percentWith: percent('with'),
  };
  console.log(
    `${count} handshakes suspended at once in one process${noteOnFit(options.crowd, count)}, then ` +
      `answered: median (middle half) of ${rounds} runs.\nThe event loop, which has nothing else to ` +
      'do, is watched beside that of a process without them: the 99th percentile of its delay.\n',
  );
  printTable([
    ['held', 'RSS of each, KiB', 'delay, ms', 'without, ms', 'CPU, %', 'without, %'],
    [
      show(row.held),
      show(row.kib, 1),
      show(row.delayWith, 2),
      show(row.delayWithout, 2),
      show(row.percentWith, 1),
      show(row.percentWithout, 1),
    ],
  ]);
  const figures = {
    'crowd-lost': summarize(samples.held.map((held) => count / held)),
    'crowd-memory': row.kib,
    'crowd-delay': ratios(delays('with'), delays('without')),
  };
  return { figures, rounds, suspended: count, ...row };
}
