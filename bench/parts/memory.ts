/** The memory of connections that wait. */
import { HOLDS, type HoldKind, type HoldSample } from '../messages';
import type { PartOptions, PartResult } from '../part';
import { Client, startNodeServer } from '../processes';
import { printTable, ratios, type Summary, show, summarize } from '../report';

const NAMES: Record<HoldKind, string> = {
  'node-idle': 'node:tls, idle',
  idle: 'idle',
  suspended: 'suspended handshake',
};

/** Memory hardly varies. */
const MAX_ROUNDS = 3;

/** In a new process each time: memory that was used once does not count as new. */
async function measure({ keys, connections: count }: PartOptions, rounds: number) {
  const { silent: port } = await startNodeServer(keys);
  const samples: Record<HoldKind, HoldSample[]> = { 'node-idle': [], idle: [], suspended: [] };
  for (let round = 0; round < rounds; round++) {
    for (const kind of HOLDS) {
      const client = new Client({ keys, port });
      samples[kind].push(await client.run({ task: 'hold', kind, count }));
      await client.stop();
    }
  }
  return samples;
}

export async function memory(options: PartOptions): Promise<PartResult> {
  const rounds = Math.min(options.rounds, MAX_ROUNDS);
  const samples = await measure(options, rounds);
  const rows = HOLDS.map((kind) => ({
    name: NAMES[kind],
    kind,
    rss: summarize(samples[kind].map(({ rss }) => rss)),
    heap: summarize(samples[kind].map(({ heap }) => heap)),
    external: summarize(samples[kind].map(({ external }) => external)),
  }));
  const { connections } = options;
  console.log(
    `Memory of the client process for each of ${connections} connections at once, in KiB: ` +
      `median (middle half) of ${rounds} runs, after garbage collection.\nRSS has all of it but ` +
      'what the kernel keeps.\n',
  );
  const kib = ({ median, low, high }: Summary) =>
    show({ median: median / 1024, low: low / 1024, high: high / 1024 }, 1);
  printTable([
    ['', 'RSS', 'JavaScript heap', 'external'],
    ...rows.map(({ name, rss, heap, external }) => [name, kib(rss), kib(heap), kib(external)]),
  ]);
  const rss = (kind: HoldKind) => samples[kind].map((sample) => sample.rss);
  const figures = { 'idle-memory/node': ratios(rss('idle'), rss('node-idle')) };
  return { figures, rounds, connectionsHeld: connections, rows };
}
