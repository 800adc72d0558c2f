/**
 * What npm would publish: its files, and that it installs and works, with a prebuilt binary where
 * there is no compiler, and without one where there is.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { loadPki } from '../support/pki';
import { startSServer } from '../support/s-server';
import { cleanEnvironment, type Environment, npm, npmCli, run, succeed } from './npm';
import { makePackages, type Packages } from './packages';

jest.setTimeout(300_000);

const PREBUILD = `prebuilds/${process.platform}-${process.arch}`;

/** What building from source would need one of. */
const TOOLS = ['cc', 'c++', 'gcc', 'g++', 'clang', 'clang++', 'make', 'gmake', 'python', 'python3'];

let packages: Packages;

beforeAll(async () => {
  packages = await makePackages();
});

afterAll(() => rm(packages.folder, { recursive: true, force: true }));

describe('the packed files', () => {
  const paths = () => packages.files.map(({ path }) => path);
  const list = async (folder: string) => {
    const entries = await readdir(join(packages.tree, folder), {
      recursive: true,
      withFileTypes: true,
    });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(packages.tree, join(entry.parentPath, entry.name)));
  };

  test('are the documents, both sources, what is compiled of them, and one binary', async () => {
    const sources = await list('lib');
    const compiled = sources.flatMap((source) => {
      const [, name, m] = /^lib\/(.+)\.(m?)ts$/.exec(source) ?? [];
      return ['js', 'js.map', 'd.ts', 'd.ts.map'].map((end) =>
        `dist/${name}.${end}`.replace(/\.(d\.)?(js|ts)/, `.$1${m}$2`),
      );
    });
    const expected = [
      ...['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'SECURITY.md', 'binding.gyp'],
      ...['docs/architecture.md', 'docs/man-page.md', 'docs/node-tls-parity.md'],
      ...['docs/performance.md', 'native/addon.cc'],
      'docs/cli.md',
      ...(await list('docs/cli')),
      ...(await list('docs/bench')),
      ...(await list('docs/guides')),
      ...(await list('examples')),
      ...sources,
      ...compiled,
      ...(await list('native/openssl')),
      ...(await list('native/binding')),
      ...(await list(PREBUILD)),
    ];
    expect([...paths()].sort()).toEqual([...expected].sort());
  });

  test('are of the kinds that belong there', () => {
    const kinds =
      /^(package\.json|binding\.gyp|LICENSE|[A-Z]+\.md|docs\/(guides\/(clients\/)?)?[a-z0-9-]+\.md|docs\/bench\/node-[0-9]+\.(json|svg)|docs\/cli\/[a-z-]+\.svg|examples\/(clients\/)?[a-z0-9-]+\.(ts|m[jt]s)|lib\/([a-z0-9-]+\/)*[a-z0-9-]+\.m?ts|dist\/([a-z0-9-]+\/)*[a-z0-9-]+\.(d\.)?m?[jt]s(\.map)?|native\/([a-z]+\/)?[a-z_]+\.(cc|h)|prebuilds\/[a-z0-9]+-[a-z0-9]+\/tls-client-cert(\.[a-z]+)?\.node)$/;
    expect(paths().filter((path) => !kinds.test(path))).toEqual([]);
  });

  test('hold one stripped binary, and nothing large beside it', () => {
    const binaries = packages.files.filter(({ path }) => path.startsWith('prebuilds/'));
    expect(binaries).toHaveLength(1);
    expect(binaries[0]?.size).toBeGreaterThan(50_000);
    expect(binaries[0]?.size).toBeLessThan(1_500_000);
    const large = packages.files.filter(
      ({ path, size }) => !path.startsWith('prebuilds/') && size > 64 * 1024,
    );
    expect(large).toEqual([]);
    expect(packages.files.filter(({ size }) => size === 0)).toEqual([]);
  });

  test('tell nothing about the machine they were made on', async () => {
    const texts = packages.files.filter(({ path }) => !path.endsWith('.node'));
    const telling: string[] = [];
    for (const { path } of texts) {
      const text = await readFile(join(packages.tree, path), 'utf8');
      if (text.includes(packages.folder) || text.includes(process.cwd())) telling.push(path);
    }
    expect(telling).toEqual([]);
  });
});

