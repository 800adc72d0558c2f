/**
 * Where plaintext is read to: slabs that all connections of a thread share.
 */
import { markAsUntransferable } from 'node:worker_threads';

/** A few slabs fit a processor's cache: memory that was used lately costs least. */
const SLAB_SIZE = 256 * 1024;
/** Smaller pieces are copied out, so that they do not keep a whole slab alive. */
const SMALL_PIECE = 8 * 1024;
/** Read at a time, as Node reads from a socket. */
const LARGEST_PIECE = 64 * 1024;

let slab: Buffer = Buffer.alloc(0);
let room: Buffer = slab;

/** Room to read into; it stays free until {@link takeFromSlab}. */
export function freeSlab(): Buffer {
  if (room.length < LARGEST_PIECE) {
    slab = Buffer.allocUnsafeSlow(SLAB_SIZE);
    // Whoever transferred one piece to another thread would take all others along.
    markAsUntransferable(slab.buffer);
    room = slab.subarray(0, LARGEST_PIECE);
  }
  return room;
}

/** The first `count` bytes of {@link freeSlab}, for keeps. */
export function takeFromSlab(count: number): Buffer {
  if (count < SMALL_PIECE) {
    const piece = Buffer.allocUnsafe(count);
    room.copy(piece, 0, 0, count);
    return piece;
  }
  const piece = count === room.length ? room : room.subarray(0, count);
  const used = room.byteOffset + count;
  room = slab.subarray(used, used + LARGEST_PIECE);
  return piece;
}
