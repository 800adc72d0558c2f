/** Small requests over connections that are kept, and how long a single one takes. */
import { CLIENTS, type ClientKind, type RequestsSample } from '../messages';
import type { PartOptions, PartResult } from '../part';
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
const WARM_UP = 30_000;
/**
 * Alone: short rounds and many, because a 99th percentile is what other processes make of it. Most
 * short rounds are left in peace, and the median is of one of those.
 */
const ALONE = 500;
const ALONE_ROUNDS = 5;

type Samples = Record<ClientKind, RequestsSample[]>;

async function together({ keys, rounds, requests: count }: PartOptions, port: number) {
  const connections = { connections: CONNECTIONS, underWay: CONNECTIONS };
  const samples = await interleave<ClientKind, RequestsSample>(CLIENTS, rounds, (kind) => {
    const task = { task: 'requests', kind, size: SIZE, ...connections, count } as const;
    return startRunner({ keys, port }, task, { ...task, count: WARM_UP });
  });
  return rowsOf(samples);
}

async function alone({ keys, rounds }: PartOptions, port: number) {
  const connections = { connections: 1, underWay: 1 };
  const samples = await interleave<ClientKind, RequestsSample>(
    CLIENTS,
    rounds * ALONE_ROUNDS,
    (kind) => {
      const task = { task: 'requests', kind, size: SIZE, ...connections, count: ALONE } as const;
      return startRunner({ keys, port }, task, { ...task, count: WARM_UP });
    },
    Math.ceil((rounds * ALONE_ROUNDS) / 3),
  );
  return rowsOf(samples);
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

export async function requests(options: PartOptions): Promise<PartResult> {
  const { rounds, requests: count, floor } = options;
  const port = await (await floor()).startServer();
  const rows = await together(options, port);
  const rowsAlone = await alone(options, port);
  console.log(
    `Requests of ${SIZE} bytes and replies of the same size over ${CONNECTIONS} connections, one ` +
      `under way on each: median (middle half) of ${rounds} interleaved rounds of ${count}.\n`,
  );
  printTable([
    ['', 'client CPU, µs', 'beside node:tls', 'wall, µs'],
    ...rows.map(({ name, cpu, cpuBeside, wall }) => [
      name,
      show(cpu, 1),
      show(cpuBeside, 2),
      show(wall, 1),
    ]),
  ]);
  console.log(
    `\nThe same alone, on one connection, from write to reply; ${rounds * ALONE_ROUNDS} rounds of ${ALONE}.\n`,
  );
  printTable([
    ['', 'half, µs', 'beside node:tls', '99 %, µs', 'beside node:tls', 'client CPU, µs'],
    ...rowsAlone.map(({ name, p50, p50Beside, p99, p99Beside, cpu }) => [
      name,
      show(p50),
      show(p50Beside, 2),
      show(p99),
      show(p99Beside, 2),
      show(cpu, 1),
    ]),
  ]);
  const ours = (all: typeof rows) => all.find(({ kind }) => kind === 'ours');
  const requestsBeside = ours(rows)?.cpuBeside;
  const p99Beside = ours(rowsAlone)?.p99Beside;
  return {
    figures: {
      ...(requestsBeside && { 'requests/node': requestsBeside }),
      ...(p99Beside && { 'message-p99/node': p99Beside }),
    },
    rounds,
    size: SIZE,
    connections: CONNECTIONS,
    requestsPerRound: count,
    rows,
    alone: rowsAlone,
  };
}
