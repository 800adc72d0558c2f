// jest's tests with the addon under AddressSanitizer, LeakSanitizer and UBSan: `npm run test:asan`. Arguments
// are jest's; without a path among them, FOLDERS run. It fails where a test fails and where any process
// wrote a report that counts, whatever became of that process.
//
// The addon is built for it, and the sanitizer's runtime preloaded into Node, so that OpenSSL's memory and
// V8's are under it as well. All programs that the tests start inherit it: what they report counts too.
const { spawnSync, execFileSync } = require('node:child_process');
const { join } = require('node:path');
const { addonIn, buildAddon, ROOT } = require('../instrumented-addon.cjs');
const { reports } = require('./asan-reports.cjs');
const { emptied, printFound } = require('./found.cjs');
const { transpileAll } = require('./transpiled.cjs');

const OUT = join(ROOT, 'build/asan');
const PLANTED = join(OUT, 'planted');
const LOGS = join(OUT, 'logs');
const FOLDERS = ['unit', 'integration', 'lifecycle', 'security'].map((name) => `test/${name}`);

const FLAGS = [
  '-O1',
  '-fsanitize=address,undefined',
  '-fno-sanitize=vptr',
  '-fno-omit-frame-pointer',
  '-fno-sanitize-recover=all',
];

const QUARANTINE_MB = 64;

function environment(logs) {
  return {
    ...process.env,
    LD_PRELOAD: execFileSync('c++', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim(),
    // Leaks leave the exit code alone: other programs have them, and their exit codes are looked at.
    ASAN_OPTIONS: [
      `log_path=${join(logs, 'asan')}`,
      'exitcode=0',
      'abort_on_error=1',
      'handle_abort=1',
      `quarantine_size_mb=${QUARANTINE_MB}`,
    ].join(':'),
    TLS_CLIENT_CERT_TEST_KEPT_FREED: String(QUARANTINE_MB * 1024 * 1024),
    UBSAN_OPTIONS: 'print_stacktrace=1:abort_on_error=1',
    TLS_CLIENT_CERT_UBSAN_LOG: join(logs, 'ubsan'),
    TLS_CLIENT_CERT_PREBUILD: OUT,
    TLS_CLIENT_CERT_LEAK_CHECK: addonIn(PLANTED),
    TLS_CLIENT_CERT_TEST_SLOWNESS: '4',
  };
}

/** That each kind of defect is found, in a file of reports, by the same means as in the tests. */
function prove() {
  const kinds = {
    leak: /^Direct leak of/,
    'leak();planted.checkLeaks': /^Direct leak of/,
    useAfterFree: /heap-use-after-free/,
    overRead: /heap-buffer-overflow/,
    overflow: /signed integer overflow/,
  };
  for (const [defect, expected] of Object.entries(kinds)) {
    const logs = emptied(join(OUT, 'proof'));
    const program = `const planted = require(${JSON.stringify(addonIn(PLANTED))}); planted.${defect}();`;
    const { stderr } = spawnSync(process.execPath, ['-e', program], {
      env: environment(logs),
      encoding: 'utf8',
    });
    if (!reports(logs).some(({ report }) => expected.test(report))) {
      throw new Error(`a planted defect was not found: ${defect}\n${stderr}`);
    }
  }
}

async function main(args) {
  const extra = ['ubsan_log', 'v8_roots'].map((name) => `tools/sanitizers/${name}.cc`);
  const sources = ['tools/sanitizers/planted.cc', ...extra];
  await buildAddon(PLANTED, { flags: FLAGS, sources });
  prove();
  await buildAddon(OUT, { flags: FLAGS, extra });
  transpileAll();
  const logs = emptied(LOGS);
  const named = args.some((argument) => /^(?:\.\/)?test\//.test(argument));
  const { status } = spawnSync(
    process.execPath,
    [
      'node_modules/jest/bin/jest.js',
      ...(named ? [] : FOLDERS),
      ...['after-all', 'leak-check'].flatMap((name) => [
        '--setupFilesAfterEnv',
        `./test/support/${name}.ts`,
      ]),
      '--testTimeout=80000',
      ...args,
    ],
    { cwd: ROOT, stdio: 'inherit', env: environment(logs) },
  );
  const found = reports(logs);
  printFound(logs, found);
  console.log(`\n${found.length} sanitizer reports`);
  process.exitCode = status === 0 && found.length === 0 ? 0 : 1;
}

void main(process.argv.slice(2));
