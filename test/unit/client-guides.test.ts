/** The programs in the guides are the examples that are run against real servers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeBlocks } from '../support/doc-examples';

const root = join(__dirname, '../..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');

/** As a reader has it, who has installed the package. */
function installed(example: string): string {
  return example
    .slice(example.indexOf('*/\n') + 3)
    .replace(/from '[^']*lib\/[^']*'; \/\/ ('[^']*')/g, 'from $1;');
}

test.each(['ldapts', 'mqtt', 'mysql2', 'nodemailer', 'pg'])('%s', (name) => {
  const guide = `docs/guides/clients/${name}.md`;
  const programs = codeBlocks(guide, read(guide)).map(({ code }) => code);
  const example = installed(read(`examples/clients/${name}.ts`));
  expect(example).toContain("from 'tls-client-cert");
  expect(programs).toEqual([example]);
});
