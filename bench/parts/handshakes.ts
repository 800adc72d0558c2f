/** Mutual TLS 1.3 handshakes beside `node:tls`. */
import { HANDSHAKES, type HandshakeKind, type HandshakeSample } from '../messages';
import type { PartOptions } from '../part';
import { startClients, startNodeServer } from '../processes';
import { printTable, show, summarize } from '../report';

const NAMES: Record<HandshakeKind, string> = {
  node: 'node:tls, static certificate',
  'at-once': 'callback, answers at once',
  suspended: 'callback, suspended one turn',
  static: 'static certificate',
};

/** Connections open at a time; it keeps both processes busy. */
const CONCURRENCY = 8;
const WARM_UP = 400;

async function measure({ keys, rounds, handshakes: count }: PartOptions) {
  const { greeting: port } = await startNodeServer(keys);
  const task = { task: 'handshakes', concurrency: CONCURRENCY } as const;
  const clients = startClients(HANDSHAKES, () => ({ keys, port }));
  const samples: Record<HandshakeKind, HandshakeSample[]> = {
    node: [],
    'at-once': [],
    suspended: [],
    static: [],
  };
  for (const [kind, client] of clients) await client.run({ ...task, kind, count: WARM_UP });
  for (let round = 0; round < rounds; round++) {
    for (const [kind, client] of clients) {
      samples[kind].push(await client.run({ ...task, kind, count }));
    }
  }
  for (const client of clients.values()) await client.stop();
  return samples;
}

export async function handshakes(options: PartOptions): Promise<object> {
  const samples = await measure(options);
  const rows = HANDSHAKES.map((kind) => ({
    name: NAMES[kind],
    kind,
    cpu: summarize(samples[kind].map(({ cpu }) => cpu)),
    ratio: summarize(samples[kind].map(({ cpu }, i) => cpu / (samples.node[i]?.cpu ?? NaN))),
    wall: summarize(samples[kind].map(({ wall }) => wall)),
  }));
  const { rounds, handshakes: count } = options;
  console.log(
    `Full TLS 1.3 mutual handshakes, ECDSA P-256: median (middle half) of ${rounds} interleaved ` +
      `rounds of ${count}, ${CONCURRENCY} at a time.\nOne is: connect, handshake, a byte from the ` +
      'server, close.\n',
  );
  printTable([
    ['', 'client CPU, µs', 'beside node:tls', 'wall, µs'],
    ...rows.map(({ name, cpu, ratio, wall }) => [name, show(cpu), show(ratio, 2), show(wall)]),
  ]);
  return { rounds, handshakesPerRound: count, concurrency: CONCURRENCY, rows };
}
