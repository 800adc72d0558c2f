/** Takes half a gigabyte, as a connection does that receives it, and says what that did to the process's memory. */
import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { freeSlab, takeFromSlab } from '../../../lib/slab';

const PIECES = 8192;

let scavenges = 0;

async function main(): Promise<void> {
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as unknown as { detail: { kind: number } }[]) {
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MINOR) scavenges += 1;
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  const before = process.resourceUsage().minorPageFault;
  for (let i = 0; i < PIECES; i += 1) {
    const room = freeSlab();
    takeFromSlab(room.fill(1).length);
    if (i % 4 === 0) await setImmediate();
  }
  await setImmediate();
  const pageFaults = process.resourceUsage().minorPageFault - before;
  console.log(JSON.stringify({ scavenges, pageFaults }));
}

void main();
