/** Small requests over connections that are kept, and how long a single one takes. */
import { CLIENTS, type ClientKind, type RequestsSample } from '../messages';
import type { PartOptions } from '../part';
import { startRunner } from '../processes';
import { printTable, ratios, type Summary, show, summarize } from '../report';
import { interleave } from '../rounds';

const NAMES: Record<ClientKind, string> = {
  node: 'node:tls',
  ours: 'ours',
  'ours-stream': "ours, transport: 'stream'",
};

const SIZE = 1024;
const CONNECTIONS = 50;
const WARM_UP = 10_000;

type Samples = Record<ClientKind, RequestsSample[]>;

function measure(
  { keys, rounds }: PartOptions,
  port: number,
  connections: number,
  count: number,
): Promise<Samples> {
  return interleave(CLIENTS, rounds, (kind) => {
    const task = { task: 'requests', kind, size: SIZE, connections, count } as const;
    return startRunner({ keys, port }, task, { ...task, count: WARM_UP });
  });
}

function rowsOf(samples: Samples) {
  return CLIENTS.map((kind) => {
    const of = (figure: keyof RequestsSample): Summary =>
      summarize(samples[kind].map((sample) => sample[figure]));
    const beside = (figure: keyof RequestsSample): Summary =>
      ratios(
        samples[kind].map((sample) => sample[figure]),
        samples.node.map((sample) => sample[figure]),
      );
    return {
      name: NAMES[kind],
      kind,
      cpu: of('cpu'),
      cpuBeside: beside('cpu'),
      wall: of('wall'),
      p50: of('p50'),
      p50Beside: beside('p50'),
      p99: of('p99'),
      p99Beside: beside('p99'),
    };
  });
}

export async function requests(options: PartOptions): Promise<object> {
  const { rounds, requests: count, floor } = options;
  const port = await (await floor()).startServer();
  // A message alone is one request on one connection: fewer of them take as long.
  const aloneCount = Math.ceil(count / 5);
  const together = rowsOf(await measure(options, port, CONNECTIONS, count));
  const alone = rowsOf(await measure(options, port, 1, aloneCount));
  console.log(
    `Requests of ${SIZE} bytes and replies of the same size over ${CONNECTIONS} connections, one ` +
      `under way on each: median (middle half) of ${rounds} interleaved rounds of ${count}.\n`,
  );
  printTable([
    ['', 'client CPU, µs', 'beside node:tls', 'wall, µs'],
    ...together.map(({ name, cpu, cpuBeside, wall }) => [
      name,
      show(cpu, 1),
      show(cpuBeside, 2),
      show(wall, 1),
    ]),
  ]);
  console.log(
    `\nThe same alone, on one connection, rounds of ${aloneCount}: from write to reply.\n`,
  );
  printTable([
    ['', 'half, µs', 'beside node:tls', '99 %, µs', 'beside node:tls', 'client CPU, µs'],
    ...alone.map(({ name, p50, p50Beside, p99, p99Beside, cpu }) => [
      name,
      show(p50),
      show(p50Beside, 2),
      show(p99),
      show(p99Beside, 2),
      show(cpu, 1),
    ]),
  ]);
  return { rounds, size: SIZE, connections: CONNECTIONS, requestsPerRound: count, together, alone };
}
