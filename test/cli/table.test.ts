/** How text is made harmless, measured, and laid out. */
import { writeFields, writeTable, writeWrapped } from '../../lib/cli/table';
import { type Line, plainText, styled, Terminal } from '../../lib/cli/terminal';
import { displayWidth, escapedInJson, printable, wrapped } from '../../lib/cli/text';

/** What a terminal of so many columns is given. */
function written(columns: number, write: (terminal: Terminal) => void, plain = false): string[] {
  const lines: string[] = [];
  class Recorded extends Terminal {
    override get width(): number {
      return columns;
    }
    override out(line: Line = ''): void {
      lines.push(this.rendered(line, false));
    }
  }
  write(new Recorded({ plain }));
  return lines;
}

test.each([
  ['a\tb\r\n', 'a\\tb\\r\\n'],
  ['\u001b[31mred\u001b[0m', '\\x1b[31mred\\x1b[0m'],
  ['\u009b2J', '\\x9b2J'],
  ['\u202eabc\u2066', '\\u202eabc\\u2066'],
  ['a\u2028b\ufeff', 'a\\u2028b\\ufeff'],
  ['\u{e0001}', '\\u{e0001}'],
  ['\ud800', '\\ud800'],
  ['Zoë 山田 👩\u200d🚀', 'Zoë 山田 👩\u200d🚀'],
])('printable(%j)', (text, harmless) => {
  expect(printable(text)).toBe(harmless);
});

test('JSON stays JSON, and is harmless, too', () => {
  const value = { name: '\u009b2J \u202e \u{e0001} ok' };
  const text = escapedInJson(JSON.stringify(value));
  expect(JSON.parse(text)).toEqual(value);
  expect(printable(text)).toBe(text);
});

test.each([
  ['abc', 3],
  ['山田', 4],
  ['e\u0301', 1],
  ['👩', 2],
])('%j takes %d columns', (text, width) => {
  expect(displayWidth(text)).toBe(width);
});

test.each([
  ['one two three', 7, ['one two', 'three']],
  ['CN=a,O=b,C=c', 8, ['CN=a,', 'O=b,C=c']],
  ['TLS_AES_256_GCM', 10, ['TLS_AES_', '256_GCM']],
  ['abcdefgh', 3, ['abc', 'def', 'gh']],
  ['山田山田', 5, ['山田', '山田']],
  ['a 山b', 0, ['a', '山', 'b']],
  ['ab', -9, ['a', 'b']],
])('%j in %d columns', (text, width, lines) => {
  expect(wrapped(text, width)).toEqual(lines);
});

test.each(['x', '_', 'x\u0301'])(
  'a name of many %j is not measured anew for each of its lines',
  (piece) => {
    const text = piece.repeat(20_000);
    const look = jest.spyOn(RegExp.prototype, 'test');
    const lines = wrapped(text, 72);
    const looks = look.mock.calls.length;
    look.mockRestore();
    expect(lines.join('')).toBe(text);
    // Of a character it is asked whether it is combining, and whether it is wide.
    expect(looks).toBeLessThan(text.length * 12);
  },
);

const COLUMNS = [{ title: 'Name' }, { title: 'Value', least: 10 }];
const ROWS: Line[][] = [
  ['first', 'a value of some words'],
  [styled('green', '山'), [styled('bold', 'b'), ' c']],
];

test('a table that fits', () => {
  expect(written(80, (terminal) => writeTable(terminal, COLUMNS, ROWS))).toEqual([
    'Name   Value',
    '─────  ─────────────────────',
    'first  a value of some words',
    '山     b c',
  ]);
});

test('a table that fits when its cells are broken', () => {
  expect(written(24, (terminal) => writeTable(terminal, COLUMNS, ROWS))).toEqual([
    'Name   Value',
    '─────  ─────────────────',
    'first  a value of some',
    '       words',
    '山     b c',
  ]);
});

test('a table that does not fit becomes a list', () => {
  const columns = ['A', 'B', 'C', 'D'].map((title) => ({ title, least: 12 }));
  const rows = [
    ['x'.repeat(20), 'y'.repeat(20), '', 'z'],
    ['1', '2', '3', '4'],
  ];
  expect(written(30, (terminal) => writeTable(terminal, columns, rows))).toEqual([
    `A: ${'x'.repeat(20)}`,
    `B: ${'y'.repeat(20)}`,
    'D: z',
    '',
    ...['A: 1', 'B: 2', 'C: 3', 'D: 4'],
  ]);
});

test('so does every table in plain mode', () => {
  expect(written(80, (terminal) => writeTable(terminal, COLUMNS, ROWS), true)).toEqual([
    ...['Name: first', 'Value: a value of some words', '', 'Name: 山', 'Value: b c'],
  ]);
});

test('fields stand in line, and are broken with their values in line', () => {
  const write = (terminal: Terminal) =>
    writeFields(
      terminal,
      [
        ['a', 'one two three four'],
        ['long', ['x', 'y'], 'list'],
      ],
      5,
    );
  expect(written(17, write)).toEqual([
    'a      one two',
    '       three four',
    'long   x',
    '       y',
  ]);
  expect(written(17, write, true)).toEqual(['a: one two three four', 'long: x', 'long: y']);
});

test('styles survive where a line is broken', () => {
  const lines: Line[] = [];
  class Recorded extends Terminal {
    override get width(): number {
      return 8;
    }
    override out(line: Line = ''): void {
      lines.push(line);
    }
  }
  writeWrapped(new Recorded(), ['plain ', styled('red', 'red words'), ' x']);
  expect(lines.map(plainText)).toEqual(['plain', 'red', 'words x']);
  const terminal = new Terminal({ color: 'always' });
  expect(lines.map((line) => terminal.rendered(line, true))).toEqual([
    'plain',
    '\u001b[31mred\u001b[39m',
    '\u001b[31mwords\u001b[39m x',
  ]);
});
