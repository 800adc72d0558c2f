/** The soak's command line, and the chance that it makes its connections by. */
import { KIND_NAMES } from '../../soak/kinds/index';
import { parseOptions } from '../../soak/options';
import { between, pick, pickWeighted, randomOf } from '../../soak/random';

describe('the command line', () => {
  it('is two minutes of everything when it says nothing', () => {
    const options = parseOptions([]);
    expect(options).toMatchObject({ minutes: 2, connections: Infinity, from: 0 });
    expect(options.judgesGrowth).toBe(false);
    expect(parseOptions(['--judge-growth']).judgesGrowth).toBe(true);
    expect(options.kinds).toEqual(KIND_NAMES);
    expect(Number.isSafeInteger(options.seed)).toBe(true);
  });

  it('ends by connections alone when only these are given, and by both when both are', () => {
    expect(parseOptions(['--connections', '1000'])).toMatchObject({
      minutes: Infinity,
      connections: 1_000,
    });
    expect(parseOptions(['--connections', '9', '--minutes', '0.5'])).toMatchObject({
      minutes: 0.5,
      connections: 9,
    });
  });

  it('repeats one attempt', () => {
    const args = ['--seed', '7', '--from', '12', '--connections', '1', '--only', 'upload'];
    expect(parseOptions(args)).toMatchObject({
      seed: 7,
      from: 12,
      connections: 1,
      lanes: 1,
      kinds: ['upload'],
    });
  });

  it.each([
    [['--minutes', '0'], '--minutes takes a positive number'],
    [['--minutes', 'two'], '--minutes takes a positive number'],
    [['--connections', '1.5'], '--connections takes a whole number of 1 or more'],
    [['--lanes', '0'], '--lanes takes a whole number of 1 or more'],
    [['--seed', '-1'], /--seed/],
    [['--only', 'uploads'], '--only takes one of: at once;'],
    [['--hours', '1'], /--hours/],
  ])('%p is refused', (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });
});

describe('chance', () => {
  const some = (seed: number, index: number) => {
    const random = randomOf(seed, index);
    return Array.from({ length: 5 }, random);
  };

  it('comes again with seed and number, and not with others', () => {
    expect(some(3, 4)).toEqual(some(3, 4));
    expect(some(3, 4)).not.toEqual(some(3, 5));
    expect(some(3, 4)).not.toEqual(some(4, 4));
  });

  it('gives each its share, first draws included', () => {
    const counts: Record<string, number> = { often: 0, seldom: 0, never: 0 };
    const weights = [
      ['often', 3],
      ['never', 0],
      ['seldom', 1],
    ] as const;
    for (let index = 0; index < 10_000; index += 1) {
      const name = pickWeighted(randomOf(1, index), weights);
      counts[name] = (counts[name] ?? 0) + 1;
    }
    expect(counts.never).toBe(0);
    expect((counts.often ?? 0) / 10_000).toBeCloseTo(0.75, 1);
  });

  it('goes from end to end', () => {
    const random = randomOf(5, 5);
    const seen = new Set(Array.from({ length: 200 }, () => between(random, 2, 4)));
    expect([...seen].sort()).toEqual([2, 3, 4]);
    const picked = new Set(Array.from({ length: 200 }, () => pick(random, ['a', 'b'])));
    expect([...picked].sort()).toEqual(['a', 'b']);
  });
});
