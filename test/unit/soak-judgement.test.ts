/** What the soak makes of its samples, and of how connections ended. */

import { afterWarmUp, growth, judge } from '../../soak/judgement';
import { KIND_NAMES, kindOf } from '../../soak/kinds/index';
import { RESET } from '../../soak/kinds/kind';
import { leftOver, type Sample } from '../../soak/samples';
import { slope } from '../../soak/slope';
import { Wrong } from '../../soak/talk';
import { classify, Tally } from '../../soak/tally';

const LIVE = {
  trustStores: 0,
  contexts: 8,
  credentials: 16,
  connections: 0,
  storeKeys: 0,
  socketTransports: 0,
};
const MIB = 1024 * 1024;

function sample(connections: number, more: Partial<Sample> = {}): Sample {
  const size = { rss: 100 * MIB, heap: 10 * MIB };
  return { connections, seconds: 0, ...size, descriptors: 20, live: LIVE, ...more };
}

/** One every `step`, that of `at` made by `of`. */
function series(count: number, step: number, of: (connections: number) => Partial<Sample>) {
  return Array.from({ length: count }, (_, at) => sample((at + 1) * step, of((at + 1) * step)));
}

const withError = (code: string | undefined) => Object.assign(new Error('what happened'), { code });

describe('slope', () => {
  const line = Array.from({ length: 11 }, (_, x) => ({ x, y: 7 + 3 * x }));

  it('is that of a line', () => {
    expect(slope(line)).toBe(3);
    expect(slope(line.map(({ x, y }) => ({ x, y: -y })))).toBe(-3);
  });

  it('does not heed a few samples that are far off', () => {
    const spoiled = line.map((point, at) => (at === 2 || at === 9 ? { ...point, y: 1e6 } : point));
    expect(slope(spoiled)).toBe(3);
  });

  it('is the mean of the two middle ones where their number is even', () => {
    const points = [0, 1, 4, 10].map((y, x) => ({ x, y }));
    expect(slope(points)).toBeCloseTo((3 + 10 / 3) / 2, 10);
  });

  it('is none without two places', () => {
    expect(slope([])).toBeNaN();
    expect(slope([{ x: 1, y: 1 }])).toBeNaN();
    expect(slope([1, 2].map((y) => ({ x: 1, y })))).toBeNaN();
  });
});

describe('classify', () => {
  it.each<[string, object, unknown, object]>([
    ['ends well', {}, undefined, { as: 'expected', code: undefined }],
    [
      'fails as it should',
      { failsWith: ['A', 'B'] },
      withError('B'),
      { as: 'expected', code: 'B' },
    ],
    ['fails', {}, withError('A'), { as: 'unexpected', message: 'A: what happened' }],
    [
      'fails otherwise',
      { failsWith: ['A'] },
      withError('B'),
      { as: 'unexpected', message: 'B: what happened' },
    ],
    [
      'ends well and should not',
      { failsWith: ['A', 'B'] },
      undefined,
      { as: 'unexpected', message: 'it ended well, and not with A or B' },
    ],
    [
      'throws what has no code',
      { failsWith: ['A'] },
      withError(undefined),
      { as: 'unexpected', message: 'no code: what happened' },
    ],
    ['throws a word', {}, 'word', { as: 'unexpected', message: 'no code: type string' }],
    ['rejects with null', {}, null, { as: 'unexpected', message: 'no code: null' }],
  ])('one that %s', (_what, expectation, error, ending) => {
    expect(classify(expectation, error)).toEqual(ending);
  });

  it('lets no kind get away with other bytes, another identity, or no end', () => {
    for (const name of KIND_NAMES) {
      expect(classify(kindOf(name), new Wrong('the server sees another')).as).toBe('unexpected');
    }
  });

  it('takes a reset for what it is by its kind', () => {
    for (const code of RESET) {
      expect(classify(kindOf('reset in data'), withError(code)).as).toBe('expected');
      expect(classify(kindOf('upload'), withError(code)).as).toBe('unexpected');
      expect(classify(kindOf('destroyed, asked'), withError(code)).as).toBe('unexpected');
    }
  });
});

test('a tally counts by kind, and tells what it did not expect', () => {
  const tally = new Tally();
  tally.count('upload', 3, 1, { as: 'expected', code: undefined });
  tally.count('upload', 4, 1, { as: 'unexpected', message: 'X: x' });
  tally.count('https', 5, 0, { as: 'expected', code: undefined });
  tally.count('reset', 6, 1, { as: 'expected', code: 'ECONNRESET' });
  tally.count('reset', 7, 1, { as: 'expected', code: 'ECONNRESET' });
  expect(Object.fromEntries(tally.rows)).toEqual({
    upload: { attempts: 2, connections: 2, expected: new Map(), unexpected: 1 },
    https: { attempts: 1, connections: 0, expected: new Map(), unexpected: 0 },
    reset: { attempts: 2, connections: 2, expected: new Map([['ECONNRESET', 2]]), unexpected: 0 },
  });
  expect(tally).toMatchObject({ connections: 4, unexpected: 1, isHopeless: false });
  expect(tally.surprises).toEqual([{ kind: 'upload', number: 4, message: 'X: x' }]);
  for (let number = 0; number < 200; number += 1) {
    tally.count('upload', number, 1, { as: 'unexpected', message: 'X: x' });
  }
  expect(tally).toMatchObject({ unexpected: 201, isHopeless: true });
  expect(tally.surprises).toHaveLength(100);
});

