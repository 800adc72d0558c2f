/** The report of a run, for people. */
import { printTable } from '../bench/report';
import { growth, judge, type Result } from './judgement';
import { TOUR } from './load';
import { leftOver, type Sample } from './samples';
import type { Row, Tally } from './tally';

export interface Report extends Result {
  readonly tally: Tally;
  readonly seed: number;
  /** In seconds, while connections were made. */
  readonly busy: number;
  /** CPU time of the client, in seconds, in that time. */
  readonly cpu: number;
  /** Of the event loop, in ms. */
  readonly delay: { readonly p50: number; readonly p99: number; readonly max: number };
}

const MIB = 1024 * 1024;

export function printProgress(sample: Sample, base: Sample, rate: number, unexpected: number) {
  const left = leftOver(base, sample);
  console.log(
    `${sample.seconds.toFixed(0).padStart(6)} s  ${sample.connections} connections, ` +
      `${rate.toFixed(0)} a second; RSS ${(sample.rss / MIB).toFixed(1)} MiB, ` +
      `heap ${(sample.heap / MIB).toFixed(1)} MiB; unexpected: ${unexpected}` +
      (left.length === 0 ? '' : `; left over: ${left.join(', ')}`),
  );
}

export function printReport(report: Report): void {
  const { tally, samples, base, busy, cpu, delay, seed } = report;
  const last = samples.at(-1) ?? base;
  console.log();
  printTable([
    ['kind', 'attempts', 'connections', 'errors, expected', 'unexpected'],
    ...[...tally.rows].map(([kind, row]) => rowOf(kind, row)),
  ]);
  const made = tally.connections;
  console.log(`
connections       ${made}, ${(made / busy).toFixed(0)} a second; a million take ${duration((busy / made) * 1e6)}
client CPU        ${cpu.toFixed(1)} s, ${((cpu / busy) * 100).toFixed(0)} % of a core, ${((cpu / made) * 1e6).toFixed(0)} µs a connection
loop delay        p50 ${delay.p50.toFixed(1)} ms, p99 ${delay.p99.toFixed(1)} ms, max ${delay.max.toFixed(1)} ms
RSS               ${grown(report, 'rss')}
JavaScript        ${grown(report, 'heap')}
descriptors       ${last.descriptors ?? 'not told here'} (before: ${base.descriptors ?? 'not told'})
native objects    ${Object.entries(last.live)
    .map(([name, count]) => `${name} ${count} (${base.live[name as keyof Sample['live']]})`)
    .join(', ')}`);
  for (const { kind, number, message } of tally.surprises) {
    console.log(`\nunexpected: ${kind}: ${message}\n  ${howToRepeat(seed, kind, number)}`);
  }
  const wrong = judge(report);
  console.log(wrong.length === 0 ? '\nNothing lost.' : `\nNot good:\n  ${wrong.join('\n  ')}`);
}

function rowOf(kind: string, { attempts, connections, expected, unexpected }: Row): string[] {
  const codes = [...expected].map(([code, count]) => `${code} ${count}`).join(', ');
  return [kind, String(attempts), String(connections), codes, String(unexpected)];
}

function grown({ samples, base }: Report, what: 'rss' | 'heap'): string {
  const { slope, limit, connections } = growth(samples, what);
  const now = (samples.at(-1) ?? base)[what] / MIB;
  const sizes = `${(base[what] / MIB).toFixed(1)} MiB, now ${now.toFixed(1)}`;
  if (Number.isNaN(slope))
    return `${sizes}; whether it grows is not judged: the run is shorter than the warm-up`;
  return (
    `${sizes}; ${slope.toFixed(2)} bytes a connection over the last ${connections} ` +
    `(limit ${limit.toFixed(1)})`
  );
}

/** What is chosen is chosen again, by whatever kinds it was among; what is a matter of time need not come again. */
function howToRepeat(seed: number, kind: string, number: number): string {
  const again = `npm run soak -- --seed ${seed} --only '${kind}'`;
  if (number >= TOUR) return `before the load; again: ${again}`;
  return `again: ${again} --from ${number} --connections 1`;
}

function duration(seconds: number): string {
  const minutes = seconds / 60;
  return minutes < 90 ? `${minutes.toFixed(0)} minutes` : `${(minutes / 60).toFixed(1)} hours`;
}
