/** What many connections leave behind, beyond what a warm-up of others had left. */
import { binding } from '../../../lib/binding';

type Live = ReturnType<typeof binding.live>;

/** Collects until `isEmpty`, or it takes too long. */
async function collect(isEmpty: (live: Live) => boolean): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (tries > 5 && isEmpty(binding.live())) break;
  }
}

/** Prints, as one line, what is alive after `round`, and how much memory grew by it, in KiB; and what it `found`. */
export async function measure(
  warmUp: () => Promise<unknown>,
  round: () => Promise<unknown>,
  isEmpty: (live: Live) => boolean,
  found: () => object = () => ({}),
): Promise<void> {
  await warmUp();
  await collect(isEmpty);
  const before = process.memoryUsage();
  await round();
  await collect(isEmpty);
  const after = process.memoryUsage();
  const grown = (what: 'rss' | 'heapUsed' | 'external') =>
    Math.round((after[what] - before[what]) / 1024);
  console.log(
    JSON.stringify({
      ...binding.live(),
      ...found(),
      rss: grown('rss'),
      heap: grown('heapUsed'),
      external: grown('external'),
    }),
  );
}
