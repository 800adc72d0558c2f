/** HTTP requests through agents, by `node:https` and by undici. */
import { type RequestsSample, WEB_CLIENTS, type WebClientKind } from '../messages';
import type { PartOptions, PartResult } from '../part';
import { startNodeServer, startRunner } from '../processes';
import { printTable, ratios, type Summary, show, summarize } from '../report';
import { interleave } from '../rounds';

const NAMES: Record<WebClientKind, string> = {
  https: 'https.Agent, static certificate',
  'https-ours': 'ours, callback',
  undici: 'undici, static certificate',
  'undici-ours': 'undici over ours, callback',
};

/** What each is measured beside. */
const BESIDE: Record<WebClientKind, WebClientKind> = {
  https: 'https',
  'https-ours': 'https',
  undici: 'undici',
  'undici-ours': 'undici',
};

/** Requests at a time; where connections are fresh, it keeps both processes busy. */
const UNDER_WAY = { kept: 50, fresh: 8 } as const;
/** Requests over fresh connections for each over those that are kept. */
const FRESH_SHARE = 1 / 50;
const WARM_UP = { kept: 5_000, fresh: 4_000 } as const;

type Way = keyof typeof UNDER_WAY;
type Samples = Record<WebClientKind, RequestsSample[]>;

function measure({ keys, rounds }: PartOptions, port: number, way: Way, count: number) {
  return interleave<WebClientKind, RequestsSample>(WEB_CLIENTS, rounds, (kind) => {
    const keep = way === 'kept';
    const task = { task: 'web', kind, keep, underWay: UNDER_WAY[way], count } as const;
    return startRunner({ keys, port }, task, { ...task, count: WARM_UP[way] });
  });
}

function rowsOf(samples: Samples) {
  return WEB_CLIENTS.map((kind) => {
    const values = (of: WebClientKind, figure: keyof RequestsSample) =>
      samples[of].map((sample) => sample[figure]);
    const beside = (figure: keyof RequestsSample): Summary =>
      ratios(values(kind, figure), values(BESIDE[kind], figure));
    return {
      name: NAMES[kind],
      kind,
      cpu: summarize(values(kind, 'cpu')),
      cpuBeside: beside('cpu'),
      perSecond: summarize(values(kind, 'wall').map((wall) => 1e6 / wall)),
      p50: summarize(values(kind, 'p50')),
      p99: summarize(values(kind, 'p99')),
      p99Beside: beside('p99'),
    };
  });
}

function print(rows: ReturnType<typeof rowsOf>): void {
  printTable([
    ['', 'client CPU, µs', 'beside static', 'requests/s', 'half, µs', '99 %, µs', 'beside static'],
    ...rows.map(({ name, cpu, cpuBeside, perSecond, p50, p99, p99Beside }) => [
      name,
      show(cpu),
      show(cpuBeside, 2),
      show(perSecond),
      show(p50),
      show(p99),
      show(p99Beside, 2),
    ]),
  ]);
}

export async function web(options: PartOptions): Promise<PartResult> {
  const { keys, rounds, requests } = options;
  const { https: port } = await startNodeServer(keys);
  const counts = { kept: requests, fresh: Math.max(1, Math.round(requests * FRESH_SHARE)) };
  const kept = rowsOf(await measure(options, port, 'kept', counts.kept));
  const fresh = rowsOf(await measure(options, port, 'fresh', counts.fresh));
  console.log(
    `GET of 1 KB by HTTP/1.1 over ${UNDER_WAY.kept} connections that are kept, one under way on each: ` +
      `median (middle half) of ${rounds} interleaved rounds of ${counts.kept}.\n`,
  );
  print(kept);
  console.log(
    `\nThe same over a fresh connection each, ${UNDER_WAY.fresh} at a time, without sessions; ` +
      `rounds of ${counts.fresh}.\n`,
  );
  print(fresh);
  return { rounds, underWay: UNDER_WAY, requestsPerRound: counts, kept, fresh };
}
