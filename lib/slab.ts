/**
 * Where plaintext is read to: one piece of memory that all connections of a thread use in turn.
 */
import { binding } from './binding';
import { noteChunk } from './young-generation';

/** Read at a time, as Node reads from a socket. */
const SIZE = 64 * 1024;

let room: Buffer | undefined;
/**
 * The one with the highest address of those that were made since a lot comes. glibc gives memory at the end of its heap back
 * to the system as soon as it is free, and the next piece has to be mapped again, page by page: with this one
 * in use nothing below it is the end.
 */
let topmost: Buffer | undefined;
/** Taken in a row that were not full. */
let partial = 0;
/** So many, and no lot comes any more: what ends in the middle of a chunk is often followed by the next. */
const ENOUGH = 64;

/** Room to read into; it stays free until {@link takeFromSlab}. */
export function freeSlab(): Buffer {
  room ??= make();
  return room;
}

/**
 * The first `count` bytes of {@link freeSlab}, for keeps. As with Node's sockets there is nothing else in its
 * `ArrayBuffer`: programs send that to other threads, and what other connections received is none of theirs.
 */
export function takeFromSlab(count: number): Buffer {
  const filled = freeSlab();
  noteChunk(count);
  if (count === SIZE) {
    partial = 0;
    room = undefined;
    return filled;
  }
  partial += 1;
  if (partial === ENOUGH) topmost = undefined;
  const piece = Buffer.allocUnsafeSlow(count);
  filled.copy(piece, 0, 0, count);
  return piece;
}

function make(): Buffer {
  const made = Buffer.allocUnsafeSlow(SIZE);
  if (topmost !== undefined && binding.liesAbove(topmost, made)) return made;
  const free = topmost ?? Buffer.allocUnsafeSlow(SIZE);
  topmost = made;
  return free;
}
