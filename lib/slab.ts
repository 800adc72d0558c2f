/**
 * Where plaintext is read to: slabs that all connections of a thread share.
 */
import { markAsUntransferable } from 'node:worker_threads';

const SLAB_SIZE = 64 * 1024;
/** Smaller pieces are copied out, so that they do not keep a whole slab alive. */
const SMALL_PIECE = 8 * 1024;

let slab: Buffer = Buffer.alloc(0);

/** Room to read into; it stays free until {@link takeFromSlab}. */
export function freeSlab(): Buffer {
  if (slab.length < SMALL_PIECE) {
    slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
    // Whoever transferred one piece to another thread would take all others along.
    markAsUntransferable(slab.buffer);
  }
  return slab;
}

/** The first `count` bytes of {@link freeSlab}, for keeps. */
export function takeFromSlab(count: number): Buffer {
  const piece = slab.subarray(0, count);
  if (count < SMALL_PIECE) return Buffer.from(piece);
  slab = slab.subarray(count);
  return piece;
}
