/**
 * Where plaintext is read to: one piece of memory that all connections of a thread use in turn.
 */

/** Read at a time, as Node reads from a socket. */
const SIZE = 64 * 1024;

let room: Buffer | undefined;

/** Room to read into; it stays free until {@link takeFromSlab}. */
export function freeSlab(): Buffer {
  room ??= Buffer.allocUnsafeSlow(SIZE);
  return room;
}

/**
 * The first `count` bytes of {@link freeSlab}, for keeps. As with Node's sockets there is nothing else in its
 * `ArrayBuffer`: programs send that to other threads, and what other connections received is none of theirs.
 */
export function takeFromSlab(count: number): Buffer {
  const filled = freeSlab();
  if (count === SIZE) {
    room = undefined;
    return filled;
  }
  const piece = Buffer.allocUnsafeSlow(count);
  filled.copy(piece, 0, 0, count);
  return piece;
}
