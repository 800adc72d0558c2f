/** How fast an answer leaves once it is there. */
import { startPythonServer } from '../../test/support/python-server';
import {
  type LatencySample,
  type LatencyTask,
  MOMENTS,
  type Moment,
  WAYS,
  type Way,
} from '../messages';
import type { PartOptions, PartResult } from '../part';
import { startClients } from '../processes';
import { printTable, quantile, show, summarize } from '../report';

type Kind = LatencyTask['kind'];

const MOMENT_NAMES: Record<Moment, string> = {
  tls12: 'TLS 1.2 handshake',
  tls13: 'TLS 1.3 handshake',
  'post-handshake': 'TLS 1.3 afterwards',
};

const WAY_NAMES: Record<Way, string> = {
  'at-once': 'answered at once',
  promise: 'promise resolved',
  resume: 'suspension.resume(answer)',
};

const ANSWERS = MOMENTS.flatMap((moment) =>
  WAYS.map((way) => {
    const kind: Kind = `${moment} ${way}`;
    return {
      kind,
      beside: `${moment} at-once` as Kind,
      name: `${MOMENT_NAMES[moment]}, ${WAY_NAMES[way]}`,
    };
  }),
);

const ROWS = [
  { kind: 'signature' as Kind, beside: 'signature' as Kind, name: 'one signature, node:crypto' },
  ...ANSWERS,
];

const WARM_UP = 300;

async function measure({ pki, keys, rounds, answers: count }: PartOptions) {
  const common = { identity: pki.server, clientCa: pki.clientCaA.certPath };
  const [first, later] = await Promise.all([
    startPythonServer({ ...common, minVersion: 'TLSv1.2', postHandshakeOnly: false }),
    startPythonServer(common),
  ]);
  try {
    const clients = startClients(
      ROWS.map(({ kind }) => kind),
      (kind) => ({ keys, port: (kind.startsWith('post-handshake') ? later : first).port }),
    );
    const samples = new Map<Kind, LatencySample[]>(ROWS.map(({ kind }) => [kind, []]));
    for (const [kind, client] of clients) {
      await client.run({ task: 'latency', kind, count: WARM_UP });
    }
    for (let round = 0; round < rounds; round++) {
      for (const [kind, client] of clients) {
        samples.get(kind)?.push(await client.run({ task: 'latency', kind, count }));
      }
    }
    for (const client of clients.values()) await client.stop();
    return samples;
  } finally {
    await Promise.all([first.stop(), later.stop()]);
  }
}

/** Of all rounds together: a round has too few answers for its own 99th percentile. */
function overall(rounds: readonly LatencySample[]) {
  const sorted = rounds.flat().sort((a, b) => a - b);
  return { elapsed: summarize(sorted), p99: quantile(sorted, 0.99) };
}

export async function resumeLatency(options: PartOptions): Promise<PartResult> {
  const samples = await measure(options);
  const medians = (kind: Kind) => (samples.get(kind) ?? []).map((it) => summarize(it).median);
  const rows = ROWS.map(({ kind, beside, name }) => {
    const reference = medians(beside);
    return {
      name,
      kind,
      ...overall(samples.get(kind) ?? []),
      ratio: summarize(medians(kind).map((it, i) => it / (reference[i] ?? NaN))),
    };
  });
  const { rounds, answers } = options;
  console.log(
    'From an answer to the first ciphertext that it leads to, as it is handed to the socket below, ' +
      `in µs:\nmedian (middle half) and 99th percentile of ${rounds * answers} answers in ${rounds} ` +
      'interleaved rounds, ECDSA P-256.\nOne that is given at once is not preceded by 1 ms of ' +
      'waiting, which costs the others warm caches.\n',
  );
  printTable([
    ['', 'wall, µs', '99 %', 'beside at once'],
    ...rows.map(({ name, kind, elapsed, p99, ratio }) => [
      name,
      show(elapsed),
      p99.toFixed(0),
      kind === 'signature' ? '' : show(ratio, 2),
    ]),
  ]);
  return { rounds, answersPerRound: answers, rows };
}
