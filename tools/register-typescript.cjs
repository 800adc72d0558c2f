// Lets plain `node` run the TypeScript of demo/, bench/ and the forked test children, with the
// compiler that jest uses. It only strips types; `npm run typecheck` checks them.
//
//   node --require ./tools/register-typescript.cjs some/file.ts
const Module = require('node:module');
const { transformSync } = require('@swc/core');
const { countedChild } = require('./counted.cjs');

Module._extensions['.ts'] = (module, filename) => {
  const { code } = transformSync(countedChild(filename), {
    filename,
    configFile: false,
    swcrc: false,
    sourceMaps: 'inline',
    module: { type: 'commonjs' },
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
  });
  module._compile(code, filename);
};
