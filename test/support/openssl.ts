/** Runs the `openssl` command line tool: the one thing besides Node that the tests need. */
import { execFile } from 'node:child_process';
import { availableParallelism, devNull } from 'node:os';

/** The tool's path or name; `TCC_OPENSSL` names another one than the first on the PATH. */
export const OPENSSL = process.env.TCC_OPENSSL ?? 'openssl';

/** Keeps a distribution's openssl.cnf (security level, protocol floor) out of the tests. */
export function opensslEnvironment(): NodeJS.ProcessEnv {
  // A sanitizer's runtime is for Node.
  return { ...process.env, OPENSSL_CONF: devNull, LD_PRELOAD: '' };
}

/** Runs `openssl` with these arguments; resolves to its standard output. */
export function openssl(args: readonly string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      OPENSSL,
      args,
      { cwd, encoding: 'utf8', env: opensslEnvironment() },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else if (error.code === 'ENOENT') reject(new Error(MISSING));
        else reject(new Error(`openssl ${args.join(' ')} failed: ${stderr || error.message}`));
      },
    );
  });
}

const MISSING =
  'The tests need the openssl command line tool, version 3.0 or later ' +
  '(Debian and Ubuntu: apt-get install openssl). Name another one with TCC_OPENSSL.';

/** Fails with a sentence that says what to install, unless `openssl` 3.0 or later is there. */
export async function requireOpenssl(): Promise<void> {
  const version = await openssl(['version'], '.');
  const major = /^OpenSSL (\d+)\./.exec(version)?.[1];
  if (major === undefined || Number(major) < 3) throw new Error(`${MISSING} Found: ${version}`);
}

/** Runs jobs as soon as those they depend on have ended, a few at a time. */
export class JobLimiter {
  readonly #limit = availableParallelism() + 1;
  #running = 0;
  readonly #waiting: Array<() => void> = [];

  async run<T>(job: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limit) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running += 1;
    }
    try {
      return await job();
    } finally {
      // A waiting job takes over this one's place, so the count stays.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