describe('the binary', () => {
  /** Of Debian 12, Ubuntu 22.04 and RHEL 9, as the README says. */
  const FLOOR: Readonly<Record<string, readonly number[]>> = {
    GLIBC: [2, 32],
    GLIBCXX: [3, 4, 29],
    CXXABI: [1, 3, 9],
    GCC: [3, 0],
  };
  const binaryIn = (tree: string) => {
    const folder = join(tree, PREBUILD);
    return join(folder, readdirSync(folder)[0] as string);
  };

  test('asks for no newer C library than is documented, and for no other library', async () => {
    const binary = binaryIn(packages.tree);
    const symbols = await succeed('objdump', ['-T', binary], packages.folder);
    const versions = [...symbols.matchAll(/\b(GLIBC|GLIBCXX|CXXABI|GCC)_([\d.]+)/g)];
    expect(versions.length).toBeGreaterThan(20);
    const newer = versions.filter(([, name = '', version = '']) => {
      const wanted = version.split('.').map(Number);
      const floor = FLOOR[name] ?? [];
      const differs = wanted.findIndex((part, i) => part !== (floor[i] ?? 0));
      return differs >= 0 && (wanted[differs] as number) > (floor[differs] ?? 0);
    });
    expect(newer.map(([text]) => text)).toEqual([]);
    const dynamic = await succeed('readelf', ['-d', binary], packages.folder);
    const needed = [...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, library]) => library);
    const known =
      /^(libstdc\+\+\.so\.6|libgcc_s\.so\.1|lib[cm]\.so\.6|libpthread\.so\.0|ld-linux.*\.so\.\d)$/;
    expect(needed.length).toBeGreaterThan(0);
    expect(needed.filter((library) => !known.test(String(library)))).toEqual([]);
  });

  test('two builds in different folders are the same bytes', async () => {
    const other = join(packages.folder, 'elsewhere/under-a-longer-name');
    await mkdir(other, { recursive: true });
    for (const name of ['native', 'binding.gyp', 'package.json']) {
      await cp(join(packages.tree, name), join(other, name), { recursive: true });
    }
    await symlink(join(packages.tree, 'node_modules'), join(other, 'node_modules'));
    await npm(['run', 'prebuild'], other);
    const [first, second] = await Promise.all(
      [packages.tree, other].map((tree) => readFile(binaryIn(tree))),
    );
    expect(first?.equals(second as Buffer)).toBe(true);
    // Nor does it say where it was made.
    for (const place of [packages.folder, process.cwd(), 'node-gyp']) {
      expect([place, first?.includes(place)]).toEqual([place, false]);
    }
  });
});

describe('the exports', () => {
  const tool = (name: string) => join(packages.tree, 'node_modules', name);

  test('publint finds nothing, not even to suggest', async () => {
    const args = [tool('publint/src/cli.js'), 'run', packages.withPrebuild, '--strict'];
    const { status, stdout } = await run(process.execPath, args, packages.folder);
    // Where CI is set it colours what it says.
    expect({ status, stdout: stripVTControlCharacters(stdout) }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/All good!\s*$/),
    });
  });

  test('their types are what is there, however TypeScript resolves them', async () => {
    const attw = tool('@arethetypeswrong/cli/dist/index.js');
    const args = [attw, packages.withPrebuild, '--profile', 'strict', '--format', 'json'];
    const { status, stdout } = await run(process.execPath, args, packages.folder);
    const { analysis, problems } = JSON.parse(stdout);
    expect({ status, problems }).toEqual({ status: 0, problems: {} });
    const { exports } = require('../../package.json') as { exports: object };
    expect(Object.keys(analysis.entrypoints).sort()).toEqual(Object.keys(exports).sort());
  });
});

