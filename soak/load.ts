/** Attempts one after another in several lanes. */
import { Attempt, type Choice } from './attempt';
import { KIND_NAMES, type KindName, kindOf } from './kinds/index';
import { pickWeighted, randomOf } from './random';
import { Wrong } from './talk';
import { classify, type Tally } from './tally';
import { PROTOCOLS, type World } from './world';

/** The number of the first attempt of the tour, which comes before those that are counted. */
export const TOUR = 2 ** 31;

/** A guard against what hangs, in ms, and no measure: others may want the machine. */
const PATIENCE = 60_000;

export interface LoadOptions {
  readonly seed: number;
  readonly from: number;
  readonly lanes: number;
  readonly kinds: readonly KindName[];
}

export class Load {
  readonly #world: World;
  readonly #tally: Tally;
  readonly #options: LoadOptions;
  readonly #weights: readonly (readonly [KindName, number])[];
  #next: number;

  constructor(world: World, tally: Tally, options: LoadOptions) {
    this.#world = world;
    this.#tally = tally;
    this.#options = options;
    this.#weights = options.kinds.map((name) => [name, kindOf(name).weight] as const);
    this.#next = options.from;
  }

  /** Each kind as each identity under each protocol: whatever is made once is made by then. */
  async tour(): Promise<void> {
    const choices = KIND_NAMES.filter((kind) => this.#options.kinds.includes(kind)).flatMap(
      (kind) =>
        this.#world.identities.flatMap((identity) =>
          PROTOCOLS.map((protocol) => ({ kind, choice: { identity, protocol } })),
        ),
    );
    // None of them is also one of the load's.
    let number = TOUR;
    await this.#inLanes(async () => {
      const stop = choices.pop();
      if (stop === undefined) return false;
      await this.#one(stop.kind, number++, stop.choice);
      return true;
    });
  }

  /** Goes on until `isOver`, and resolves when nothing is under way any more. */
  async run(isOver: () => boolean): Promise<void> {
    await this.#inLanes(async () => {
      if (isOver()) return false;
      const number = this.#next++;
      await this.#one(undefined, number);
      return true;
    });
  }

  async #inLanes(step: () => Promise<boolean>): Promise<void> {
    const lane = async () => {
      while (await step());
    };
    await Promise.all(Array.from({ length: this.#options.lanes }, lane));
  }

  async #one(given: KindName | undefined, number: number, choice?: Partial<Choice>): Promise<void> {
    const random = randomOf(this.#options.seed, number);
    const name = given ?? pickWeighted(random, this.#weights);
    const kind = kindOf(name);
    const attempt = new Attempt(this.#world, random, choice);
    let error: unknown;
    try {
      await inTime(kind.run(attempt));
    } catch (thrown) {
      error = thrown ?? new Error(String(thrown));
    }
    if (error !== undefined) attempt.destroy();
    const ending = classify(kind, error);
    const told =
      ending.as === 'expected'
        ? ending
        : { ...ending, message: `${ending.message} (${attempt.describe()})` };
    this.#tally.count(name, number, attempt.connections, told);
  }
}

async function inTime(running: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Wrong(`no end within ${PATIENCE / 1000} s`)), PATIENCE);
  });
  try {
    await Promise.race([running, late]);
  } finally {
    clearTimeout(timer);
  }
}
