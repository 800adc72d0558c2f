/** Runs npm and other programs for the package test. */
import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

export interface Ended {
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Never rejects: the status tells. */
export function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Environment = cleanEnvironment(),
): Promise<Ended> {
  return new Promise((resolve) => {
    const maxBuffer = 64 * 1024 * 1024;
    execFile(program, args, { cwd, env, maxBuffer }, (error, stdout, stderr) => {
      resolve({ status: error?.code ?? error?.signal ?? 0, stdout, stderr });
    });
  });
}

/** Resolves to the standard output; throws with all output when the program fails. */
export async function succeed(
  program: string,
  args: readonly string[],
  cwd: string,
  env?: Environment,
): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, cwd, env);
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} ended with ${status}:\n${stdout}\n${stderr}`);
}

export function npm(args: readonly string[], cwd: string, env?: Environment): Promise<string> {
  return succeed(process.execPath, [npmCli(), ...args], cwd, env);
}

/** The script, because the command is looked up on a PATH that we may have emptied. */
export function npmCli(): string {
  const running = process.env.npm_execpath;
  if (running !== undefined && /np[mx]-cli\.js$/.test(running)) {
    return join(dirname(running), 'npm-cli.js');
  }
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    try {
      return realpathSync(join(folder, 'npm'));
    } catch {
      // Not in this one.
    }
  }
  throw new Error('npm is not on the PATH');
}

/** Without what the npm that runs us tells its scripts; what its user configured stays. */
export function cleanEnvironment(): Environment {
  const ours = /^npm_(?!config_)|^npm_config_local_prefix$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}
