/** The command line. */
import { parseArgs } from 'node:util';
import { KIND_NAMES, type KindName } from './kinds/index';

export interface SoakOptions {
  /** Both end the run, whichever is reached first. */
  readonly minutes: number;
  readonly connections: number;
  readonly seed: number;
  /** How many are under way at once. */
  readonly lanes: number;
  /** The number of the first attempt. */
  readonly from: number;
  readonly kinds: readonly KindName[];
  /** A file to write the result to. */
  readonly json: string | undefined;
  /** Whether a run that is too short to tell if memory grows is not good. */
  readonly judgesGrowth: boolean;
}

/** When nothing is said. */
const MINUTES = 2;

/** @throws Error that says which option is wrong. */
export function parseOptions(args: string[]): SoakOptions {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string' },
      connections: { type: 'string' },
      seed: { type: 'string' },
      lanes: { type: 'string', default: '40' },
      from: { type: 'string', default: '0' },
      /** The kinds of connections to make, `--only` before each; default: all. */
      only: { type: 'string', multiple: true },
      json: { type: 'string' },
      'judge-growth': { type: 'boolean', default: false },
    },
  });
  const { minutes, connections, seed, lanes, from, only, json } = values;
  const count =
    connections === undefined ? Number.POSITIVE_INFINITY : whole('connections', connections, 1);
  const endless = connections === undefined ? MINUTES : Number.POSITIVE_INFINITY;
  return {
    minutes: minutes === undefined ? endless : positive('minutes', minutes),
    connections: count,
    seed: seed === undefined ? Math.floor(Math.random() * 2 ** 31) : whole('seed', seed, 0),
    lanes: Math.min(count, whole('lanes', lanes, 1)),
    from: whole('from', from, 0),
    kinds: only === undefined ? KIND_NAMES : only.map(kindName),
    json,
    judgesGrowth: values['judge-growth'],
  };
}

function kindName(name: string): KindName {
  const known = KIND_NAMES.find((it) => it === name);
  if (known !== undefined) return known;
  throw new Error(`--only takes one of: ${KIND_NAMES.join('; ')}`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new Error(`--${name} takes a positive number`);
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`--${name} takes a whole number of ${least} or more`);
}
