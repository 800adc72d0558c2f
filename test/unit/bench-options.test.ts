/** The benchmark's command line. */
import { parseOptions } from '../../bench/options';
import { PARTS, TARGET_PARTS } from '../../bench/parts/index';

it('runs all targets and writes the result when nothing is said', () => {
  const { names, write, json, compareWith } = parseOptions([]);
  expect(names).toEqual(TARGET_PARTS);
  expect({ write, json, compareWith }).toEqual({
    write: true,
    json: undefined,
    compareWith: undefined,
  });
});

it('writes no document of a part of the targets', () => {
  const { names, write } = parseOptions(['--only', 'receive', '--only', 'tokens']);
  expect(names).toEqual(['receive', 'tokens']);
  expect(write).toBe(false);
});

it('can be told not to write', () => {
  expect(parseOptions(['--no-write']).write).toBe(false);
});

it('takes sizes and files', () => {
  const { sizes, json, compareWith } = parseOptions(
    '--megabytes 2000 --rounds 3 --json new.json --compare old.json'.split(' '),
  );
  expect(sizes).toMatchObject({ megabytes: 2000, rounds: 3 });
  expect([json, compareWith]).toEqual(['new.json', 'old.json']);
  expect(parseOptions([]).sizes.megabytes).toBeUndefined();
});

it.each([
  [['--rounds', '0'], '--rounds takes a positive whole number'],
  [['--megabytes', 'many'], '--megabytes takes a positive whole number'],
  [['--only', 'toString'], `--only takes one of ${Object.keys(PARTS).join(', ')}`],
  [['--fast'], "Unknown option '--fast'"],
])('refuses %j', (args, message) => {
  expect(() => parseOptions(args)).toThrow(message);
});
