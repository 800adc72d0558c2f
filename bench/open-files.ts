/** How many connections the system lets a process have. */
interface Report {
  readonly userLimits?: { readonly open_files?: { readonly hard: number | 'unlimited' } };
}

/** What a process needs for other things, and for connections that are being opened. */
const OTHERS = 500;

/** `wanted`, or as many as fit. Node raises the soft limit to the hard one when it starts. */
export function connectionsThatFit(wanted: number): number {
  const { userLimits } = process.report.getReport() as Report;
  const hard = userLimits?.open_files?.hard;
  if (typeof hard !== 'number') return wanted;
  return Math.min(wanted, hard - OTHERS);
}

/** Why there are fewer than wanted, for whoever reads the table. */
export function noteOnFit(wanted: number, count: number): string {
  if (count === wanted) return '';
  return ` (of ${wanted}: the limit of open files lets a process have no more, see ulimit -n)`;
}
