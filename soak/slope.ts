/** How fast something grows, of samples with noise. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * The median of the slopes between all pairs (Theil and Sen's estimate): up to a quarter of the samples may be
 * anything without moving it far. NaN where there are no two at different places.
 */
export function slope(points: readonly Point[]): number {
  const slopes: number[] = [];
  points.forEach((one, at) => {
    for (const other of points.slice(at + 1)) {
      if (other.x !== one.x) slopes.push((other.y - one.y) / (other.x - one.x));
    }
  });
  slopes.sort((a, b) => a - b);
  const middle = slopes.length / 2;
  const low = slopes[Math.ceil(middle) - 1] ?? Number.NaN;
  const high = slopes[Math.floor(middle)] ?? Number.NaN;
  return (low + high) / 2;
}
