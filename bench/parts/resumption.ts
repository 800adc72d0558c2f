/** Resumed TLS 1.3 handshakes beside `node:tls`. */
import { CLIENTS, type ClientKind, type HandshakeSample } from '../messages';
import type { PartOptions, PartResult } from '../part';
import { startNodeServer, startRunner } from '../processes';
import { printTable, ratios, show, summarize } from '../report';
import { interleave } from '../rounds';

const NAMES: Record<ClientKind, string> = {
  node: 'node:tls',
  ours: 'ours',
  'ours-stream': "ours, transport: 'stream'",
};

const CONCURRENCY = 8;
const WARM_UP = 4_000;

export async function resumption(options: PartOptions): Promise<PartResult> {
  const { keys, rounds, handshakes: count } = options;
  const { greeting: port } = await startNodeServer(keys);
  const samples = await interleave<ClientKind, HandshakeSample>(CLIENTS, rounds, (kind) => {
    const task = { task: 'resumptions', kind, count, concurrency: CONCURRENCY } as const;
    return startRunner({ keys, port }, task, { ...task, count: WARM_UP });
  });
  const cpu = (kind: ClientKind) => samples[kind].map((sample) => sample.cpu);
  const rows = CLIENTS.map((kind) => ({
    name: NAMES[kind],
    kind,
    cpu: summarize(cpu(kind)),
    beside: ratios(cpu(kind), cpu('node')),
    wall: summarize(samples[kind].map(({ wall }) => wall)),
  }));
  console.log(
    `Resumed TLS 1.3 handshakes, each with the newest session: median (middle half) of ${rounds} ` +
      `interleaved rounds of ${count}, ${CONCURRENCY} at a time.\n`,
  );
  printTable([
    ['', 'client CPU, µs', 'beside node:tls', 'wall, µs'],
    ...rows.map(({ name, cpu, beside, wall }) => [name, show(cpu), show(beside, 2), show(wall)]),
  ]);
  const figures = { 'resumed/node': ratios(cpu('ours'), cpu('node')) };
  return { figures, rounds, handshakesPerRound: count, concurrency: CONCURRENCY, rows };
}
