/** Takes half a gigabyte, as a connection does that receives it, and says what that did to the process's memory. */
import { setImmediate } from 'node:timers/promises';
import { freeSlab, takeFromSlab } from '../../../lib/slab';
import { countScavenges } from './collections';

const PIECES = 8192;

async function main(): Promise<void> {
  const counted = countScavenges();
  const before = process.resourceUsage().minorPageFault;
  for (let i = 0; i < PIECES; i += 1) {
    const room = freeSlab();
    takeFromSlab(room.fill(1).length);
    if (i % 4 === 0) await setImmediate();
  }
  const scavenges = await counted();
  const pageFaults = process.resourceUsage().minorPageFault - before;
  console.log(JSON.stringify({ scavenges, pageFaults }));
}

void main();
