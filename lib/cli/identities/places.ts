/**
 * Where identities are looked for when nobody says where.
 */
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { systemModule } from './tokens';

/** Sources for `findIdentities()`, and what the places are called. */
export interface Places {
  readonly sources: readonly string[];
  /** For people: `'this folder'`, … */
  readonly names: readonly string[];
}

/**
 * The folder that one is in; `~/.postgresql`, where libpq has its own (PostgreSQL, section "SSL Support"), and
 * `~/.globus`, where grid tools do; all tokens of the system's PKCS#11 module.
 */
export function defaultPlaces(): Places {
  const places: [source: string, name: string][] = [['.', 'this folder']];
  for (const name of ['.postgresql', '.globus']) {
    const folder = join(homedir(), name);
    if (isFolder(folder)) places.push([folder, `~/${name}`]);
  }
  const tokens = systemModule();
  if (tokens !== undefined) places.push(['pkcs11:', `the tokens of ${tokens}`]);
  return { sources: places.map(([source]) => source), names: places.map(([, name]) => name) };
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
