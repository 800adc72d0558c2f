/** Mutual TLS 1.3 handshakes beside `node:tls`, and beside C. */
import { HANDSHAKES, type HandshakeKind, type HandshakeSample } from '../messages';
import type { PartOptions, PartResult } from '../part';
import { startNodeServer, startRunner } from '../processes';
import { printTable, ratios, show, summarize } from '../report';
import { interleave, type Runner } from '../rounds';

type Row = HandshakeKind | 'floor';

const ROWS: readonly Row[] = [...HANDSHAKES, 'floor'];

const NAMES: Record<Row, string> = {
  node: 'node:tls, static certificate',
  'at-once': 'callback, answers at once',
  'at-once-stream': "the same, transport: 'stream'",
  suspended: 'callback, suspended one turn',
  static: 'static certificate',
  floor: 'C over blocking sockets, one at a time',
};

/** Connections open at a time; it keeps both processes busy. */
const CONCURRENCY = 8;
/** After so many the compiler has nothing left to do: `--trace-opt` tells. */
const WARM_UP = 4_000;

async function measure({ keys, rounds, handshakes: count, floor: compile }: PartOptions) {
  const { greeting: port } = await startNodeServer(keys);
  const floor = await compile();
  return interleave<Row, HandshakeSample>(ROWS, rounds, async (kind) => {
    if (kind === 'floor') return perHandshake(floor.runner('handshakes', port, count), count);
    const task = { task: 'handshakes', kind, count, concurrency: CONCURRENCY } as const;
    return startRunner({ keys, port }, task, { ...task, count: WARM_UP });
  });
}

/** From the seconds of all to the microseconds of one. */
function perHandshake(runner: Runner<HandshakeSample>, count: number): Runner<HandshakeSample> {
  return {
    run: async () => {
      const { cpu, wall } = await runner.run();
      return { cpu: (cpu * 1e6) / count, wall: (wall * 1e6) / count };
    },
    stop: () => runner.stop(),
  };
}

export async function handshakes(options: PartOptions): Promise<PartResult> {
  const samples = await measure(options);
  const cpu = (row: Row) => samples[row].map((sample) => sample.cpu);
  const rows = ROWS.map((row) => ({
    name: NAMES[row],
    kind: row,
    cpu: summarize(cpu(row)),
    besideNode: ratios(cpu(row), cpu('node')),
    besideFloor: ratios(cpu(row), cpu('floor')),
    wall: summarize(samples[row].map(({ wall }) => wall)),
  }));
  const { rounds, handshakes: count } = options;
  console.log(
    `Full TLS 1.3 mutual handshakes, ECDSA P-256: median (middle half) of ${rounds} interleaved ` +
      `rounds of ${count}, ${CONCURRENCY} at a time.\nOne is: connect, handshake, a byte from the ` +
      'server, close.\n',
  );
  printTable([
    ['', 'client CPU, µs', 'beside node:tls', 'beside C', 'wall, µs'],
    ...rows.map(({ name, cpu, besideNode, besideFloor, wall }) => [
      name,
      show(cpu),
      show(besideNode, 2),
      show(besideFloor, 2),
      show(wall),
    ]),
  ]);
  const figures = {
    'handshake/node': ratios(cpu('at-once'), cpu('node')),
    'handshake/floor': ratios(cpu('at-once'), cpu('floor')),
    'suspended/node': ratios(cpu('suspended'), cpu('node')),
  };
  return { figures, rounds, handshakesPerRound: count, concurrency: CONCURRENCY, rows };
}
