/** What is sent in the model: bytes that tell of themselves where in a stream they belong. */
import { createHash } from 'node:crypto';

/** No multiple of any size that is written, so that a piece too many or too few shows. */
const SIZE = 1024 * 1024 - 3;

const PATTERN = makePattern();

/** As python_peer.py does. */
function makePattern(): Buffer {
  const blocks: Buffer[] = [];
  let block = Buffer.from('pattern');
  for (let size = 0; size < SIZE; size += block.length) {
    block = createHash('sha512').update(block).digest();
    blocks.push(block);
  }
  return Buffer.concat(blocks).subarray(0, SIZE);
}

/** The bytes from `offset` on. */
export function patternAt(offset: number, size: number): Buffer {
  const pieces: Buffer[] = [];
  let at = offset;
  while (at < offset + size) {
    const start = at % SIZE;
    const piece = PATTERN.subarray(start, Math.min(SIZE, start + offset + size - at));
    pieces.push(piece);
    at += piece.length;
  }
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
}

/** Checks one direction as it comes. */
export class Received {
  count = 0;
  intact = true;

  take(bytes: Uint8Array): void {
    this.intact &&= patternAt(this.count, bytes.length).equals(bytes);
    this.count += bytes.length;
  }
}
