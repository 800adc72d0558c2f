/**
 * Has V8 collect chunks of data while they are young.
 *
 * V8 collects its young generation when that is full. A chunk of 64 KiB takes some hundred bytes of it, as its
 * memory lies elsewhere, and so hundreds of dead ones hang on a young generation that is far from full. They count for the
 * whole heap, though: once V8 has collected a small one, as it does where a program pauses, 16 MiB of them have it mark all of that
 * again, and then again, which costs more than to decrypt what is in them. Garbage that goes with the chunks fills the young generation before that.
 */
import { getHeapSpaceStatistics } from 'node:v8';

const KIB = 1024;
const MIB = 1024 * KIB;
/** So many bytes of chunks fill the young generation once. */
const FILLED_BY = 12 * MIB;
/** Bytes of chunks between two pieces of garbage. */
const STEP = 64 * KIB;
/** A larger young generation costs more to fill than there is to be spared, and a program that has one a larger heap. */
const LARGEST = 8 * MIB;
/** Of an array, in bytes. */
const SLOT = 8;

let sinceLook = FILLED_BY;
let sinceStep = 0;
let slots = 0;
/** Of no use to anybody, but V8 has to make the arrays then. */
export let garbage = 0;

/** To be told of each chunk that has memory of its own. */
export function noteChunk(bytes: number): void {
  sinceStep += bytes;
  if (sinceStep < STEP) return;
  sinceLook += sinceStep;
  sinceStep = 0;
  if (sinceLook >= FILLED_BY) {
    sinceLook = 0;
    const capacity = youngCapacity();
    slots = capacity > LARGEST ? 0 : Math.floor((capacity * STEP) / FILLED_BY / SLOT);
  }
  garbage += new Array(slots).length;
}

/** It grows and shrinks with what survives in it. */
function youngCapacity(): number {
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  return young === undefined ? 0 : young.space_used_size + young.space_available_size;
}
