// What a TypeScript file in here imports from lib/ comes from dist/ instead: what is shipped is what is
// measured. It needs `npm run build:ts` first.
const Module = require('node:module');
const { join, relative, sep } = require('node:path');

const root = join(__dirname, '..');
const resolve = Module._resolveFilename;

Module._resolveFilename = function (...args) {
  const found = resolve.apply(this, args);
  const path = relative(root, found);
  if (!path.startsWith(`lib${sep}`)) return found;
  return join(root, 'dist', `${path.slice(4, -'.ts'.length)}.js`);
};
