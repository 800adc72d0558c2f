/** Whether a run was good. */
import { leftOver, type Sample } from './samples';
import { slope } from './slope';

export interface Growth {
  /** Bytes for each connection, after the warm-up. NaN with fewer than two samples: then nobody can say. */
  readonly slope: number;
  readonly limit: number;
  /** Connections over which it was measured. */
  readonly connections: number;
}

/** Memory settles for so many connections: a third of the run, but no fewer and no more than these. */
const WARM_UP = { least: 5_000, most: 100_000 } as const;

/** What is asked of a long run, in bytes for each connection. */
const AIM = 1;

/**
 * What samples of one process differ by though nothing is lost, in bytes. A short run cannot see less
 * than this in all: with 30,000 connections 1 byte for each is far below what the allocator gives
 * back or not from one collection to the next.
 */
const NOISE = { rss: 16 * 1024 * 1024, heap: 512 * 1024 } as const;

export function afterWarmUp(samples: readonly Sample[]): readonly Sample[] {
  const third = (samples.at(-1)?.connections ?? 0) / 3;
  const until = Math.max(WARM_UP.least, Math.min(WARM_UP.most, third));
  return samples.filter(({ connections }) => connections >= until);
}

export function growth(samples: readonly Sample[], of: keyof typeof NOISE): Growth {
  const warm = afterWarmUp(samples);
  const connections = (warm.at(-1)?.connections ?? 0) - (warm[0]?.connections ?? 0);
  return {
    slope: slope(warm.map((sample) => ({ x: sample.connections, y: sample[of] }))),
    // As many samples as a million connections have average the noise away.
    limit: connections >= LONG ? AIM : Math.max(AIM, NOISE[of] / connections),
    connections,
  };
}

/** From here on noise is no excuse. */
const LONG = 500_000;

export interface Result {
  /** Of the moment before the load, after each kind was there once. */
  readonly base: Sample;
  /** At regular intervals; the last is that of the end. */
  readonly samples: readonly Sample[];
  readonly unexpected: number;
  /** Whether a run that is too short to tell if memory grows is not good. */
  readonly judgesGrowth?: boolean;
}

/** What is wrong with a run, a sentence each. */
export function judge({ base, samples, unexpected, judgesGrowth = false }: Result): string[] {
  const wrong: string[] = [];
  if (unexpected > 0) wrong.push(`${unexpected} ended as they should not have.`);
  const last = samples.at(-1);
  if (last === undefined) return [...wrong, 'Nothing was measured.'];
  for (const left of leftOver(base, last)) wrong.push(`Left over: ${left}.`);
  for (const [what, name] of [
    ['rss', 'The RSS'],
    ['heap', "JavaScript's memory"],
  ] as const) {
    const { slope, limit, connections } = growth(samples, what);
    if (judgesGrowth && Number.isNaN(slope)) {
      wrong.push(`${name} may have grown: after ${last.connections} connections nobody can say.`);
    }
    if (slope > limit) {
      wrong.push(
        `${name} grew by ${slope.toFixed(1)} bytes for each of ${connections} connections, ` +
          `more than ${limit.toFixed(1)}.`,
      );
    }
  }
  return wrong;
}
