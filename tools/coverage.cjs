// Line coverage of lib and native by the tests: `npm run coverage`. Prints each file below the
// threshold and each room's figure, and fails when a room is below it.
//
//   --report     from what an earlier run left, without running anything
//   --native     native/openssl by its own tests alone: a minute in place of many
//
// It needs the programs that .ci/run installs: a test of jest's that fails fails it as well.
//
// lib: what jest counts in its own processes, by statements as babel-plugin-istanbul has them. native:
// gcov, over the C++ tests, and over an addon built for it in which jest's tests run.
const { execFileSync } = require('node:child_process');
const { existsSync, readdirSync, readFileSync, rmSync } = require('node:fs');
const { join, relative } = require('node:path');
const { BINDING, buildAddon, MACHINE, must, ROOT, run } = require('./instrumented-addon.cjs');

const THRESHOLD = 95;
const OUT = join(ROOT, 'build/coverage');
const NATIVE_TESTS = join(ROOT, 'build/native-test/coverage');

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

function libReport() {
  const path = join(OUT, 'jest/coverage-final.json');
  return Object.values(JSON.parse(readFileSync(path, 'utf8'))).map(({ path, statementMap, s }) => {
    const lines = new Map();
    for (const [id, { start }] of Object.entries(statementMap)) {
      lines.set(start.line, Math.max(lines.get(start.line) ?? 0, s[id]));
    }
    return {
      path: relative(ROOT, path),
      total: lines.size,
      covered: [...lines.values()].filter((count) => count > 0).length,
      missing: [...lines].filter(([, count]) => count === 0).map(([line]) => line),
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
      const jest = ['--coverage', '--coverageProvider=babel', '--coverageReporters=json'];
      const folders = ['test/unit', 'test/integration', 'test/lifecycle', 'test/signers'];
      failed =
        run(
          process.execPath,
          [
            'node_modules/jest/bin/jest.js',
            ...folders,
            ...['clients', 'servers'].map((name) => `test/${name}`),
            ...jest,
            `--coverageDirectory=${join(OUT, 'jest')}`,
            '--collectCoverageFrom=lib/**/*.ts',
          ],
          // node-gyp-build looks there.
          { TLS_CLIENT_CERT_PREBUILD: OUT },
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
