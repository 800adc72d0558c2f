/** Whether a message costs more when many connections are open beside its own. */
import type { RequestsSample, RequestsTask } from '../messages';
import { connectionsThatFit, noteOnFit } from '../open-files';
import type { PartOptions, PartResult } from '../part';
import { Client, startNodeServer } from '../processes';
import { printTable, ratios, show, summarize } from '../report';

/** Only these: to open that many connections takes its time. */
const KINDS = ['node', 'ours'] as const;
type Kind = (typeof KINDS)[number];

const NAMES: Record<Kind, string> = { node: 'node:tls', ours: 'ours' };

const SIZE = 1024;
const FEW = 100;
const UNDER_WAY = 50;
const WARM_UP = 20_000;
const FEWEST_MESSAGES = 5000;

/** The same work with few connections and with many, in turn: a pair is a round. */
interface Measured {
  readonly few: RequestsSample[];
  readonly many: RequestsSample[];
}

/** Each size has a server of its own, and both stay open through all rounds. */
async function measure({ keys, rounds }: PartOptions, kind: Kind, many: number): Promise<Measured> {
  const count = Math.max(many, FEWEST_MESSAGES);
  const sizes = { few: FEW, many };
  const samples: Measured = { few: [], many: [] };
  const started = await Promise.all(
    (['few', 'many'] as const).map(async (size) => {
      const { echo: port } = await startNodeServer(keys);
      const client = new Client({ keys, port });
      // Every connection once in a round, however many there are.
      const task: RequestsTask = {
        task: 'requests',
        kind,
        size: SIZE,
        connections: sizes[size],
        underWay: UNDER_WAY,
        count,
      };
      await client.run({ ...task, count: Math.max(count, WARM_UP) });
      return { size, client, task };
    }),
  );
  for (let round = 0; round < rounds; round++) {
    const turns = round % 2 === 0 ? started : started.toReversed();
    for (const { size, client, task } of turns) samples[size].push(await client.run(task));
  }
  for (const { client } of started) await client.stop();
  return samples;
}

export async function growth(options: PartOptions): Promise<PartResult> {
  const { rounds } = options;
  const many = connectionsThatFit(options.crowd);
  const samples: Record<Kind, Measured> = {
    node: await measure(options, 'node', many),
    ours: await measure(options, 'ours', many),
  };
  const rows = KINDS.map((kind) => {
    const cpu = (size: keyof Measured) => samples[kind][size].map((sample) => sample.cpu);
    return {
      name: NAMES[kind],
      kind,
      few: summarize(cpu('few')),
      many: summarize(cpu('many')),
      growth: ratios(cpu('many'), cpu('few')),
    };
  });
  console.log(
    `A message of ${SIZE} bytes and its echo, ${UNDER_WAY} at a time, while ${FEW} or ${many} ` +
      `connections${noteOnFit(options.crowd, many)} are open and each has its turn:\nmedian ` +
      `(middle half) of ${rounds} rounds in turn.\n`,
  );
  printTable([
    ['', `client CPU, µs, ${FEW} open`, `${many} open`, 'ratio'],
    ...rows.map(({ name, few, many, growth }) => [
      name,
      show(few, 1),
      show(many, 1),
      show(growth, 2),
    ]),
  ]);
  const of = (kind: Kind) => rows.find((row) => row.kind === kind)?.growth;
  const [ours, node] = [of('ours'), of('node')];
  const figures = { ...(ours && { growth: ours }), ...(node && { 'growth-node': node }) };
  return { figures, rounds, connections: { few: FEW, many }, rows };
}
