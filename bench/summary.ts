/** The figures of a run beside their targets. */
import { type Summary, show } from './report';
import { type Figures, TARGETS, type Target, type Unit } from './targets';

export interface Verdict extends Target {
  readonly measured: Summary;
  /** By the median. Null where nothing is asked. */
  readonly reached: boolean | null;
}

/** One for each target that was measured, in the order of the targets. */
export function judge(figures: Figures): Verdict[] {
  return TARGETS.flatMap((target) => {
    const measured = figures[target.id];
    if (measured === undefined) return [];
    const { atMost } = target;
    const reached = atMost === undefined ? null : measured.median <= atMost;
    return [{ ...target, measured, reached }];
  });
}

/** For `printTable()`. */
export function verdictTable(verdicts: readonly Verdict[]): string[][] {
  return [
    ['client', 'beside', 'measured', 'to reach', 'reached'],
    ...verdicts.map(({ work, beside, unit, measured, atMost, reached }) => [
      work,
      beside,
      showFigure(measured, unit),
      atMost === undefined ? '' : `≤ ${atMost.toFixed(digitsOf(unit))}`,
      reached === null ? '' : reached ? 'yes' : 'no',
    ]),
  ];
}

export function showFigure(summary: Summary, unit: Unit): string {
  const text = show(summary, digitsOf(unit));
  return unit === 'times' ? text : `${text} ${unit}`;
}

export function digitsOf(unit: Unit): number {
  return unit === 'times' ? 2 : 1;
}
