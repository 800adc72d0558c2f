/** Runs the children that open connections and leave them, and reads what they found left. */
import { type ChildOptions, runChild } from '../lifecycle/run-child';

/** KiB of JavaScript's heap that may be left after all of them: less than one for each of thousands. */
const HEAP_MARGIN = 1_500;
/**
 * KiB of memory: what the allocator keeps levels off near 30,000 above the warm-up's end, however
 * many follow. The SSL that each connection holds is some 50.
 */
const RSS_MARGIN = 40_000;

/** A guard against what hangs, and no measure: others may want the machine. */
const PATIENCE = 240_000;

/** Live objects, and how much heap, external memory and RSS grew after the warm-up, in KiB. */
export interface Left {
  readonly connections: number;
  readonly heap: number;
  readonly external: number;
  readonly rss: number;
  readonly [more: string]: unknown;
}

/** What `children/<name>.ts` prints as its one line. It has to end well. */
export async function measureLeft(
  name: string,
  args: readonly (string | number)[],
  { flags = [], ...options }: ChildOptions = {},
): Promise<Left> {
  const child = await runChild(`../../leaks/children/${name}`, args, {
    timeout: PATIENCE,
    ...options,
    flags: ['--expose-gc', ...flags],
  });
  expect({ end: child.end, errors: child.errors }).toEqual({ end: 0, errors: '' });
  return JSON.parse(child.lines[0] ?? '');
}

/** For thousands of connections. */
export function expectNothingGrown({ heap, external, rss }: Left): void {
  expect(heap).toBeLessThan(HEAP_MARGIN);
  expect(external).toBeLessThan(HEAP_MARGIN);
  expect(rss).toBeLessThan(RSS_MARGIN);
}
