/** Runs a program of examples/ as its reader would. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { plainEnvironment } from './environment';

const root = join(__dirname, '../..');

/** @returns What it printed. It has to end well, and in time. */
export async function runExample(
  path: string,
  args: readonly (string | number)[],
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--require', join(root, 'tools/register-typescript.cjs'), path, ...args.map(String)],
    { cwd: join(root, 'examples'), env: { ...plainEnvironment(), ...env }, timeout: 15_000 },
  );
  return stdout;
}
