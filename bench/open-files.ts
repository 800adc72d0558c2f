/** How many connections the system lets a process have. */
interface Report {
  readonly userLimits?: { readonly open_files?: { readonly hard: number | 'unlimited' } };
}

/** What a process needs for other things. */
const OTHERS = 100;

/** Our socket transport has a descriptor of its own beside the one of `net.Socket`. */
const DESCRIPTORS_EACH = 2;

/** `wanted`, or as many as fit. Node raises the soft limit to the hard one when it starts. */
export function connectionsThatFit(wanted: number): number {
  const { userLimits } = process.report.getReport() as Report;
  const hard = userLimits?.open_files?.hard;
  if (typeof hard !== 'number') return wanted;
  return Math.min(wanted, Math.floor((hard - OTHERS) / DESCRIPTORS_EACH));
}

/** Why there are fewer than wanted, for whoever reads the table. */
export function noteOnFit(wanted: number, count: number): string {
  if (count === wanted) return '';
  return ` (of ${wanted}: the limit of open files lets a process have no more, see ulimit -n)`;
}
