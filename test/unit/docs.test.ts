/** What the documents point at is there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(__dirname, '../..');
const documents = [
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...['docs', 'docs/guides', 'docs/guides/clients'].flatMap(markdown),
];

function markdown(folder: string): string[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
}

test.each(documents)('%s links to files that exist', (document) => {
  const text = readFileSync(join(root, document), 'utf8');
  const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, link]) => String(link));
  const missing = links.filter((link) => !existsSync(join(root, dirname(document), link)));
  expect(missing).toEqual([]);
});

describe("the manual page's table", () => {
  const rows = readFileSync(join(root, 'docs/man-page.md'), 'utf8')
    .split('\n')
    .filter((line) => /^\| [A-Z]\d+ \|/.test(line));

  it('has every statement proved by tests that exist', () => {
    expect(rows).toHaveLength(28);
    for (const row of rows) {
      const proofs = row.split('|')[4] ?? '';
      const tests = [...proofs.matchAll(/`([a-z]+\/[a-z_.-]+)`/g)].map(([, name]) => String(name));
      const files = tests.map((name) => `test/${name}${name.endsWith('.cc') ? '' : '.test.ts'}`);
      expect({ row, files: files.filter((file) => existsSync(join(root, file))) }).toEqual({
        row,
        files,
      });
      expect(files).not.toHaveLength(0);
    }
  });

  it('has no open rows', () => {
    expect(rows.filter((row) => row.includes('open**'))).toEqual([]);
  });
});