describe('with a prebuilt binary, where there is no compiler', () => {
  let consumer: string;
  let env: Environment;

  beforeAll(async () => {
    env = await environmentWithoutCompiler();
    consumer = await project('consumer');
    await install(consumer, packages.withPrebuild, env);
    await writeConsumers(consumer);
  });

  test('no compiler is found, and the package without a binary does not install', async () => {
    const sh = join(env.PATH ?? '', 'sh');
    for (const tool of TOOLS) {
      const found = await run(sh, ['-c', `command -v ${tool}`], consumer, env);
      expect({ tool, found: found.stdout }).toEqual({ tool, found: '' });
    }
    const other = await project('without-binary');
    await expect(install(other, packages.withoutPrebuild, env)).rejects.toThrow(/node-gyp/);
  });

  test('nothing was compiled', () => {
    const installed = join(consumer, 'node_modules/tls-client-cert');
    expect(existsSync(join(installed, PREBUILD))).toBe(true);
    expect(existsSync(join(installed, 'build'))).toBe(false);
  });

  test('nothing asks the network, while it is installed and when it is loaded', async () => {
    const library = join(packages.folder, 'no-network.so');
    const source = join(__dirname, '../support/no-network.c');
    const flags = ['-shared', '-fPIC', '-Wall', '-Werror'];
    await succeed('cc', [...flags, '-o', library, source, '-ldl'], packages.folder);
    const log = join(packages.folder, 'network.log');
    const watched = { ...env, LD_PRELOAD: library, TCC_NETWORK_LOG: log };
    const node = (folder: string, code: string) =>
      succeed(process.execPath, ['-e', code], folder, watched);

    // What it sees, also of what a process starts.
    const asks = "net.connect(9, '192.0.2.1').on('error', () => dns.lookup('a.example', () => {}))";
    const child = JSON.stringify(`const dns = require('node:dns'); ${asks}`);
    await node(consumer, `child_process.execFileSync(process.execPath, ['-e', ${child}])`);
    expect(await readFile(log, 'utf8')).toBe('socket IPv4\ngetaddrinfo a.example\n');
    await rm(log);

    const folder = await project('without-network');
    await install(folder, packages.withPrebuild, watched);
    const { exports } = require('../../package.json') as { exports: object };
    const names = Object.keys(exports).map((path) => join('tls-client-cert', path));
    await node(folder, `for (const name of ${JSON.stringify(names)}) require(name)`);
    expect(existsSync(log) ? await readFile(log, 'utf8') : '').toBe('');
  });

  test.each(['handshake.cjs', 'handshake.mjs'])('%s makes a suspended handshake', async (file) => {
    await expectHandshake(consumer, file, env);
  });

  test('both module kinds have the same exports, and share them', async () => {
    const printed = await succeed(process.execPath, ['exports.mjs'], consumer, env);
    const names = [
      ...[
        'CertificateRequest',
        'Connection',
        'Credential',
        'DistinguishedName',
        'SUSPEND',
        'SecureContext',
      ],
      ...['Suspension', 'TLSClientCertError', 'TLSSocket', 'connect', 'createSecureContext'],
      'encodeEcdsaSignature',
      'logKeys',
    ];
    expect(JSON.parse(printed)).toEqual({ required: names, imported: names, different: [] });
  });

  // Without the packages that only their functions need.
  test.each(['http2', 'https', 'pkcs11', 'select', 'starttls', 'undici', 'webcrypto'])(
    'so has tls-client-cert/%s',
    async (subpath) => {
      const code = `
      import { createRequire } from 'node:module';
      const required = createRequire(import.meta.url)('tls-client-cert/${subpath}');
      const imported = await import('tls-client-cert/${subpath}');
      const names = Object.keys(required).sort();
      const same = names.every((name) => required[name] === imported[name]);
      console.log(JSON.stringify({ names, imported: Object.keys(imported).sort(), same }));`;
      const args = ['--input-type=module', '--eval', code];
      const printed = await succeed(process.execPath, args, consumer, env);
      const { names, imported, same } = JSON.parse(printed);
      expect(names.length).toBeGreaterThan(0);
      expect({ imported, same }).toEqual({ imported: names, same: true });
    },
  );

  test('package.json can be read, and nothing behind the exports', async () => {
    const read = (path: string) =>
      run(process.execPath, ['-e', `require('tls-client-cert/${path}')`], consumer, env);
    expect(await read('package.json')).toMatchObject({ status: 0 });
    const { stderr } = await read('dist/binding.js');
    expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  // A compiler before TypeScript 7 that is not told of esModuleInterop knows no such imports.
  test('its types import nothing by default', () => {
    const dist = join(consumer, 'node_modules/tls-client-cert/dist');
    const types = readdirSync(dist).filter((file) => /\.d\.m?ts$/.test(file));
    expect(types.length).toBeGreaterThan(10);
    for (const file of types) {
      expect(readFileSync(join(dist, file), 'utf8')).not.toMatch(/^import (type )?\w+(,| from)/m);
    }
  });

  test.each([
    ['node16', 'node16'],
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])('TypeScript resolves its types: module %s, resolution %s', async (module, resolution) => {
    const options = [
      ...['--strict', '--exactOptionalPropertyTypes', '--noEmit', '--skipLibCheck', 'false'],
      ...['--target', 'es2022', '--types', 'node', '--ignoreConfig', '--module', module],
      ...['--moduleResolution', resolution, 'typed.cts', 'typed.mts'],
    ];
    const tsc = join(packages.tree, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = await run(process.execPath, [tsc, ...options], consumer);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
  });
});

describe('the command', () => {
  const command = (folder: string, ...args: string[]) =>
    run(
      process.execPath,
      [npmCli(), 'exec', '--offline', '--', 'tls-client-cert', ...args],
      folder,
    );

  test('prints its version, and probes a server', async () => {
    const folder = await project('command');
    await install(folder, packages.withPrebuild, cleanEnvironment(), [
      '--omit=optional',
      packages.commander,
    ]);
    const { version } = require('../../package.json') as { version: string };
    expect(await command(folder, '--version')).toMatchObject({ status: 0, stdout: `${version}\n` });

    const { server: identity, serverCa, clientCaA } = loadPki();
    const clientCa = clientCaA.certPath;
    const server = await startSServer({ identity, requestCert: 'required', clientCa });
    const target = `localhost:${server.port}`;
    const probed = await command(folder, 'probe', target, '--json', '--ca', serverCa.certPath);
    await server.stop();
    expect(probed.status).toBe(0);
    expect(JSON.parse(probed.stdout)).toMatchObject({
      asked: true,
      requests: [{ certificateAuthorities: [{ name: clientCaA.subject }] }],
    });
  });

  test('says what to install where its optional dependencies were left out', async () => {
    const folder = await project('command-without');
    await install(folder, packages.withPrebuild, cleanEnvironment(), ['--omit=optional']);
    const { status, stderr } = await command(folder, '--version');
    expect(status).toBe(1);
    expect(stderr).toContain('npm install commander');
  });
});

describe('without a prebuilt binary, where there is a compiler', () => {
  test('the install script builds it from the packed sources, as in a fresh clone', async () => {
    expect(require('../../package.json').scripts.install).toBe('node-gyp-build');
    const consumer = await project('from-source');
    await install(consumer, packages.withoutPrebuild, cleanEnvironment());
    const installed = join(consumer, 'node_modules/tls-client-cert');
    expect(existsSync(join(installed, 'prebuilds'))).toBe(false);
    expect(existsSync(join(installed, 'build/Release/tls_client_cert.node'))).toBe(true);
    await writeConsumers(consumer);
    await expectHandshake(consumer, 'handshake.mjs', cleanEnvironment());
  });
});

/** An empty project. */
async function project(name: string): Promise<string> {
  const folder = join(packages.folder, name);
  await mkdir(folder);
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name, private: true }));
  return folder;
}

