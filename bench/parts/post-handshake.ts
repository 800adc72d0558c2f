/**
 * Data rates over TLS 1.3 with and without requests after the handshake.
 *
 * A request's own cost is the difference of two big numbers: `--every 1` shows it better. But a server
 * cannot ask again before it has found the answer, which is behind all that an upload has under way:
 * some 5 MB between two processes of a machine. Where it asks more often than that, it sets the upload
 * aside in its memory, and the wall clock is its own.
 */
import { startPythonServer } from '../../test/support/python-server';
import {
  DIRECTIONS,
  type Direction,
  TRANSFERS,
  type TransferKind,
  type TransferSample,
  type TransferTask,
} from '../messages';
import type { PartOptions, PartResult } from '../part';
import { type Client, startClients } from '../processes';
import { printTable, type Summary, show, summarize } from '../report';

const NAMES: Record<TransferKind, string> = {
  node: 'node:tls, cannot be asked',
  'at-once': 'each asks, answered at once',
  suspended: 'each asks, suspended one turn',
  reused: 'credential reused (default)',
};

const MEGABYTE = 1e6;
const WARM_UP_MEGABYTES = 64;
const DEFAULT_MEGABYTES = 256;

/** Of one round: the same process, one after the other. */
interface Pair {
  readonly without: TransferSample;
  /** The same as `without` for who cannot be asked. */
  readonly with: TransferSample;
}

/** One client, in one direction, over all rounds. */
interface Measured {
  readonly kind: TransferKind;
  readonly client: Client;
  readonly pairs: Record<Direction, Pair[]>;
}

/** What comes second finds a heap and a processor that the first has left: they take turns. */
async function measurePair(
  { kind, client }: Measured,
  task: Pick<TransferTask, 'direction' | 'bytes' | 'every'>,
  askedFirst: boolean,
): Promise<Pair> {
  const run = (every: number) =>
    client.run<TransferSample>({ task: 'transfer', kind, ...task, every });
  if (kind === 'node') {
    const without = await run(0);
    return { without, with: without };
  }
  if (askedFirst) return { with: await run(task.every), without: await run(0) };
  return { without: await run(0), with: await run(task.every) };
}

interface Sizes {
  readonly megabytes: number;
  readonly every: number;
}

async function measure(
  { pki, keys, rounds }: PartOptions,
  { megabytes, every }: Sizes,
): Promise<Measured[]> {
  const server = await startPythonServer({
    identity: pki.server,
    clientCa: pki.clientCaA.certPath,
  });
  const clients = startClients(TRANSFERS, () => ({ keys, port: server.port }));
  try {
    const all = Array.from(clients, ([kind, client]): Measured => {
      return { kind, client, pairs: { download: [], upload: [] } };
    });
    const sizes = { bytes: megabytes * MEGABYTE, every: every * MEGABYTE };
    for (const direction of DIRECTIONS) {
      const warmUp = { direction, bytes: WARM_UP_MEGABYTES * MEGABYTE, every: MEGABYTE };
      for (const one of all) await measurePair(one, warmUp, false);
    }
    for (let round = 0; round < rounds; round++) {
      for (const direction of DIRECTIONS) {
        for (const one of all) {
          const pair = await measurePair(one, { direction, ...sizes }, round % 2 === 1);
          one.pairs[direction].push(pair);
        }
      }
    }
    for (const client of clients.values()) await client.stop();
    return all;
  } finally {
    await server.stop();
  }
}

function rowsOf(all: Measured[], direction: Direction, { megabytes, every }: Sizes) {
  const requests = Math.floor(megabytes / every);
  const reference = all.find(({ kind }) => kind === 'node')?.pairs[direction] ?? [];
  return all.map(({ kind, pairs: { [direction]: pairs } }) => {
    const perGigabyte = (samples: TransferSample[]) =>
      summarize(samples.map(({ cpu }) => (cpu * 1000) / megabytes));
    const rate = (samples: TransferSample[]) =>
      summarize(samples.map(({ wall }) => megabytes / wall));
    return {
      name: NAMES[kind],
      kind,
      without: perGigabyte(pairs.map((pair) => pair.without)),
      beside: summarize(
        pairs.map((pair, i) => pair.without.cpu / (reference[i]?.without.cpu ?? NaN)),
      ),
      with: perGigabyte(pairs.map((pair) => pair.with)),
      ratio: summarize(pairs.map((pair) => pair.with.cpu / pair.without.cpu)),
      request: summarize(
        pairs.map((pair) => ((pair.with.cpu - pair.without.cpu) * 1e6) / requests),
      ),
      rateWithout: rate(pairs.map((pair) => pair.without)),
      rateWith: rate(pairs.map((pair) => pair.with)),
    };
  });
}

export async function postHandshake(options: PartOptions): Promise<PartResult> {
  const { rounds, every, megabytes = DEFAULT_MEGABYTES } = options;
  if (every > megabytes) throw new Error('--every takes no more than --megabytes');
  const measured = await measure(options, { megabytes, every });
  const rows = Object.fromEntries(
    DIRECTIONS.map((direction) => [direction, rowsOf(measured, direction, { megabytes, every })]),
  ) as Record<Direction, ReturnType<typeof rowsOf>>;
  console.log(
    `Data over TLS 1.3, ${megabytes} MB on one connection, without and with a request for the ` +
      `client certificate every ${every} MB:\nmedian (middle half) of ${rounds} interleaved rounds. ` +
      "The server is Python's; the wall clock is as much its as the client's.",
  );
  for (const direction of DIRECTIONS) {
    console.log();
    printTable([
      [
        direction,
        'client CPU, s/GB',
        'beside node:tls',
        'with requests',
        'with / without',
        'a request, CPU µs',
        'wall, MB/s',
        'with requests',
      ],
      ...rows[direction].map((row) => {
        const asked = (summary: Summary, digits = 0) =>
          row.kind === 'node' ? '' : show(summary, digits);
        return [
          row.name,
          show(row.without, 2),
          show(row.beside, 2),
          asked(row.with, 2),
          asked(row.ratio, 3),
          asked(row.request),
          show(row.rateWithout),
          asked(row.rateWith),
        ];
      }),
    ]);
  }
  return { rounds, megabytes, every, ...rows };
}
