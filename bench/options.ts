/** The benchmark's command line. */
import { parseArgs } from 'node:util';
import type { Sizes } from './part';
import { PARTS, type PartName, TARGET_PARTS } from './parts/index';

export interface BenchOptions {
  /** The parts to run. */
  readonly names: readonly PartName[];
  readonly sizes: Sizes;
  /** A file to write the result to. */
  readonly json: string | undefined;
  /** The file of an older result. */
  readonly compareWith: string | undefined;
  /** Into `docs/bench`: only a run of all targets is whole. */
  readonly write: boolean;
}

/** @throws Error that says which option is wrong. */
export function parseOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      /** The parts to run, `--only` before each; default: those that measure the targets. */
      only: { type: 'string', multiple: true },
      rounds: { type: 'string', default: '11' },
      handshakes: { type: 'string', default: '200' },
      connections: { type: 'string', default: '1000' },
      crowd: { type: 'string', default: '10000' },
      megabytes: { type: 'string' },
      every: { type: 'string', default: '10' },
      answers: { type: 'string', default: '100' },
      requests: { type: 'string', default: '10000' },
      json: { type: 'string' },
      compare: { type: 'string' },
      'no-write': { type: 'boolean', default: false },
    },
  });
  const { only, json, compare, megabytes, 'no-write': noWrite, ...counts } = values;
  const count = (name: keyof typeof counts) => positive(name, counts[name]);
  return {
    names: only === undefined ? TARGET_PARTS : only.map(partName),
    sizes: {
      rounds: count('rounds'),
      handshakes: count('handshakes'),
      connections: count('connections'),
      crowd: count('crowd'),
      megabytes: megabytes === undefined ? undefined : positive('megabytes', megabytes),
      every: count('every'),
      answers: count('answers'),
      requests: count('requests'),
    },
    json,
    compareWith: compare,
    write: only === undefined && !noWrite,
  };
}

function partName(name: string): PartName {
  if (Object.hasOwn(PARTS, name)) return name as PartName;
  throw new Error(`--only takes one of ${Object.keys(PARTS).join(', ')}`);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${name} takes a positive whole number`);
}
