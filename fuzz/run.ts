// Runs the fuzz targets: docs/fuzzing.md.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { buildOf, Ledger } from './ledger';

const ROOT = join(__dirname, '..');
const OUT = join(ROOT, 'build/fuzz');
interface Target {
  /** Bytes of an input. Longer ones cost time and find nothing that shorter ones do not. */
  readonly maxLength: number;
  /** Two thirds of those that the seeds reach: with fewer it does no more what it is there for. */
  readonly leastEdges: number;
}
const TARGETS: Readonly<Record<string, Target>> = {
  handshake: { maxLength: 400, leastEdges: 1_400 },
  credential: { maxLength: 4096, leastEdges: 600 },
  request: { maxLength: 1024, leastEdges: 270 },
  'external-key': { maxLength: 240, leastEdges: 300 },
};
const NAMES = Object.keys(TARGETS);

// They read what the machine's owner installed.
const WITHOUT_TARGET = /^(store|store_key|provider_library)\./;

// libFuzzer's, where somebody ended it. It has said by then what it did.
const INTERRUPTED = 72;

const ENVIRONMENT = {
  ...process.env,
  // A distribution's openssl.cnf may change levels and versions; the targets set their own.
  OPENSSL_CONF: '/dev/null',
  ASAN_OPTIONS: 'detect_leaks=1:strict_string_checks=1:malloc_context_size=2:quarantine_size_mb=8',
  UBSAN_OPTIONS: 'print_stacktrace=1',
};

// Milliseconds. A run may take hours.
const SIGN_OF_LIFE = 300_000;

const ledger = new Ledger(join(OUT, 'executions.json'));
let interrupted = false;

interface Run {
  target: string;
  status: number | null;
  executions: number;
  seconds: number;
  cover: number;
  /** Inputs that it ended at, for good. */
  saved: string[];
}

