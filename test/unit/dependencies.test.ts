/** Dependencies are few, each has its reason in docs/architecture.md, and the lock file pins all of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly hasInstallScript?: boolean;
}
type Kind = 'dependencies' | 'optionalDependencies' | 'peerDependencies' | 'devDependencies';
type Manifest = Partial<Record<Kind, Record<string, string>>>;

const read = (name: string) => readFileSync(join(__dirname, '../..', name), 'utf8');
const manifest: Manifest = JSON.parse(read('package.json'));
const lock: { packages: Record<string, Locked & Manifest> } = JSON.parse(read('package-lock.json'));
const KINDS: Kind[] = [
  'dependencies',
  'optionalDependencies',
  'peerDependencies',
  'devDependencies',
];
const names = [...new Set(KINDS.flatMap((kind) => Object.keys(manifest[kind] ?? {})))];

const reasons =
  read('docs/architecture.md').split('\n## Dependencies\n')[1]?.split('\n## ')[0] ?? '';

test.each(names)('%s has its line in docs/architecture.md', (name) => {
  const lines = reasons
    .split('\n')
    .filter((line) => line.startsWith('|') && line.includes(`\`${name}\``));
  expect([name, lines.length]).toEqual([name, 1]);
});

test('no line is about what is not there', () => {
  const named = [...reasons.matchAll(/^\|([^|]+)\|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name),
  );
  expect(named.filter((name) => !names.includes(String(name)))).toEqual([]);
});

test('what is installed with the package is this and no more', () => {
  expect(Object.keys(manifest.dependencies ?? {}).sort()).toEqual([
    'node-addon-api',
    'node-gyp-build',
  ]);
});

test('the lock file is that of package.json', () => {
  for (const kind of KINDS)
    expect([kind, lock.packages['']?.[kind]]).toEqual([kind, manifest[kind]]);
});

const locked = Object.entries(lock.packages).filter(([path]) => path !== '');

test('the lock file pins each by a digest', () => {
  expect(locked.length).toBeGreaterThan(100);
  const loose = locked.filter(
    ([, { integrity, version }]) => !/^sha512-[\w+/]{86}==$/.test(integrity ?? '') || !version,
  );
  expect(loose.map(([path]) => path)).toEqual([]);
});

test('it names no place to download from', () => {
  expect(locked.filter(([, { resolved, link }]) => resolved !== undefined || link)).toEqual([]);
});

test('none has an install script but those that are known', () => {
  const scripts = locked
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.replace(/^.*node_modules\//, ''));
  expect([...new Set(scripts)].sort()).toEqual([
    '@parcel/watcher',
    '@swc/core',
    'clang-format-node',
    'pkcs11js',
    'protobufjs',
    'unrs-resolver',
  ]);
});
