/** Has scenarios played: random ones, those that once were found, one by hand, and all on broken libraries. */
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { binding } from '../../lib/binding';
import { MUTANTS } from './mutants';
import { play, type Stage } from './play';
import { REGRESSIONS } from './regressions';
import { printed, type Scenario, scenarios } from './scenario';
import { startStage } from './stage';

/** Milliseconds for what has to happen: a guard, and no measure. */
const PATIENCE = 10_000;
/** What hangs is tried again and again while it is made shorter. */
const WHILE_SHRINKING = 1_000;
/** Where the library was broken on purpose. */
const WHERE_BROKEN = 1_000;
/** Scenarios from one seed, where there is a time for all; the next has the seed behind it. */
const BATCH = 25;
/** Far more than any mutant takes. */
const MUTANT_RUNS = 400;

export interface Trial {
  /** Default 300. With `seconds` as many as there is time for. */
  readonly runs: number | undefined;
  readonly seconds: number | undefined;
  readonly seed: number;
  readonly path: string | undefined;
}

/** @returns Whether all was good; what was not is printed. */
export async function tryScenarios({ runs = 300, seconds, seed, path }: Trial): Promise<boolean> {
  const stage = await startStage();
  for (const [name, scenario] of Object.entries(REGRESSIONS)) {
    const violations = await play(scenario, stage, PATIENCE);
    if (violations.length > 0) return complain(`regression: ${name}`, violations, scenario);
  }
  const began = Date.now();
  let count = 0;
  if (seconds === undefined) {
    if (!(await tryBatch(stage, { seed, path, runs }))) return false;
    count = runs;
  }
  // fast-check's own limit would leave a scenario in its middle.
  for (let batch = 0; Date.now() - began < (seconds ?? 0) * 1000; batch++) {
    if (!(await tryBatch(stage, { seed: seed + batch, path, runs: BATCH }))) return false;
    count += BATCH;
  }
  const time = ((Date.now() - began) / 1000).toFixed(1);
  console.log(`${count} scenarios in ${time} s, seed ${seed}: all good`);
  return expectNothingAlive();
}

interface Batch {
  readonly runs: number;
  readonly seed: number;
  readonly path: string | undefined;
}

async function tryBatch(stage: Stage, { runs, seed, path }: Batch): Promise<boolean> {
  let patience = PATIENCE;
  const outcome = await fc.check(
    fc.asyncProperty(scenarios, async (scenario) => {
      const violations = await play(scenario, stage, patience);
      if (violations.length === 0) return;
      patience = WHILE_SHRINKING;
      throw new Error(violations.join('\n'));
    }),
    { seed, numRuns: runs, ...(path !== undefined && { path }) },
  );
  if (!outcome.failed || outcome.counterexample === null) return true;
  const where = `--seed ${seed} --path ${outcome.counterexamplePath}`;
  const { message } = outcome.errorInstance as Error;
  return complain(`npm run test:model -- ${where}`, [message], outcome.counterexample[0]);
}

function complain(where: string, violations: string[], scenario: Scenario): boolean {
  console.log(`${where}\n${violations.join('\n')}\n${printed(scenario)}`);
  return false;
}

/** What the collector has to give back, whose objects are long closed. */
async function expectNothingAlive(): Promise<boolean> {
  if (globalThis.gc === undefined) return true;
  for (let tries = 0; tries < 50; tries++) {
    globalThis.gc();
    await turn();
    const { connections, socketTransports } = binding.live();
    if (connections + socketTransports === 0) return true;
  }
  console.log(`alive in the end: ${JSON.stringify(binding.live())}`);
  return false;
}

/** Plays one scenario that was printed. */
export async function repeat(text: string, runs: number): Promise<boolean> {
  const stage = await startStage();
  const scenario = new Function(`return (${text})`)() as Scenario;
  for (let run = 1; run <= runs; run++) {
    const violations = await play(scenario, stage, PATIENCE);
    if (violations.length > 0) return complain(`run ${run}`, violations, scenario);
  }
  console.log(`${runs} times good`);
  return true;
}

/** Prints after how many scenarios each was noticed. */
export async function tryMutants(): Promise<boolean> {
  const stage = await startStage();
  let all = true;
  for (const [name, mutate] of Object.entries(MUTANTS)) {
    let first = '';
    const undo = mutate();
    const { failed, numRuns } = await fc.check(
      fc.asyncProperty(scenarios, async (scenario) => {
        const [violation = ''] = await play(scenario, stage, WHERE_BROKEN);
        first ||= violation.split('\n')[0] as string;
        return violation === '';
      }),
      { seed: 1, numRuns: MUTANT_RUNS, endOnFailure: true },
    );
    undo();
    all &&= failed;
    console.log(`${name}: ${failed ? `after ${numRuns} scenarios: ${first}` : 'NOT NOTICED'}`);
  }
  return all;
}
