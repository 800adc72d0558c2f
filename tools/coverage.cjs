// Line coverage of lib and native by the tests: `npm run coverage`. Prints each file below the
// threshold and each room's figure, and fails when a room is below it.
//
//   --report     from what an earlier run left, without running anything
//   --native     native/openssl by its own tests alone: a minute in place of many
//
// It needs the programs that .ci/run installs: a test of jest's that fails fails it as well.
//
// lib: by statements, as istanbul has them, in jest's own processes and in those that its tests start (see
// counted.cjs). native: gcov, over the C++ tests, and over an addon built for it in which jest's tests run.
const { execFileSync } = require('node:child_process');
const {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} = require('node:fs');
const { dirname, join, relative } = require('node:path');
const { BINDING, buildAddon, MACHINE, must, ROOT, run } = require('./instrumented-addon.cjs');

const THRESHOLD = 95;
const OUT = join(ROOT, 'build/coverage');
const NATIVE_TESTS = join(ROOT, 'build/native-test/coverage');
const STATEMENTS = join(OUT, 'statements.json');
const CHILDREN = join(OUT, 'children');

// All but those of the package, which is lib without its types, and of the leaks, which are the same connections
// by the thousand.
const FOLDERS = [
  ...['unit', 'integration', 'lifecycle', 'security', 'model'],
  ...['cli', 'clients', 'servers', 'signers'],
];

/** By file, by line: how often it ran, all runs together. */
function nativeLines() {
  const files = new Map();
  const folders = [join(NATIVE_TESTS, 'openssl'), join(OUT, 'objects')];
  for (const folder of folders.filter(existsSync)) {
    for (const name of readdirSync(folder).filter((file) => file.endsWith('.gcda'))) {
      const json = execFileSync('gcov', ['--json-format', '--stdout', join(folder, name)], {
        // Its paths are relative to where the compiler ran.
        cwd: folder.startsWith(OUT) ? ROOT : join(ROOT, 'test/native'),
        maxBuffer: 1 << 28,
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const { current_working_directory: base, files: seen } = JSON.parse(json);
      for (const { file, lines } of seen) {
        const path = relative(ROOT, join(file.startsWith('/') ? '' : base, file));
        if (!path.startsWith('native/')) continue;
        const counts = files.get(path) ?? new Map();
        files.set(path, counts);
        for (const { line_number: line, count } of lines) {
          counts.set(line, (counts.get(line) ?? 0) + count);
        }
      }
    }
  }
  return files;
}

function nativeReport(folder, files) {
  return [...files]
    .filter(([path]) => path.startsWith(folder))
    .map(([path, counts]) => ({
      path,
      total: counts.size,
      covered: [...counts.values()].filter((count) => count > 0).length,
      missing: [...counts].filter(([, count]) => count === 0).map(([line]) => line),
    }));
}

/** Puts counters into a copy of lib, and keeps what each of them stands for. */
function countLib() {
  const { createInstrumenter } = require('istanbul-lib-instrument');
  const instrumenter = createInstrumenter({ esModules: true, parserPlugins: ['typescript'] });
  const statements = {};
  for (const name of readdirSync(join(ROOT, 'lib'), { recursive: true })) {
    if (!name.endsWith('.ts')) continue;
    const path = join('lib', name);
    const copy = join(OUT, 'counted', path);
    mkdirSync(dirname(copy), { recursive: true });
    writeFileSync(copy, instrumenter.instrumentSync(readFileSync(join(ROOT, path), 'utf8'), path));
    statements[path] = instrumenter.lastFileCoverage().statementMap;
  }
  writeFileSync(STATEMENTS, JSON.stringify(statements));
  mkdirSync(CHILDREN);
}

/** The statements that ran, as `path id`, in whatever process. */
function ranStatements() {
  const ran = new Set();
  const add = (path, ids) => {
    for (const id of ids) ran.add(`${path} ${id}`);
  };
  for (const name of readdirSync(CHILDREN).filter((file) => file.endsWith('.json'))) {
    for (const [path, ids] of JSON.parse(readFileSync(join(CHILDREN, name), 'utf8'))) {
      add(path, ids);
    }
  }
  const jest = JSON.parse(readFileSync(join(OUT, 'jest/coverage-final.json'), 'utf8'));
  for (const { path, s } of Object.values(jest)) {
    add(
      path,
      Object.keys(s).filter((id) => s[id] > 0),
    );
  }
  return ran;
}

function libReport() {
  const ran = ranStatements();
  return Object.entries(JSON.parse(readFileSync(STATEMENTS, 'utf8'))).map(([path, statements]) => {
    const lines = new Map();
    for (const [id, { start }] of Object.entries(statements)) {
      lines.set(start.line, lines.get(start.line) || ran.has(`${path} ${id}`));
    }
    return {
      path,
      total: lines.size,
      covered: [...lines.values()].filter(Boolean).length,
      missing: [...lines].filter(([, covered]) => !covered).map(([line]) => line),
    };
  });
}

const percent = (covered, total) => (total === 0 ? 100 : (covered / total) * 100);

/** Whether it is high enough. */
function print(room, report) {
  let total = 0;
  let covered = 0;
  for (const file of report.sort((one, other) => (one.path < other.path ? -1 : 1))) {
    total += file.total;
    covered += file.covered;
    const part = percent(file.covered, file.total);
    if (part >= THRESHOLD) continue;
    const lines = file.missing.sort((one, other) => one - other).join(' ');
    console.log(`${part.toFixed(1).padStart(6)} %  ${file.path}: not ${lines}`);
  }
  const part = percent(covered, total);
  console.log(`${part.toFixed(1).padStart(6)} %  ${room}: ${covered} of ${total} lines\n`);
  return total > 0 && part >= THRESHOLD;
}

async function main(args) {
  const alone = args.includes('--native');
  let failed = false;
  if (!args.includes('--report')) {
    rmSync(OUT, { recursive: true, force: true });
    must('make', ['-C', 'test/native', '-j2', 'clean-coverage']);
    must('make', ['-C', 'test/native', '-j2', 'FLAVOUR=coverage', 'run']);
    if (!alone) {
      await buildAddon(OUT, { flags: ['-O0', '--coverage'], linkFlags: ['--coverage'] });
      countLib();
      failed =
        run(
          process.execPath,
          [
            'node_modules/jest/bin/jest.js',
            ...FOLDERS.map((name) => `test/${name}/`),
            ...['--coverage', '--coverageProvider=babel', '--coverageReporters=json'],
            `--coverageDirectory=${join(OUT, 'jest')}`,
            // Compiled files know nothing of the counters in what they were compiled from.
            `--cacheDirectory=${join(OUT, 'cache')}`,
          ],
          // node-gyp-build looks in the first.
          { TLS_CLIENT_CERT_PREBUILD: OUT, TLS_CLIENT_CERT_COVERAGE: OUT },
        ) !== 0;
    }
  }
  const files = nativeLines();
  const rooms = [[MACHINE, nativeReport(MACHINE, files)]];
  if (!alone) rooms.push([BINDING, nativeReport(BINDING, files)], ['lib', libReport()]);
  for (const [room, report] of rooms) failed = !print(room, report) || failed;
  process.exitCode = failed ? 1 : 0;
}

void main(process.argv.slice(2));