function make(...goals: string[]): void {
  execFileSync('make', ['--no-print-directory', '-C', __dirname, ...goals], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function folder(...parts: string[]): string {
  const path = join(OUT, ...parts);
  mkdirSync(path, { recursive: true });
  return path;
}

/** The folders whose inputs every run begins with. */
function inputs(target: string): string[] {
  return [
    folder('corpus', target),
    join(OUT, 'seeds', target),
    join(__dirname, 'regressions', target),
  ].filter((path) => existsSync(path));
}

// One process, whose words go to a file; what it says at its end is read.
async function fuzz(target: string, worker: number, limits: string[]): Promise<Run> {
  const found = folder('found');
  const prefix = join(found, `${target}-`);
  const before = new Set(readdirSync(found));
  const options = [
    `-artifact_prefix=${prefix}`,
    `-max_len=${TARGETS[target]?.maxLength}`,
    '-timeout=20',
    '-rss_limit_mb=2048',
    '-print_final_stats=1',
    // What others of this target have found is looked at now and then.
    '-reload=30',
    // What it costs grows with the corpus: a fifth of the time of a handshake.
    '-entropic=0',
    '-verbosity=1',
    ...limits,
  ];
  const started = Date.now();
  const child = spawn(fuzzer(target), [...options, ...inputs(target)], {
    env: ENVIRONMENT,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const stop = (): void => {
    interrupted = true;
    child.kill('SIGINT');
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // The end is what matters, and of a crash the middle of the output as well.
  let log = '';
  const last = (pattern: RegExp): number => Number([...log.matchAll(pattern)].at(-1)?.[1] ?? 0);
  // It tells a number with each input that it keeps.
  const reached = (): number => last(/^#(\d+)\t/gm);
  const progress = setInterval(() => {
    console.log(`${target}: process ${worker} is past ${reached()} executions`);
  }, SIGN_OF_LIFE).unref();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-1e6);
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  clearInterval(progress);
  process.off('SIGINT', stop);
  process.off('SIGTERM', stop);
  writeFileSync(join(folder('log'), `${target}-${worker}.log`), log);
  const saved = readdirSync(found)
    .filter((name) => !before.has(name) && name.startsWith(`${target}-`))
    .map((name) => join(found, name));
  return {
    target,
    status,
    executions: last(/number_of_executed_units: (\d+)/g) || reached(),
    seconds: (Date.now() - started) / 1000,
    cover: last(/cov: (\d+)/g),
    saved: saved.filter((path) => log.includes(basename(path))),
  };
}

const fuzzer = (target: string): string => join(OUT, 'fuzzer', target);

/** Nobody ended it, nor its time. */
const failed = (run: Run): boolean => run.status !== 0 && run.status !== INTERRUPTED;

function report(run: Run): void {
  const rate = run.executions / run.seconds;
  console.log(
    `${run.target}: ${run.executions} executions in ${run.seconds.toFixed(0)} s, ` +
      `${rate.toFixed(0)} exec/s, ${run.cover} edges`,
  );
  if (run.status === INTERRUPTED) console.log(`${run.target}: interrupted`);
  if (!failed(run)) return;
  const log = relative(ROOT, join(OUT, 'log'));
  console.log(`${run.target}: FAILED with status ${run.status}; what it said is in ${log}`);
  for (const path of run.saved) {
    const shown = relative(ROOT, path);
    console.log(
      `  the input is ${shown}\n` +
        `  to reproduce: npm run fuzz -- --replay ${shown} ${run.target}\n` +
        `  once mended:  mv ${shown} fuzz/regressions/${run.target}/`,
    );
  }
}

/** Of all processes of a target together. */
function reportWhole(target: string, runs: Run[]): void {
  const executions = runs.reduce((sum, run) => sum + run.executions, 0);
  const rate = executions / Math.max(...runs.map((run) => run.seconds));
  console.log(
    `${target}: ${executions} executions by ${runs.length} processes, ` +
      `${runs.filter(failed).length} of which failed; ` +
      `10 million at this rate: ${(1e7 / rate / 3600).toFixed(1)} h`,
  );
}

/** So many at a time. */
async function atATime(most: number, jobs: (() => Promise<Run>)[]): Promise<Run[]> {
  const runs: Run[] = [];
  const waiting = [...jobs];
  const worker = async (): Promise<void> => {
    for (let job = waiting.shift(); job && !interrupted; job = waiting.shift()) {
      const run = await job();
      report(run);
      runs.push(run);
    }
  };
  await Promise.all(Array.from({ length: most }, worker));
  return runs;
}

const allGood = (runs: Run[]): boolean => !runs.some(failed);

function replay(target: string, paths: string[]): void {
  execFileSync(join(OUT, 'replay', target), paths, {
    env: { ...ENVIRONMENT, ASAN_OPTIONS: 'detect_leaks=1:strict_string_checks=1' },
    stdio: 'inherit',
  });
}

/** Of native/openssl, by all inputs of all targets. */
function coverage(targets: string[]): void {
  make('coverage');
  const profiles = targets.map((target) => {
    const profile = join(folder('profile'), `${target}.profraw`);
    rmSync(profile, { force: true });
    execFileSync(join(OUT, 'coverage', target), inputs(target), {
      env: { ...ENVIRONMENT, LLVM_PROFILE_FILE: profile },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    return profile;
  });
  const merged = join(folder('profile'), 'all.profdata');
  execFileSync('llvm-profdata', ['merge', '-sparse', ...profiles, '-o', merged]);
  const binaries = targets.flatMap((target, i) => {
    const path = join(OUT, 'coverage', target);
    return i === 0 ? [path] : ['-object', path];
  });
  const report = JSON.parse(
    execFileSync('llvm-cov', ['export', '-summary-only', `-instr-profile=${merged}`, ...binaries], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    }),
  );
  interface Summary {
    lines: { count: number; covered: number; percent: number };
    functions: { percent: number };
  }
  const files: { filename: string; summary: Summary }[] = report.data[0].files;
  const all = { count: 0, covered: 0 };
  const tried = { count: 0, covered: 0 };
  console.log('file                          lines  covered  functions');
  for (const { filename, summary } of files) {
    if (!filename.includes('native/openssl/')) continue;
    for (const sum of WITHOUT_TARGET.test(basename(filename)) ? [all] : [all, tried]) {
      sum.count += summary.lines.count;
      sum.covered += summary.lines.covered;
    }
    console.log(
      basename(filename).padEnd(28) +
        String(summary.lines.count).padStart(7) +
        `${summary.lines.percent.toFixed(1)} %`.padStart(9) +
        `${summary.functions.percent.toFixed(1)} %`.padStart(11),
    );
  }
  for (const [name, sum] of Object.entries({ all, 'of what has a target': tried })) {
    console.log(
      `${name.padEnd(28)}${String(sum.count).padStart(7)}` +
        `${((100 * sum.covered) / sum.count).toFixed(1)} %`.padStart(9),
    );
  }
}

/** Keeps of the corpus what is needed for what it reaches. */
function minimize(target: string): void {
  const corpus = folder('corpus', target);
  const smaller = folder('corpus-smaller', target);
  execFileSync(fuzzer(target), ['-merge=1', smaller, ...inputs(target)], {
    env: ENVIRONMENT,
    stdio: 'ignore',
  });
  rmSync(corpus, { recursive: true });
  execFileSync('mv', [smaller, corpus]);
  console.log(`${target}: ${readdirSync(corpus).length} inputs`);
}

const HELP = `npm run fuzz -- [options] [target…]      targets: ${NAMES.join(', ')}
  --time <seconds>   for each target (60)
  --runs <n>         executions of each target, by all of its processes, in place of a time
  --jobs <n>         processes of each target at a time (one for each core)
  --smoke            each target in one process, as many at a time as there are cores
  --replay <file>    runs a target once with that input, and says where it ends
  --coverage         lines of native/openssl that the corpus reaches, by file
  --minimize         drops what the corpus does not need`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      time: { type: 'string', default: '60' },
      runs: { type: 'string' },
      jobs: { type: 'string', default: String(availableParallelism()) },
      smoke: { type: 'boolean', default: false },
      replay: { type: 'string' },
      coverage: { type: 'boolean', default: false },
      minimize: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const unknown = positionals.filter((name) => !NAMES.includes(name));
  const amounts = [values.time, values.runs ?? '1', values.jobs];
  if (values.help || unknown.length > 0 || amounts.some((n) => !/^[1-9]\d*$/.test(n))) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  const targets = positionals.length > 0 ? positionals : NAMES;
  if (values.coverage) {
    coverage(targets);
    return 0;
  }
  if (values.replay !== undefined) {
    const [target] = positionals;
    if (target === undefined) {
      console.log(HELP);
      return 2;
    }
    make('FLAVOUR=replay', 'all');
    replay(target, [values.replay]);
    return 0;
  }
  make('fuzzers');
  if (values.minimize) {
    targets.forEach(minimize);
    return 0;
  }
  const workers = values.smoke ? 1 : Number(values.jobs);
  const limits =
    values.runs === undefined
      ? [`-max_total_time=${values.time}`]
      : [`-runs=${Math.ceil(Number(values.runs) / workers)}`];
  if (values.smoke) {
    // The same each time: what nobody has changed is not to fail. Long runs look for more.
    const jobs = targets.map((target) => () => fuzz(target, 0, ['-seed=1', ...limits]));
    const runs = await atATime(Math.max(2, availableParallelism()), jobs);
    let blind = false;
    for (const { target, cover } of runs) {
      const least = TARGETS[target]?.leastEdges ?? 0;
      if (cover >= least) continue;
      console.log(`${target}: FAILED, for it reached ${cover} edges, fewer than ${least}`);
      blind = true;
    }
    // What did not come to its end is no pass, whoever ended it.
    const whole = runs.every(({ status }) => status === 0) && !interrupted;
    return whole && !blind ? 0 : 1;
  }
  for (const target of targets) {
    // Now: somebody may build another one meanwhile.
    const build = buildOf(fuzzer(target));
    const jobs = Array.from({ length: workers }, (_, i) => async () => {
      const run = await fuzz(target, i, limits);
      try {
        ledger.add(target, build, run.executions, failed(run));
      } catch (error) {
        // What was found is told of all the same.
        console.error(`${run.executions} executions of ${target} were not counted: ${error}`);
      }
      return run;
    });
    const runs = await atATime(workers, jobs);
    if (runs.length > 0) {
      reportWhole(target, runs);
      console.log(ledger.summary(target, build));
    }
    if (!allGood(runs)) return 1;
    if (interrupted) return INTERRUPTED;
  }
  return 0;
}

void main().then(
  (status) => {
    process.exitCode = status;
  },
  (error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  },
);
