/** What changed between two runs. */
import type { RunRecord } from './record';
import type { Summary } from './report';
import { showFigure, type Verdict } from './summary';

type Change = 'better' | 'worse' | 'within the spread';

export interface Comparison {
  readonly verdict: Verdict;
  /** Undefined where the older run did not measure it. */
  readonly before: Summary | undefined;
  /** Of the medians, as a share of the older. */
  readonly difference: number | undefined;
  readonly change: Change | undefined;
}

/** One for each figure of the newer run. */
export function compare(older: readonly Verdict[], newer: readonly Verdict[]): Comparison[] {
  return newer.map((verdict) => {
    const before = older.find(({ id }) => id === verdict.id)?.measured;
    if (before === undefined) {
      return { verdict, before, difference: undefined, change: undefined };
    }
    const difference = verdict.measured.median / before.median - 1;
    return { verdict, before, difference, change: changeOf(before, verdict.measured) };
  });
}

/** Only where the middle halves lie apart is it more than what two runs of the same differ by. */
function changeOf(before: Summary, after: Summary): Change {
  if (after.high < before.low) return 'better';
  if (after.low > before.high) return 'worse';
  return 'within the spread';
}

/** For `printTable()`. */
export function comparisonTable(comparisons: readonly Comparison[]): string[][] {
  return [
    ['client', 'beside', 'before', 'now', 'difference', ''],
    ...comparisons.map(({ verdict, before, difference, change }) => [
      verdict.work,
      verdict.beside,
      before === undefined ? '–' : showFigure(before, verdict.unit),
      showFigure(verdict.measured, verdict.unit),
      difference === undefined ? '' : percent(difference),
      change ?? 'new',
    ]),
  ];
}

function percent(share: number): string {
  const text = (share * 100).toFixed(0);
  return `${share > 0 ? '+' : ''}${text === '-0' ? '0' : text} %`;
}

/** With fewer the middle half is no measure of noise. */
const FEW_ROUNDS = 5;

/** What makes two runs hard to compare, a sentence each. */
export function caveats(older: RunRecord, newer: RunRecord): string[] {
  const machine = (['node', 'openssl', 'floorOpenssl', 'cpu', 'cores'] as const).filter(
    (name) => older[name] !== newer[name],
  );
  const settings = Object.keys(newer.settings).filter(
    (name) => older.settings[name] !== newer.settings[name],
  );
  const rounds = Math.min(Number(older.settings.rounds), Number(newer.settings.rounds));
  return [
    ...machine.map((name) => notTheSame(name, older[name], newer[name])),
    ...settings.map((name) => notTheSame(name, older.settings[name], newer.settings[name])),
    ...(rounds < FEW_ROUNDS ? [`With ${rounds} rounds the spread says little.`] : []),
  ];
}

function notTheSame(name: string, before: unknown, now: unknown): string {
  return `Not the same ${name}: ${before ?? 'none'}, now ${now ?? 'none'}.`;
}
