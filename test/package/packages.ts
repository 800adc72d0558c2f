/** Packs the work tree, without and with a prebuilt binary, from a copy of it. */
import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { npm } from './npm';

const ROOT = join(__dirname, '../..');

/** What a clone does not have. */
const NOT_COPIED = new Set(['.git', 'node_modules', 'build', 'dist', 'prebuilds', 'coverage']);

export interface PackedFile {
  readonly path: string;
  readonly size: number;
}

export interface Packages {
  readonly folder: string;
  /** A copy of the work tree, as cloned, with `prebuilds` and `dist` made. */
  readonly tree: string;
  /** Tarballs. */
  readonly withoutPrebuild: string;
  readonly withPrebuild: string;
  /** What `withPrebuild` holds. */
  readonly files: readonly PackedFile[];
  /** Tarballs of what the package depends on, so that installing needs no registry. */
  readonly dependencies: readonly string[];
  /** Of the optional ones, the tarball of the one that the command cannot do without. */
  readonly commander: string;
}

export async function makePackages(): Promise<Packages> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'tls-client-cert-package-')));
  try {
    return await fill(folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function fill(folder: string): Promise<Packages> {
  const tree = join(folder, 'tree');
  await cp(ROOT, tree, {
    recursive: true,
    filter: (source) => !NOT_COPIED.has(relative(ROOT, source)),
  });
  await symlink(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  // Of a source file that was renamed since.
  await mkdir(join(tree, 'dist'));
  await writeFile(join(tree, 'dist/left-over.js'), 'throw new Error();\n');
  const without = await pack(tree, join(folder, 'without'));
  await npm(['run', 'prebuild'], tree);
  const withPrebuild = await pack(tree, join(folder, 'with'));
  const { dependencies } = require('../../package.json') as { dependencies: object };
  const packed = async (name: string) => {
    const source = join(ROOT, 'node_modules', name);
    return (await pack(source, join(folder, 'dependencies'), '--ignore-scripts')).tarball;
  };
  const tarballs: string[] = [];
  for (const name of Object.keys(dependencies)) tarballs.push(await packed(name));
  return {
    folder,
    tree,
    withoutPrebuild: without.tarball,
    withPrebuild: withPrebuild.tarball,
    files: withPrebuild.files,
    dependencies: tarballs,
    commander: await packed('commander'),
  };
}

async function pack(source: string, destination: string, ...options: string[]) {
  await mkdir(destination, { recursive: true });
  const args = ['pack', '--json', '--pack-destination', destination, ...options];
  const printed = await npm(args, source);
  // The `prepare` script prints first.
  const json = printed.slice(printed.search(/^[[{]$/m));
  // npm 11 and earlier print a list, later ones an object by name.
  const [packed] = Object.values(JSON.parse(json)) as { filename: string; files: PackedFile[] }[];
  if (packed === undefined) throw new Error(`npm pack printed nothing: ${printed}`);
  return { tarball: join(destination, packed.filename), files: packed.files };
}
