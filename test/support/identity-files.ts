/** Folders with certificates and keys in all the forms in which people keep them. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { registerLeftover } from './leftovers';

export type Contents = string | Buffer;

export interface Folder {
  readonly path: string;
  /** Writes further files; returns the path of the first. */
  write(files: Readonly<Record<string, Contents>>): string;
  file(name: string): string;
  remove(): void;
}

export function makeFolder(files: Readonly<Record<string, Contents>> = {}): Folder {
  const path = mkdtempSync(join(tmpdir(), 'tls-client-cert-identities-'));
  const forget = registerLeftover(async () => remove());
  const remove = () => {
    forget();
    if (existsSync(path)) chmodSync(path, 0o700);
    rmSync(path, { recursive: true, force: true });
  };
  const file = (name: string) => join(path, name);
  const write = (more: Readonly<Record<string, Contents>>) => {
    for (const [name, contents] of Object.entries(more)) {
      mkdirSync(dirname(file(name)), { recursive: true });
      writeFileSync(file(name), contents);
    }
    return file(Object.keys(more)[0] ?? '');
  };
  write(files);
  return { path, write, file, remove };
}
