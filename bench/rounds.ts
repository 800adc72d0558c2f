/** Rounds in which each row of a table is measured once, in turn. */

/** A row's process, started and warm. */
export interface Runner<Sample> {
  run(): Promise<Sample>;
  stop(): Promise<void>;
}

/**
 * Two processes of the same program differ, by what the compiler made of them and where their memory
 * lies: after so many rounds each row gets a new one.
 */
const ROUNDS_PER_PROCESS = 4;

/** The samples of each row, a round in each: those with the same index were taken side by side. */
export async function interleave<Row extends string, Sample>(
  rows: readonly Row[],
  rounds: number,
  start: (row: Row) => Promise<Runner<Sample>>,
  roundsPerProcess = ROUNDS_PER_PROCESS,
): Promise<Record<Row, Sample[]>> {
  const samples = new Map<Row, Sample[]>(rows.map((row) => [row, []]));
  for (let done = 0; done < rounds; done += roundsPerProcess) {
    const runners: [Row, Runner<Sample>][] = [];
    for (const row of rows) runners.push([row, await start(row)]);
    const here = Math.min(roundsPerProcess, rounds - done);
    for (let round = 0; round < here; round++) {
      for (const [row, runner] of rotated(runners, done + round)) {
        samples.get(row)?.push(await runner.run());
      }
    }
    for (const [, runner] of runners) await runner.stop();
  }
  return Object.fromEntries(samples) as Record<Row, Sample[]>;
}

/** So that no row is always measured behind the same other. */
function rotated<T>(items: readonly T[], by: number): T[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
