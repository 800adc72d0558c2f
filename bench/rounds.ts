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
      for (const [row, runner] of shuffled(runners, done + round)) {
        samples.get(row)?.push(await runner.run());
      }
    }
    for (const [, runner] of runners) await runner.stop();
  }
  return Object.fromEntries(samples) as Record<Row, Sample[]>;
}

/**
 * In a balanced Latin square's order, so that each row is measured behind each other as often: what runs
 * before leaves its mark, as a warm or a cold cache.
 */
export function shuffled<T>(items: readonly T[], round: number): T[] {
  const count = items.length;
  // 0, 1, -1, 2, -2, …: each step between neighbours occurs once.
  const order = items.map((_, i) => {
    const step = Math.ceil(i / 2) * (i % 2 === 0 ? -1 : 1);
    return items[(step + (round % count) + count) % count] as T;
  });
  // Of an odd number half of the pairs come only the other way round.
  return Math.floor(round / count) % 2 === 0 ? order : order.reverse();
}
