/** What is left at a moment at which nothing is under way. */
import { readdirSync } from 'node:fs';
import { binding } from '../lib/binding';
import { closeKept, PROTOCOLS, TRANSPORTS, type World } from './world';

export type Live = ReturnType<typeof binding.live>;

export interface Sample {
  /** Made so far. */
  readonly connections: number;
  readonly seconds: number;
  /** In bytes. */
  readonly rss: number;
  /** JavaScript's heap, and memory outside of it that belongs to its objects, in bytes. */
  readonly heap: number;
  /** Undefined where the system does not tell. */
  readonly descriptors: number | undefined;
  /** Native objects of this package. */
  readonly live: Live;
  /** How many more of them say nothing, see {@link cached}. */
  readonly spare?: Partial<Live>;
}

/**
 * What the package keeps for a minute of options that it parsed: a context for each identity and protocol, with a
 * credential of its own once the answers' is forgotten, and the agents' contexts. Which of them are there at a
 * given moment is a matter of time.
 */
export function cached({ identities }: World): Partial<Live> {
  const contexts = identities.length * PROTOCOLS.length;
  return { contexts: contexts + TRANSPORTS.length, credentials: contexts + identities.length };
}

/** How often is looked whether something is still to go, and how long between, in ms. */
const LOOKS = 50;
const BETWEEN = 10;
/** What a collection finds to finalize is freed a turn later, and with it what it held. */
const COLLECTIONS = 3;

/** Lets go of all that can be let go of, and looks. `base`: as far as it once went. */
export async function rest(
  world: World,
  connections: number,
  since: number,
  base?: Sample,
): Promise<Sample> {
  closeKept(world);
  for (let looks = 1; ; looks += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, BETWEEN));
    const sample = look(connections, since);
    if (looks < COLLECTIONS) continue;
    if (looks === LOOKS || (isIdle(sample) && leftOver(base, sample).length === 0)) return sample;
  }
}

function look(connections: number, since: number): Sample {
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    connections,
    seconds: (performance.now() - since) / 1000,
    rss,
    heap: heapUsed + external,
    descriptors: countDescriptors(),
    live: binding.live(),
  };
}

/** Of the system's lists of what a process has open, Linux's alone costs little. */
function countDescriptors(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}

function isIdle({ live }: Sample): boolean {
  return live.connections + live.socketTransports + live.storeKeys === 0;
}

/** What there is more of than there was, a phrase each. */
export function leftOver(base: Sample | undefined, now: Sample): string[] {
  if (base === undefined) return [];
  const counts = (Object.keys(now.live) as (keyof Live)[]).map(
    (name) => [name, now.live[name], base.live[name], base.spare?.[name] ?? 0] as const,
  );
  const descriptors = [now.descriptors ?? 0, base.descriptors ?? 0, 0] as const;
  return [...counts, ['descriptors', ...descriptors] as const]
    .filter(([, count, before, spare]) => count > before + spare)
    .map(([name, count, before]) => `${count - before} more ${name} (${before}, now ${count})`);
}
