// Compiles all TypeScript that children of the tests load: under a sanitizer the compiler would take too long.
const { readdirSync } = require('node:fs');
const { join } = require('node:path');
const { transpiled } = require('../register-typescript.cjs');
const { ROOT } = require('../instrumented-addon.cjs');

function transpileAll() {
  for (const room of ['lib', 'test/support', 'test/lifecycle', 'test/leaks']) {
    for (const name of readdirSync(join(ROOT, room), { recursive: true })) {
      if (name.endsWith('.ts')) transpiled(join(ROOT, room, name), true);
    }
  }
}

module.exports = { transpileAll };
