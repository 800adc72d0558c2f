/** What it costs that a key is not in memory. */
import {
  type HandshakeSample,
  SIGNERS,
  type SignerKind,
  STALLS,
  type StallSample,
} from '../messages';
import type { PartOptions, PartResult } from '../part';
import { startClients, startNodeServer } from '../processes';
import { printTable, show, summarize } from '../report';

const NAMES: Record<SignerKind, string> = {
  memory: 'key in memory',
  signer: 'signer, at once',
  'signer-turn': 'signer, after one turn',
};

const CONCURRENCY = 8;
const WARM_UP = 400;

async function overhead(port: number, { keys, rounds, handshakes: count }: PartOptions) {
  const task = { task: 'handshakes', concurrency: CONCURRENCY } as const;
  const clients = startClients(SIGNERS, () => ({ keys, port }));
  const samples: Record<SignerKind, HandshakeSample[]> = {
    memory: [],
    signer: [],
    'signer-turn': [],
  };
  for (const [kind, client] of clients) await client.run({ ...task, kind, count: WARM_UP });
  for (let round = 0; round < rounds; round++) {
    for (const [kind, client] of clients) {
      samples[kind].push(await client.run({ ...task, kind, count }));
    }
  }
  for (const client of clients.values()) await client.stop();
  const rows = SIGNERS.map((kind) => {
    const beside = (figure: (own: number, memory: number) => number) =>
      summarize(samples[kind].map(({ cpu }, i) => figure(cpu, samples.memory[i]?.cpu ?? NaN)));
    return {
      name: NAMES[kind],
      kind,
      cpu: summarize(samples[kind].map(({ cpu }) => cpu)),
      overhead: beside((own, memory) => own - memory),
      ratio: beside((own, memory) => own / memory),
    };
  });
  console.log(
    `The same key, ECDSA P-256, full TLS 1.3 mutual handshakes: median (middle half) of ${rounds} ` +
      `interleaved rounds of ${count}, ${CONCURRENCY} at a time.\n`,
  );
  printTable([
    ['', 'client CPU, µs', 'more than in memory, µs', 'beside it'],
    ...rows.map((row) => [row.name, show(row.cpu), show(row.overhead), show(row.ratio, 2)]),
  ]);
  return rows;
}

const AT_ONCE = 100;
const SIGNATURE = 500;

async function stalls(port: number, { keys }: PartOptions) {
  const clients = startClients(STALLS, () => ({ keys, port }));
  const rows = [];
  for (const [kind, client] of clients) {
    const task = { task: 'stall', kind } as const;
    await client.run({ ...task, count: 20, signature: 1 });
    const sample = await client.run<StallSample>({ ...task, count: AT_ONCE, signature: SIGNATURE });
    rows.push({ kind, count: AT_ONCE, ...sample });
    await client.stop();
  }
  console.log(`\n${AT_ONCE} handshakes at once, whose signatures take ${SIGNATURE} ms each.\n`);
  printTable([
    ['', 'longest stall of the event loop, ms', 'all done after, ms'],
    ...rows.map(({ kind, longest, wall }) => [
      kind === 'waits' ? 'signer that returns a promise' : 'key that blocks the thread',
      longest.toFixed(0),
      wall.toFixed(0),
    ]),
  ]);
  return rows;
}

export async function signers(options: PartOptions): Promise<PartResult> {
  const { greeting, silent } = await startNodeServer(options.keys);
  return { overhead: await overhead(greeting, options), stalls: await stalls(silent, options) };
}
