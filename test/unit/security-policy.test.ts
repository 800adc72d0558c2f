/** SECURITY.md names a test for each threat, and each of these exists. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../..');
const policy = readFileSync(join(root, 'SECURITY.md'), 'utf8');
const rows = policy
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| threat |'))
  .map((line) => line.slice(2, -2).split(' | '));

/** `file`: "name"; "name"; `file`: "name" */
function testsOf(cell: string): [file: string, name: string][] {
  let file = '';
  return [...cell.matchAll(/`(test\/[^`]+)`: |"([^"]+)"/g)].flatMap(([, path, name]) => {
    file = path ?? file;
    return name === undefined ? [] : [[file, name] as [string, string]];
  });
}

test('every threat says who, what holds, and what remains', () => {
  expect(rows.length).toBeGreaterThan(20);
  expect(rows.filter((cells) => cells.length !== 5 || cells.some((cell) => cell === ''))).toEqual(
    [],
  );
});

test.each(rows.map((cells) => [cells[0] as string, cells[3] as string]))('%s', (_threat, cell) => {
  const tests = testsOf(cell);
  expect(tests).not.toEqual([]);
  for (const [file, name] of tests) {
    const path = join(root, file);
    const written = existsSync(path) ? readFileSync(path, 'utf8') : '';
    // What is commented out tests nothing.
    const text = written.replace(/^\s*\/\/.*$/gm, '').replaceAll("\\'", "'");
    const declared =
      ["'", '"', '`'].some((quote) => text.includes(`${quote}${name}${quote}`)) ||
      // What is named in a table of the test's.
      text.includes(`['${name}',`);
    expect([file, name, declared]).toEqual([file, name, true]);
  }
});
