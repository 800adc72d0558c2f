/** Forks the children of the life-cycle tests: how they end and what they print is what counts. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { plainEnvironment } from '../support/environment';
import { registerLeftover } from '../support/leftovers';
import { STREAM_ALONE } from '../support/over-descriptors';
import { patience } from '../support/slowness';

export interface ChildResult {
  /** Exit code, or the name of the signal that ended it. */
  readonly end: number | string;
  /** Standard output, line by line. */
  readonly lines: readonly string[];
  readonly errors: string;
}

export interface ChildOptions {
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly timeout?: number;
}

/**
 * What children are started with in place of this Node: a JSON list, a program and its first arguments. The
 * sanitizers' tools set it.
 */
const NODE = JSON.parse(
  process.env.TLS_CLIENT_CERT_TEST_NODE ?? JSON.stringify([process.execPath]),
) as readonly [string, ...string[]];
export const REGISTER = join(__dirname, '../../tools/register-typescript.cjs');

const STREAM_ONLY = join(__dirname, '../support/stream-only.ts');

/** Runs `children/<name>.ts`; a child that hangs is killed, and ends with `SIGKILL`. */
export function runChild(
  name: string,
  args: readonly (string | number)[] = [],
  { flags = [], env = {}, timeout = 15_000 }: ChildOptions = {},
): Promise<ChildResult> {
  const [program, ...first] = NODE;
  const { LD_PRELOAD } = process.env;
  // A sanitizer's runtime stays, and stays first.
  const preloaded = [LD_PRELOAD, env.LD_PRELOAD].filter(Boolean).join(' ');
  const child = spawn(
    program,
    [
      ...first,
      ...flags,
      '--require',
      REGISTER,
      ...(STREAM_ALONE ? ['--require', STREAM_ONLY] : []),
      join(__dirname, 'children', `${name}.ts`),
      ...args.map(String),
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...plainEnvironment(), ...env, LD_PRELOAD: preloaded },
    },
  );
  const forget = registerLeftover(async () => void child.kill('SIGKILL'));
  const timer = setTimeout(() => child.kill('SIGKILL'), patience(timeout));
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      forget();
      const lines = output.split('\n').filter((line) => line !== '');
      resolve({ end: signal ?? code ?? -1, lines, errors });
    });
  });
}
