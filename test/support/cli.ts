/** Runs `tls-client-cert`, the program, as its users do: compiled, installed, in a process of its own. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { plainEnvironment } from './environment';
import { makeProject } from './installed';
import { registerLeftover } from './leftovers';
import { Printed } from './printed';

export interface CliResult {
  /** Exit code, or the name of the signal that ended it. */
  readonly end: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** What it reads on stdin. Default: nothing. */
  readonly input?: string;
  readonly node?: string;
}

/** A program that runs. */
export interface RunningCli {
  readonly printed: Printed;
  readonly result: Promise<CliResult>;
  readonly stdin: NodeJS.WritableStream;
  kill(signal: NodeJS.Signals): void;
}

export interface Cli {
  /** Of the compiled program: `node main …`. */
  readonly main: string;
  readonly folder: string;
  start(args: readonly string[], options?: CliOptions): RunningCli;
  run(args: readonly string[], options?: CliOptions): Promise<CliResult>;
  remove(): void;
}

const LONGEST_RUN = 15_000;

/**
 * Compiles and installs it, which takes some tenths of a second: once a test file, in `beforeAll`.
 *
 * @param packages - What is installed beside it.
 */
export function installCli(packages = ['commander', '@inquirer/prompts', 'pkcs11js']): Cli {
  const project = makeProject(packages);
  const main = join(project.folder, 'node_modules/tls-client-cert/dist/cli/main.js');
  const start = (args: readonly string[], options: CliOptions = {}) => {
    const { env = {}, cwd = project.folder, input, node = process.execPath } = options;
    const child = spawn(node, [main, ...args], {
      cwd,
      stdio: 'pipe',
      timeout: LONGEST_RUN,
      env: { ...cleanEnvironment(), ...env },
    });
    const forget = registerLeftover(async () => void child.kill('SIGKILL'));
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const printed = new Printed('tls-client-cert', child);
    child.stdin.on('error', () => {});
    if (input !== undefined) child.stdin.end(input);
    const result = new Promise<CliResult>((resolve) => {
      child.once('close', (code, signal) => {
        forget();
        resolve({ end: signal ?? code ?? -1, stdout: printed.stdout, stderr });
      });
    });
    const kill = (signal: NodeJS.Signals) => void child.kill(signal);
    return { printed, result, stdin: child.stdin, kill };
  };
  const run = (args: readonly string[], options: CliOptions = {}) =>
    start(args, { input: '', ...options }).result;
  return { main, folder: project.folder, start, run, remove: project.remove };
}

/** What a busy machine adds to stderr: what takes more than half a second is told there. */
export const withoutProgress = (stderr: string) => stderr.replace(/^.* …\n/gm, '');

/** Nothing of the machine's that changes what it prints. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = plainEnvironment();
  const shaping = ['COLUMNS', 'TERM', 'NODE_DEBUG', 'SSLKEYLOGFILE', 'NODE_OPTIONS'];
  for (const name of [...shaping, 'NODE_EXTRA_CA_CERTS', 'NODE_TLS_REJECT_UNAUTHORIZED']) {
    delete kept[name];
  }
  return kept;
}
