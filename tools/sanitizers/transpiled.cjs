// All TypeScript that children of the tests load, compiled beforehand, for TLS_CLIENT_CERT_TRANSPILED.
const { mkdirSync, readdirSync, writeFileSync } = require('node:fs');
const { dirname, join } = require('node:path');
const { transpile } = require('../register-typescript.cjs');
const { ROOT } = require('../instrumented-addon.cjs');

/** Fills `folder`, which is empty. */
function writeTranspiled(folder) {
  for (const room of ['lib', 'test/support', 'test/lifecycle', 'test/leaks']) {
    for (const name of readdirSync(join(ROOT, room), { recursive: true })) {
      if (!name.endsWith('.ts')) continue;
      const file = join(folder, room, `${name}.js`);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, transpile(join(ROOT, room, name), false));
    }
  }
}

module.exports = { writeTranspiled };
