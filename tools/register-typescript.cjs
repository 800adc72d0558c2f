// Lets plain `node` run the TypeScript of demo/, bench/ and the forked test children, with the
// compiler that jest uses. It only strips types; `npm run typecheck` checks them.
//
//   node --require ./tools/register-typescript.cjs some/file.ts
//
// The tests start hundreds of children that load the same files: what is compiled is kept, under a name
// made of all that it comes from, so that nothing in there is ever out of date.
const { createHash, randomUUID } = require('node:crypto');
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { join } = require('node:path');
const { countedChild } = require('./counted.cjs');

const KEPT = join(__dirname, '../node_modules/.cache/tls-client-cert');
const { version } = require('@swc/core/package.json');

const options = (filename) => ({
  filename,
  configFile: false,
  swcrc: false,
  sourceMaps: 'inline',
  module: { type: 'commonjs' },
  jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
});

/**
 * The JavaScript of a TypeScript file. Where nothing can be kept it is compiled each time, unless `mustKeep`:
 * then it throws.
 */
function transpiled(filename, mustKeep = false) {
  const source = countedChild(filename);
  const origin = JSON.stringify([version, options(filename), source]);
  const kept = join(KEPT, `${createHash('sha256').update(origin).digest('hex')}.js`);
  try {
    return readFileSync(kept, 'utf8');
  } catch {
    // Nobody compiled it before.
  }
  const { code } = require('@swc/core').transformSync(source, options(filename));
  try {
    mkdirSync(KEPT, { recursive: true });
    // Whole or not at all: others read while this writes.
    const part = `${kept}.${randomUUID()}`;
    writeFileSync(part, code);
    renameSync(part, kept);
  } catch (error) {
    if (mustKeep) throw error;
  }
  return code;
}

Module._extensions['.ts'] = (module, filename) => {
  module._compile(transpiled(filename), filename);
};

module.exports = { transpiled };
