// The life-cycle tests with their children under valgrind's memcheck: `npm run test:memcheck`. Without
// arguments a child of each kind; `-- --all`: all of them; other arguments are jest's. It fails where a test
// fails, where memcheck has a report that counts (memcheck-reports.cjs), and where a process got no verdict.
const { spawnSync } = require('node:child_process');
const { join } = require('node:path');
const { addonIn, buildAddon, ROOT } = require('../instrumented-addon.cjs');
const { reports } = require('./memcheck-reports.cjs');
const { emptied, printFound } = require('./found.cjs');
const { transpileAll } = require('./transpiled.cjs');

const OUT = join(ROOT, 'build/memcheck');
const PLANTED = join(OUT, 'planted');
const FLAGS = ['-O1', '-fno-omit-frame-pointer'];
const SLOWNESS = '30';

/** What cannot hold under valgrind, and why. */
const EXCLUDED = {
  'lifecycle/descriptor.test': "measures CPU time and RSS, which are valgrind's there",
  'lifecycle/received.test': "counts page faults, which are valgrind's there",
  'lifecycle/secrets.test': 'looks through snapshots of the heap, minutes each',
  'lifecycle/missing-binary': 'no connection; what it loads is not the addon',
};

/** The tests that run by default, by the ends of their names: each kind of child, each way to end. */
const SAMPLE = [
  'waiting for the ServerHello by an uncaught exception',
  'open by process.exit',
  'signing on TLS 1.2 by process.exit',
  'asked later by an uncaught exception',
  'a connection in each phase, by SIGTERM',
  'a connection in each phase, by its natural end',
  "thrown in 'data'",
  "thrown in a write's callback",
  'and the process at last, while suspended',
  'signed two workers and the main thread at once, TLSv1.3',
];

/** Node under memcheck, its reports in `logs`. */
const node = (logs) => [
  'valgrind',
  '--tool=memcheck',
  '--quiet',
  '--xml=yes',
  `--xml-file=${join(logs, '%p.xml')}`,
  '--leak-check=full',
  '--show-leak-kinds=definite',
  '--num-callers=40',
  // V8 writes code where it wrote code before.
  '--smc-check=all-non-file',
  process.execPath,
];

/** That each kind of defect is found by the same means as in the tests. */
function prove() {
  const logs = emptied(join(OUT, 'proof'));
  const planted = JSON.stringify(addonIn(PLANTED));
  const calls = ['leak', 'useAfterFree', 'overRead', 'uninitialised'];
  const program = `const planted = require(${planted}); for (const call of ${JSON.stringify(calls)}) planted[call]();`;
  const [valgrind, ...args] = node(logs);
  const { stderr, error } = spawnSync(valgrind, [...args, '-e', program], { encoding: 'utf8' });
  if (error) throw error;
  const { found } = reports(logs);
  for (const expected of [
    /^Leak_DefinitelyLost: [\s\S]*\bLeak\(\)/,
    /^InvalidRead: [\s\S]*\bUseAfterFree\(\)/,
    /^InvalidRead: [\s\S]*\bOverRead\(\)/,
    /^UninitCondition: [\s\S]*\bUninitialised\(\)/,
  ]) {
    if (!found.some(({ report }) => expected.test(report))) {
      throw new Error(`a planted defect was not found: ${expected}\n${stderr}`);
    }
  }
}

const quoted = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

async function main(args) {
  await buildAddon(PLANTED, { flags: FLAGS, sources: ['tools/sanitizers/planted.cc'] });
  prove();
  await buildAddon(OUT, { flags: FLAGS });
  transpileAll();
  const logs = emptied(join(OUT, 'logs'));
  const everything = args.includes('--all');
  const given = args.filter((argument) => argument !== '--all');
  const chosen =
    everything || given.length > 0
      ? []
      : ['--testNamePattern', `(?:${SAMPLE.map(quoted).join('|')})$`];
  const { status } = spawnSync(
    process.execPath,
    [
      'node_modules/jest/bin/jest.js',
      ...(given.some((argument) => argument.startsWith('test/')) ? [] : ['test/lifecycle']),
      ...chosen,
      '--testTimeout=600000',
      '--testPathIgnorePatterns',
      '/node_modules/',
      ...Object.keys(EXCLUDED),
      // An option between, or jest takes what follows for more of them.
      '--ci',
      ...given,
    ],
    {
      cwd: ROOT,
      stdio: 'inherit',
      env: {
        ...process.env,
        TLS_CLIENT_CERT_PREBUILD: OUT,
        TLS_CLIENT_CERT_TEST_NODE: JSON.stringify(node(logs)),
        TLS_CLIENT_CERT_TEST_SLOWNESS: SLOWNESS,
      },
    },
  );
  const { found, processes, others, unfinished } = reports(logs);
  printFound(logs, found);
  if (unfinished.length > 0) console.log(`\nno verdict: ${unfinished.join(' ')}`);
  console.log(
    `\n${found.length} memcheck reports from ${processes} processes (${others} of V8's or Node's own are not counted)`,
  );
  const good = status === 0 && found.length === 0 && unfinished.length === 0 && processes > 0;
  process.exitCode = good ? 0 : 1;
}

void main(process.argv.slice(2));
