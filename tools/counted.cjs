// The TypeScript of lib/, for whoever compiles it: as it is, or with istanbul's counters in it where
// tools/coverage.cjs has put them and TLS_CLIENT_CERT_COVERAGE names its folder. It is jest's transform there,
// too. What a process or a thread that is not jest's has run, it writes into that folder when it ends.
const { randomUUID } = require('node:crypto');
const { existsSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const { join, relative } = require('node:path');
const { isMainThread } = require('node:worker_threads');

const OUT = process.env.TLS_CLIENT_CERT_COVERAGE;
const ROOT = join(__dirname, '..');

function counted(path) {
  const copy = OUT === undefined ? path : join(OUT, 'counted', relative(ROOT, path));
  return readFileSync(existsSync(copy) ? copy : path, 'utf8');
}

/** For a child process: what it compiles writes its counts down. */
function countedChild(path) {
  const text = counted(path);
  return OUT === undefined ? text : `${text}\nrequire(${JSON.stringify(__filename)}).begin();\n`;
}

let began = false;

function begin() {
  if (began) return;
  began = true;
  const file = join(OUT, 'children', `${randomUUID()}.json`);
  const write = () => {
    const ran = Object.values(globalThis.__coverage__ ?? {}).map(({ path, s }) => [
      path,
      Object.keys(s).filter((id) => s[id] > 0),
    ]);
    // Whole or not at all, whatever ends it.
    writeFileSync(`${file}.part`, JSON.stringify(ran));
    renameSync(`${file}.part`, file);
  };
  process.on('exit', write);
  // A thread that is terminated has no 'exit',
  if (!isMainThread) setInterval(write, 200).unref();
  // nor has a process that ends itself by a signal.
  const { kill } = process;
  process.kill = (pid, ...rest) => {
    if (pid === process.pid) write();
    return kill.call(process, pid, ...rest);
  };
}

/** For jest, which collects the counts itself. */
function createTransformer(options) {
  const { getCacheKey: _, ...swc } = require('@swc/jest').createTransformer(options);
  return {
    canInstrument: true,
    process: (_text, path, how) => swc.process(counted(path), path, how),
  };
}

module.exports = { countedChild, begin, createTransformer };
