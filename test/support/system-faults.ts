/** System calls that fail: a library preloaded into a child process. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SystemFault {
  /** As `system-faults.c` calls it. */
  readonly call: string;
  /** Which call fails first, from 1. */
  readonly nth?: number;
  readonly error: keyof typeof constants.errno;
  /** How many calls in a row fail; default: 1. */
  readonly times?: number;
}

/** What `TCC_FAULT` has to be. */
export function faultVariable({ call, nth = 1, error, times = 1 }: SystemFault): string {
  return `${call} ${nth} ${constants.errno[error]} ${times}`;
}

/** Compiles the library; `remove()` when nothing needs it any more. */
export const buildSystemFaults = () => buildPreloaded('system-faults');

/** The same of `<name>.c`. */
export function buildPreloaded(name: string): { readonly path: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-faults-'));
  const path = join(folder, `${name}.so`);
  const source = join(__dirname, `${name}.c`);
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', path, source, '-ldl']);
  return { path, remove: () => rmSync(folder, { recursive: true }) };
}
