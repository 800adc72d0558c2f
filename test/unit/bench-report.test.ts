/** How the benchmark makes figures of measurements, and of figures what people read. */
import { caveats, compare, comparisonTable } from '../../bench/compare';
import { picture } from '../../bench/picture';
import { parseRecord, type RunRecord, readRecord, recordText } from '../../bench/record';
import { quantile, ratios, type Summary, show, summarize } from '../../bench/report';
import { interleave, shuffled } from '../../bench/rounds';
import { judge, verdictTable } from '../../bench/summary';
import { type Figures, TARGETS } from '../../bench/targets';

function spread(median: number, around = 0.01): Summary {
  return { median, low: median - around, high: median + around };
}

function recordOf(figures: Figures, node = '20.20.2', rounds = 11): RunRecord {
  return {
    node,
    openssl: '3.0.19',
    floorOpenssl: '3.0.22',
    platform: 'linux',
    arch: 'x64',
    cpu: 'A & B <3>',
    cores: 2,
    settings: { rounds, megabytes: undefined },
    verdicts: judge(figures),
    parts: {},
  };
}

describe('figures', () => {
  it('are the median and the middle half', () => {
    expect(summarize([5, 1, 3, 2, 4])).toEqual({ median: 3, low: 2, high: 4 });
    expect(summarize([1, 2])).toEqual({ median: 1.5, low: 1.25, high: 1.75 });
    expect(quantile([10, 20], 0.99)).toBeCloseTo(19.9);
  });

  it('are ratios within a round, so that a slow round does not count', () => {
    expect(ratios([1, 100, 3], [2, 200, 6])).toEqual({ median: 0.5, low: 0.5, high: 0.5 });
  });

  it('are not a number where there is nothing to measure beside', () => {
    expect(ratios([1], []).median).toBeNaN();
    expect(summarize([]).median).toBeNaN();
  });

  it('are shown with their spread', () => {
    expect(show({ median: 1, low: 0.5, high: 1.25 }, 2)).toBe('1.00 (0.50–1.25)');
  });
});

describe('rounds', () => {
  it('measure each row once, in turn, and give each a new process now and then', async () => {
    const log: string[] = [];
    const samples = await interleave(
      ['a', 'b'],
      3,
      async (row) => {
        log.push(`start ${row}`);
        return {
          run: async () => log.push(row),
          stop: async () => {
            log.push(`stop ${row}`);
          },
        };
      },
      2,
    );
    expect(log.join(', ')).toBe(
      'start a, start b, a, b, b, a, stop a, stop b, start a, start b, b, a, stop a, stop b',
    );
    expect(samples).toEqual({ a: [3, 6, 12], b: [4, 5, 11] });
  });

  it.each([
    ['a', 'b', 'c', 'd', 'e', 'f'],
    ['a', 'b', 'c'],
    ['a', 'b'],
  ])('put each row behind each other as often: %s %s …', (...rows) => {
    const times = new Map<string, number>();
    for (let round = 0; round < 2 * rows.length; round++) {
      const order = shuffled(rows, round);
      expect([...order].sort()).toEqual(rows);
      for (let i = 1; i < order.length; i++) {
        const pair = `${order[i - 1]}${order[i]}`;
        times.set(pair, (times.get(pair) ?? 0) + 1);
      }
    }
    expect([...times.values()]).toEqual(Array(rows.length * (rows.length - 1)).fill(2));
  });
});

describe('targets', () => {
  it('have an id each', () => {
    expect(new Set(TARGETS.map(({ id }) => id)).size).toBe(TARGETS.length);
  });

  it('are reached by the median, the limit included', () => {
    const verdicts = judge({
      'receive/node': spread(0.7),
      'receive/floor': spread(1.21),
      'growth-node': spread(3),
    });
    expect(verdicts.map(({ id, reached }) => [id, reached])).toEqual([
      ['receive/node', true],
      ['receive/floor', false],
      ['growth-node', null],
    ]);
  });

  it('are not reached by what is not a number', () => {
    expect(judge({ 'receive/node': summarize([]) })[0]?.reached).toBe(false);
  });

  it('are told in a table', () => {
    const [, receive, memory, node] = verdictTable(
      judge({
        'receive/node': spread(0.65),
        'crowd-memory': spread(56.4, 1),
        'growth-node': spread(1.3),
      }),
    );
    expect(receive).toEqual(['receive', 'node:tls', '0.65 (0.64–0.66)', '≤ 0.70', 'yes']);
    expect(memory?.slice(2)).toEqual(['56.4 (55.4–57.4) KiB', '≤ 40.0', 'no']);
    expect(node?.slice(3)).toEqual(['', '']);
  });
});

