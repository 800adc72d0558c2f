/** The examples in the documents compile, as a reader would paste them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeBlocks, compileBlocks } from '../support/doc-examples';

const root = join(__dirname, '../..');
const guides = readdirSync(join(root, 'docs/guides'), { recursive: true, encoding: 'utf8' });
/** Those of drivers are examples in TypeScript, which are compiled where they lie (client-guides.test.ts). */
const isCompiledElsewhere = (guide: string) =>
  existsSync(join(root, 'examples', guide.replace(/md$/, 'ts')));
const documents = [
  'README.md',
  ...guides
    .filter((name) => name.endsWith('.md') && !isCompiledElsewhere(name))
    .map((name) => `docs/guides/${name}`),
];
const programs = readdirSync(join(root, 'examples/clients')).filter((name) =>
  /\.m[jt]s$/.test(name),
);

/** Wrong examples, and what is to be said of them: a compiler that finds nothing may not be one. */
const mistakes: [kind: string, code: string, problem: RegExp][] = [
  ['option', 'connect({ port, clientCertCalback: null });', /'clientCertCalback' does not exist/],
  ["option's type", "connect({ port, clientCertTimeout: '1 s' });", /'string' is not assignable/],
  ['event', "connect({ port }).on('secureConnected', () => {});", /'"secureConnected"' is not/],
  ['argument of a listener', "connect({ port }).on('suspend', (s) => s.go());", /'go' does not/],
  ['property', 'connect({ port }).clientAuth.state;', /'state' does not exist/],
  ['answer', 'connect({ port, clientCertCallback: () => 1 });', /'number' is not assignable/],
  ["use of the reader's own", 'pickCard([]);', /Expected 2 arguments, but got 1/],
  ['name', 'connect({ port, session: nobodys });', /Cannot find name 'nobodys'/],
  ['import', "import { conect } from 'tls-client-cert';", /no exported member named 'conect'/],
  ['list of imports', "import 'tls-client-cert';\nconnect({ port });", /find name 'connect'/],
  ['silence on a type', 'function drive(operation) {}', /implicitly has an 'any' type/],
];
const mistaken = mistakes.map(
  ([kind, code]) => [kind, `Text.\n\n\`\`\`js\n${code}\n\`\`\`\n`] as const,
);

let problems: string[];
const blocks: string[] = [];

beforeAll(() => {
  const texts = documents.map((name) => [name, readFileSync(join(root, name), 'utf8')] as const);
  for (const [document, text] of texts) {
    blocks.push(...codeBlocks(document, text).map(({ code }) => code));
  }
  problems = compileBlocks(
    [...texts, ...mistaken].flatMap(([document, text]) => codeBlocks(document, text)),
  );
});

const problemsOf = (document: string) =>
  problems.filter((problem) => problem.startsWith(`${document}:`));

test.each(documents)('the examples of %s compile', (document) => {
  expect(problemsOf(document)).toEqual([]);
});

// Those that CI runs are those that a reader sees.
test.each(programs)('examples/clients/%s stands in a guide', (name) => {
  expect(blocks).toContain(readFileSync(join(root, 'examples/clients', name), 'utf8'));
});

test.each(mistakes)('a wrong %s is found, in its line', (kind, code, problem) => {
  const found = problemsOf(kind);
  expect(found).toEqual([expect.stringMatching(problem)]);
  expect(found[0]).toMatch(`${kind}:${3 + code.split('\n').length}: `);
});
