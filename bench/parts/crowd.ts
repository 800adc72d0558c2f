/** Thousands of handshakes suspended at once: whether they hold, and what they weigh. */
import type { CrowdSample } from '../messages';
import { connectionsThatFit, noteOnFit } from '../open-files';
import type { PartOptions, PartResult } from '../part';
import { Client, startNodeServer } from '../processes';
import { printTable, ratios, type Summary, show, summarize } from '../report';

/** Each opens, holds and ends that many connections. */
const MAX_ROUNDS = 2;

/** In a new process each time: memory that was used once does not count as new. */
async function measure({ keys }: PartOptions, rounds: number, count: number) {
  const { greeting: port } = await startNodeServer(keys);
  const samples: CrowdSample[] = [];
  while (samples.length < rounds) {
    const client = new Client({ keys, port });
    samples.push(await client.run({ task: 'crowd', kind: 'ours', count }));
    await client.stop();
  }
  return samples;
}

export async function crowd(options: PartOptions): Promise<PartResult> {
  const rounds = Math.min(options.rounds, MAX_ROUNDS);
  const count = connectionsThatFit(options.crowd);
  const samples = await measure(options, rounds, count);
  const of = (figure: keyof CrowdSample, scale = 1): Summary =>
    summarize(samples.map((sample) => sample[figure] * scale));
  const row = {
    held: of('held'),
    kib: of('rss', 1 / 1024),
    delayBefore: of('delayBefore'),
    delayWith: of('delayWith'),
    percent: of('load', 100),
  };
  console.log(
    `${count} handshakes suspended at once in one process${noteOnFit(options.crowd, count)}, then ` +
      `answered: median (middle half) of ${rounds} runs.\nThe event loop's delay is its 99th ` +
      'percentile, timed every millisecond while it has nothing else to do.\n',
  );
  printTable([
    ['held', 'RSS of each, KiB', 'delay without, ms', 'with, ms', 'CPU while held, %'],
    [
      show(row.held),
      show(row.kib, 1),
      show(row.delayBefore, 2),
      show(row.delayWith, 2),
      show(row.percent, 1),
    ],
  ]);
  const figures = {
    'crowd-lost': summarize(samples.map(({ held }) => count / held)),
    'crowd-memory': row.kib,
    'crowd-delay': ratios(
      samples.map((sample) => sample.delayWith),
      samples.map((sample) => sample.delayBefore),
    ),
  };
  return { figures, rounds, suspended: count, ...row };
}