/** Offline: everything comes from tarballs. */
function install(
  folder: string,
  tarball: string,
  env: Environment,
  more: readonly string[] = [],
): Promise<string> {
  const options = ['--offline', '--no-audit', '--no-fund', '--foreground-scripts'];
  return npm(['install', ...options, tarball, ...packages.dependencies, ...more], folder, env);
}

/** A PATH with a shell and Node, and no variable that leads to a tool past it. */
async function environmentWithoutCompiler(): Promise<Environment> {
  const bin = join(packages.folder, 'bin');
  await mkdir(bin);
  await symlink(process.execPath, join(bin, 'node'));
  await symlink('/bin/sh', join(bin, 'sh'));
  const leading = /^(PATH|CC|CXX|LINK|AR|MAKE|PYTHON|NODE_GYP_FORCE_PYTHON|npm_config_python)$/i;
  const kept = Object.entries(cleanEnvironment()).filter(([name]) => !leading.test(name));
  // Were npm in a folder with a compiler, its scripts would still not see that folder.
  expect(dirname(npmCli())).not.toBe(bin);
  return { ...Object.fromEntries(kept), PATH: bin };
}

async function expectHandshake(folder: string, file: string, env: Environment): Promise<void> {
  const { server: identity, serverCa, clients, clientCaA } = loadPki();
  const server = await startSServer({
    identity,
    requestCert: 'required',
    clientCa: clientCaA.certPath,
    protocol: 'TLSv1.3',
  });
  const { certPath, keyPath, subject } = clients.ec256;
  const args = [file, String(server.port), join(dirname(certPath), `${serverCa.name}.crt`)];
  const printed = await succeed(process.execPath, [...args, certPath, keyPath], folder, env);
  expect(JSON.parse(printed)).toEqual({ status: 'sent', suspended: true, authorized: true });
  expect((await server.sawClient()).subject).toBe(subject);
  await server.stop();
}

