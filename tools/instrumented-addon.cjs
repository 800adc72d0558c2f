// Builds the addon as binding.gyp has it, from the same sources, and with what a tool wants in it: gcov's
// counters, a sanitizer's checks. node-gyp-build finds it where TLS_CLIENT_CERT_PREBUILD names the folder.
const { spawn, spawnSync } = require('node:child_process');
const {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} = require('node:fs');
const { basename, dirname, join } = require('node:path');

const ROOT = join(__dirname, '..');
const MACHINE = 'native/openssl';
const BINDING = 'native/binding';

const FLAGS = ['-std=c++17', '-fPIC', '-g', '-fvisibility=hidden'];
const DEFINES = [
  'NAPI_VERSION=8',
  'NAPI_CPP_EXCEPTIONS',
  'NODE_ADDON_API_DISABLE_DEPRECATED',
  'NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS',
  'OPENSSL_API_COMPAT=30000',
  'OPENSSL_NO_DEPRECATED',
  'BUILDING_NODE_EXTENSION',
];

/** Runs a program in the repository; its exit status, and 1 where a signal ended it. */
function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  return status ?? 1;
}

function must(...args) {
  if (run(...args) !== 0) throw new Error(`failed: ${args[0]} ${args[1].join(' ')}`);
}

/** Node's headers: beside the binary, or where node-gyp put them. */
function nodeHeaders() {
  const beside = join(dirname(process.execPath), '../include/node');
  if (existsSync(join(beside, 'node_api.h'))) return beside;
  const { variables } = JSON.parse(
    readFileSync(join(ROOT, 'build/config.gypi'), 'utf8').replace(/^#.*$/gm, ''),
  );
  return join(variables.nodedir, 'include/node');
}

function ccFiles(folder) {
  return readdirSync(join(ROOT, folder))
    .filter((name) => name.endsWith('.cc'))
    .map((name) => join(folder, name));
}

const addonSources = () => ['native/addon.cc', ...ccFiles(MACHINE), ...ccFiles(BINDING)];

const written = (file) => statSync(file).mtimeMs;

/** When the newest header was written. */
function newestHeader() {
  const headers = [MACHINE, BINDING].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.h'))
      .map((name) => join(ROOT, folder, name)),
  );
  return Math.max(...headers.map(written));
}

function compile(args) {
  return new Promise((resolve, reject) => {
    const child = spawn('c++', args, { cwd: ROOT, stdio: 'inherit' });
    child.once('error', reject);
    child.once('close', (status) => {
      if (status === 0) resolve();
      else reject(new Error(`failed: c++ ${args.join(' ')}`));
    });
  });
}

/** Where node-gyp-build finds what was built in `folder`. */
const addonIn = (folder) => join(folder, 'build/Release/tls_client_cert.node');

/**
 * `folder/build/Release/tls_client_cert.node`, its objects in `folder/objects`; what is newer than its
 * source, all headers and the flags is kept. `sources`: what it is made from, by default what the addon
 * is; `extra`: what comes to that.
 */
async function buildAddon(
  folder,
  { flags, linkFlags = flags, sources = addonSources(), extra = [] },
) {
  const objects = join(folder, 'objects');
  const target = addonIn(folder);
  const record = join(folder, 'flags.json');
  const includes = [nodeHeaders(), join(ROOT, 'node_modules/node-addon-api')];
  const common = [
    ...FLAGS,
    ...flags,
    ...DEFINES.map((name) => `-D${name}`),
    ...includes.map((path) => `-I${path}`),
  ];
  const wanted = JSON.stringify({ common, linkFlags });
  mkdirSync(objects, { recursive: true });
  mkdirSync(dirname(target), { recursive: true });
  if (!existsSync(record) || readFileSync(record, 'utf8') !== wanted) writeFileSync(record, wanted);
  const since = Math.max(newestHeader(), written(record));
  const waiting = [...sources, ...extra];
  const made = [];
  const lane = async () => {
    for (let source = waiting.shift(); source !== undefined; source = waiting.shift()) {
      const object = join(objects, `${basename(source, '.cc')}.o`);
      made.push(object);
      const needed = Math.max(since, written(join(ROOT, source)));
      if (existsSync(object) && written(object) > needed) continue;
      const exceptions = source.startsWith(MACHINE) ? ['-fno-exceptions'] : [];
      await compile([...common, ...exceptions, '-c', source, '-o', object]);
    }
  };
  await Promise.all([lane(), lane()]);
  must('c++', ['-shared', ...linkFlags, '-Wl,-z,nodelete', ...made, '-o', target]);
}

module.exports = { BINDING, MACHINE, ROOT, addonIn, buildAddon, must, run };