describe('a comparison', () => {
  const older = judge({ 'receive/node': spread(1.2), 'send/node': spread(1), growth: spread(1) });
  const newer = judge({
    'receive/node': spread(0.6),
    'send/node': spread(1.015),
    'requests/node': spread(0.8),
    growth: spread(1.1),
  });

  it('tells what is more than noise', () => {
    expect(compare(older, newer).map(({ verdict, change }) => [verdict.id, change])).toEqual([
      ['receive/node', 'better'],
      ['send/node', 'within the spread'],
      ['requests/node', undefined],
      ['growth', 'worse'],
    ]);
  });

  it('is told in a table, the older figure and the newer with their spreads', () => {
    const [, receive, send, requests] = comparisonTable(compare(older, newer));
    expect(receive?.slice(2)).toEqual(['1.20 (1.19–1.21)', '0.60 (0.59–0.61)', '-50 %', 'better']);
    expect(send?.slice(4)).toEqual(['+1 %', 'within the spread']);
    expect(requests?.slice(2)).toEqual(['–', '0.80 (0.79–0.81)', '', 'new']);
  });

  it('has no "-0 %"', () => {
    const same = judge({ growth: spread(0.9999) });
    expect(comparisonTable(compare(older, same))[1]?.[4]).toBe('0 %');
  });

  it('says what makes the two hard to compare', () => {
    expect(caveats(recordOf({}), recordOf({}, '22.1.0'))).toEqual([
      'Not the same node: 20.20.2, now 22.1.0.',
    ]);
    expect(caveats(recordOf({}), recordOf({}, '20.20.2', 2))).toEqual([
      'Not the same rounds: 11, now 2.',
      'With 2 rounds the spread says little.',
    ]);
    expect(caveats(recordOf({}), recordOf({}))).toEqual([]);
  });
});

describe('a record', () => {
  it('is read as it was written', () => {
    const record = recordOf({ 'receive/node': spread(0.6) });
    expect(parseRecord(recordText(record))).toEqual(record);
  });

  it.each(['{}', 'null', '[]', '{"verdicts":1}'])('is not %s', (text) => {
    expect(() => parseRecord(text)).toThrow('this is no result of the benchmark');
  });

  it('that cannot be read is named', async () => {
    await expect(readRecord('no-such-result.json')).rejects.toThrow(
      /^no-such-result\.json: .*ENOENT/,
    );
    await expect(readRecord(__filename)).rejects.toThrow(/bench-report\.test\.ts: .*JSON/);
  });
});

describe('the picture', () => {
  const svg = picture(
    recordOf({
      'receive/node': spread(0.5),
      'receive/floor': spread(7),
      'crowd-memory': spread(20, 2),
      'growth-node': spread(1),
    }),
  );
  const bars = [...svg.matchAll(/<rect class="(\w+)" x="[\d.]+" y="[\d.]+" width="([\d.]+)"/g)];

  it('has a bar for each figure, as long as its ratio, and none beyond the scale', () => {
    const [half, cut, memory, one] = bars.map(([, kind, width]) => [kind, Number(width)] as const);
    const full = cut?.[1] ?? 0;
    expect(cut?.[0]).toBe('bad');
    expect(half).toEqual(['good', full / 4]);
    expect(memory).toEqual(['good', full / 4]);
    expect(one).toEqual(['plain', full / 2]);
    expect(bars).toHaveLength(4);
  });

  it('marks the targets that there are', () => {
    expect(svg.match(/<line class="target"/g)).toHaveLength(3);
  });

  it('is readable on light and on dark, and needs nothing from elsewhere', () => {
    expect(svg).toContain('prefers-color-scheme: dark');
    expect(svg).not.toMatch(/href|@import|url\(/);
  });

  it('has its tags in balance and its text escaped', () => {
    const open: string[] = [];
    for (const [, end, name, empty] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
      if (end) expect(open.pop()).toBe(name);
      else if (!empty) open.push(String(name));
    }
    expect(open).toEqual([]);
    const odd = { ...recordOf({}), node: '<20> & "more"' };
    expect(picture(odd)).toContain('Node &lt;20&gt; &amp; "more"');
  });
});