const IMPORTED = '{ connect, Credential, SUSPEND, TLSSocket }';

const HANDSHAKE = `
const [port, ca, cert, key] = process.argv.slice(2);
let suspended = false;
const socket = connect({
  host: '127.0.0.1',
  port: Number(port),
  servername: 'localhost',
  ca: readFileSync(ca),
  clientCertCallback: () => SUSPEND,
});
socket.on('suspend', (suspension) => {
  suspended = true;
  const credential = new Credential({ cert: readFileSync(cert), key: readFileSync(key) });
  setTimeout(() => suspension.resume(credential), 20);
});
socket.on('secureConnect', () => {
  const { authorized, clientAuth } = socket;
  console.log(JSON.stringify({ status: clientAuth.status, suspended, authorized }));
  if (!(socket instanceof TLSSocket)) throw new Error('not a TLSSocket');
  socket.end();
});
socket.resume();
`;

const EXPORTS = `
import { createRequire } from 'node:module';
import * as imported from 'tls-client-cert';
const required = createRequire(import.meta.url)('tls-client-cert');
const names = (exported) => Object.keys(exported).sort();
const different = names(required).filter((name) => required[name] !== imported[name]);
console.log(JSON.stringify({ required: names(required), imported: names(imported), different }));
`;

/** The same for both, so that only the import differs. */
const TYPED = `
const context: SecureContext = createSecureContext({ minVersion: 'TLSv1.3' });
const callback: ClientCertCallback = async (request, { signal }) => {
  signal.throwIfAborted();
  const names: string[] = request.certificateAuthorities.map((name) => name.toString());
  return names.length > 0 ? new Credential({ cert: 'pem', key: 'pem' }) : null;
};
context.setClientCertCallback(callback);
export const options: ConnectionOptions = { host: 'localhost', port: 443, secureContext: context };
export const socket: TLSSocket = connect({ ...options, clientCertCallback: () => SUSPEND });
socket.on('suspend', (suspension) => suspension.resume({ cert: 'pem', key: 'pem' }));
// @ts-expect-error a server's name is a string
connect({ servername: 443 });
// @ts-expect-error neither a credential nor null
context.setClientCertCallback(() => 5);
`;

const TYPED_IMPORT =
  'import { type ClientCertCallback, type ConnectionOptions, connect, createSecureContext, ' +
  "Credential, SUSPEND, type SecureContext, type TLSSocket } from 'tls-client-cert';\n";

async function writeConsumers(folder: string): Promise<void> {
  const write = (file: string, text: string) => writeFile(join(folder, file), text);
  await write(
    'handshake.cjs',
    `const ${IMPORTED} = require('tls-client-cert');\n` +
      `const { readFileSync } = require('node:fs');\n${HANDSHAKE}`,
  );
  await write(
    'handshake.mjs',
    `import ${IMPORTED} from 'tls-client-cert';\nimport { readFileSync } from 'node:fs';\n${HANDSHAKE}`,
  );
  await write('exports.mjs', EXPORTS);
  await write('typed.cts', `${TYPED_IMPORT}${TYPED}`);
  // Types of a CommonJS module would let an ES module import a default that is not there.
  await write(
    'typed.mts',
    `${TYPED_IMPORT}// @ts-expect-error there is no default export\nimport none from 'tls-client-cert';\nvoid none;\n${TYPED}`,
  );
  // The types of Node that the package was made with; they are the consumer's own to install.
  await mkdir(join(folder, 'node_modules/@types'), { recursive: true });
  const types = join(packages.tree, 'node_modules/@types/node');
  await symlink(types, join(folder, 'node_modules/@types/node'));
}
