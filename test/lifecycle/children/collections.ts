/** Counts how often V8 collects its young generation, by itself. */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';

/** From now on; the result tells how often until then. */
export function countScavenges(): () => Promise<number> {
  let scavenges = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as unknown as { detail: { kind: number } }[]) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) scavenges += 1;
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return async () => {
    // Entries come in a turn of their own.
    await setImmediate();
    observer.disconnect();
    return scavenges;
  };
}
