// Lets plain `node` run the TypeScript of demo/, bench/ and the forked test children, with the
// compiler that jest uses. It only strips types; `npm run typecheck` checks them.
//
//   node --require ./tools/register-typescript.cjs some/file.ts
//
// Where the compiler itself would take too long, as under a sanitizer, TLS_CLIENT_CERT_TRANSPILED names a
// folder with what tools/sanitizers/transpiled.cjs has put there.
const { existsSync, readFileSync } = require('node:fs');
const Module = require('node:module');
const { join, relative } = require('node:path');
const { countedChild } = require('./counted.cjs');

const root = join(__dirname, '..');

function transpile(filename, sourceMaps = 'inline') {
  const { transformSync } = require('@swc/core');
  const { code } = transformSync(countedChild(filename), {
    filename,
    configFile: false,
    swcrc: false,
    sourceMaps,
    module: { type: 'commonjs' },
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  });
  return code;
}

function transpiled(filename) {
  const folder = process.env.TLS_CLIENT_CERT_TRANSPILED;
  const file = folder && join(folder, `${relative(root, filename)}.js`);
  return file && existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

Module._extensions['.ts'] = (module, filename) => {
  module._compile(transpiled(filename) ?? transpile(filename), filename);
};

module.exports = { transpile };