test('what there is more of is left over', () => {
  const base = sample(0);
  expect(leftOver(base, sample(9))).toEqual([]);
  expect(leftOver(undefined, sample(9))).toEqual([]);
  const fewer = sample(9, { descriptors: 19, live: { ...LIVE, contexts: 0 } });
  expect(leftOver(base, fewer)).toEqual([]);
  const more = sample(9, { descriptors: 23, live: { ...LIVE, connections: 2, credentials: 17 } });
  expect(leftOver(base, more)).toEqual([
    '1 more credentials (16, now 17)',
    '2 more connections (0, now 2)',
    '3 more descriptors (20, now 23)',
  ]);
  // What is kept for a while counts from where it is more than that.
  const spare = { ...base, spare: { credentials: 1 } };
  expect(leftOver(spare, sample(9, { live: { ...LIVE, credentials: 17 } }))).toEqual([]);
  expect(leftOver(spare, sample(9, { live: { ...LIVE, credentials: 18 } }))).toEqual([
    '2 more credentials (16, now 18)',
  ]);
});

describe('the warm-up', () => {
  it('is a third of a run', () => {
    const warm = afterWarmUp(series(9, 10_000, () => ({})));
    expect(warm.map(({ connections }) => connections / 10_000)).toEqual([3, 4, 5, 6, 7, 8, 9]);
  });

  it('is 5,000 connections of a short one, and all of a shorter', () => {
    const warm = afterWarmUp(series(9, 1_000, () => ({})));
    expect(warm.map(({ connections }) => connections / 1_000)).toEqual([5, 6, 7, 8, 9]);
    expect(afterWarmUp(series(4, 1_000, () => ({})))).toEqual([]);
  });

  it('is 100,000 connections of a long one', () => {
    const warm = afterWarmUp(series(20, 50_000, () => ({})));
    expect(warm[0]?.connections).toBe(100_000);
  });
});

describe('a run', () => {
  const base = sample(0);
  const grows = (perConnection: number, what: 'rss' | 'heap' = 'rss') =>
    series(12, 3_000, (connections) => ({ [what]: 100 * MIB + perConnection * connections }));
  const judged = (samples: readonly Sample[], unexpected = 0) =>
    judge({ base, samples, unexpected });

  it('is good when nothing is left and nothing grows', () => {
    expect(judged(grows(0))).toEqual([]);
    expect(judged(grows(-50))).toEqual([]);
  });

  it('is not good with an unexpected error, however much else is', () => {
    expect(judged(grows(0), 1)).toEqual(['1 ended as they should not have.']);
  });

  it('is not good when something is left at its end, and only then', () => {
    const live = { ...LIVE, connections: 1 };
    const [first, ...others] = grows(0);
    expect(judged([{ ...(first as Sample), live }, ...others])).toEqual([]);
    const last = sample(40_000, { live, descriptors: 21 });
    expect(judged([...grows(0), last])).toEqual([
      'Left over: 1 more connections (0, now 1).',
      'Left over: 1 more descriptors (20, now 21).',
    ]);
  });

  it('is not good when what it measured is nothing', () => {
    expect(judged([])).toEqual(['Nothing was measured.']);
  });

  it('sees two kilobytes of RSS for each connection in two minutes, and 64 bytes of the heap', () => {
    expect(judged(grows(2_048))).toEqual([
      'The RSS grew by 2048.0 bytes for each of 24000 connections, more than 699.1.',
    ]);
    expect(judged(grows(64, 'heap'))).toEqual([
      "JavaScript's memory grew by 64.0 bytes for each of 24000 connections, more than 21.8.",
    ]);
  });

  it('says nothing of growth when it was no longer than the warm-up', () => {
    const short = series(4, 1_000, (connections) => ({ rss: connections * MIB }));
    expect(growth(short, 'rss').slope).toBeNaN();
    expect(judged(short)).toEqual([]);
    expect(judge({ base, samples: short, unexpected: 0, judgesGrowth: true })).toEqual(
      ['The RSS', "JavaScript's memory"].map(
        (it) => `${it} may have grown: after 4000 connections nobody can say.`,
      ),
    );
    expect(judge({ base, samples: grows(0), unexpected: 0, judgesGrowth: true })).toEqual([]);
  });

  it('takes for noise what may be noise', () => {
    const noise = [3, -2, 5, 0, -4, 1, 4, -1, 2, -5, 3, 0];
    const noisy = series(12, 3_000, (connections) => ({
      rss: 100 * MIB + (noise[connections / 3_000 - 1] ?? 0) * MIB,
    }));
    expect(judged(noisy)).toEqual([]);
  });

  it('is held to one byte when it is long', () => {
    const long = (perConnection: number) =>
      series(100, 10_000, (connections) => ({ rss: 100 * MIB + perConnection * connections }));
    expect(growth(long(2), 'rss')).toMatchObject({ limit: 1, connections: 900_000 });
    expect(judged(long(0.9))).toEqual([]);
    expect(judged(long(1.1))).toEqual([
      'The RSS grew by 1.1 bytes for each of 900000 connections, more than 1.0.',
    ]);
  });
});
