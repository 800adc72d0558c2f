/** Small writes leave together, in as few pieces as records hold, and no byte changes its place. */
import { gather, RECORD_SIZE } from '../../lib/gather';

/** Chunks of these sizes, and no two bytes near each other alike. */
function chunksOf(...sizes: number[]): Buffer[] {
  let next = 0;
  return sizes.map((size) => Buffer.from(Array.from({ length: size }, () => next++ % 251)));
}

const sizesOf = (chunks: readonly Uint8Array[]) => chunks.map(({ length }) => length);

test.each([
  ['nothing', [], []],
  ['one small chunk', [5], [5]],
  ['small neighbours', [1, 2, 3], [6]],
  ['what fills one record', [RECORD_SIZE - 1, 1], [RECORD_SIZE]],
  ['one byte more', [RECORD_SIZE - 1, 2], [RECORD_SIZE - 1, 2]],
  ['a chunk of one record', [RECORD_SIZE], [RECORD_SIZE]],
  ['a large chunk between small ones', [1, 2, RECORD_SIZE * 3, 3, 4], [3, RECORD_SIZE * 3, 7]],
  ['small ones of more than a record', new Array(40).fill(1000), [16_000, 16_000, 8_000]],
  ['empty chunks', [0, 1, 0, 1, 0], [2]],
  ['an empty one behind a full one', [RECORD_SIZE, 0], [RECORD_SIZE]],
])('%s', (_what, sizes, gathered) => {
  const chunks = chunksOf(...sizes);
  const result = gather(chunks);
  expect(sizesOf(result)).toEqual(gathered);
  expect(Buffer.concat(result).equals(Buffer.concat(chunks))).toBe(true);
});

test('what has no neighbour to join is not copied', () => {
  const chunks = chunksOf(RECORD_SIZE, RECORD_SIZE + 1, 5);
  const result = gather(chunks);
  expect(result).toHaveLength(3);
  for (const [index, chunk] of chunks.entries()) expect(result[index]).toBe(chunk);
});

test('the chunks stay as they are', () => {
  const chunks: readonly Buffer[] = Object.freeze(chunksOf(10, 20));
  const [joined] = gather(chunks);
  joined?.fill(255);
  expect(chunks).toEqual(chunksOf(10, 20));
});
