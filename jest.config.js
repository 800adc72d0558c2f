const { availableParallelism } = require('node:os');

// These run only when they are named, and CI names them: the package test packs, prebuilds and
// installs, the leak tests count thousands of connections, those of the program start it a hundred times,
// and all take long; the real servers, the clients, the tokens and TPMs need programs that not every machine has.
const ONLY_WHEN_NAMED = ['cli', 'clients', 'leaks', 'package', 'servers', 'signers'].map(
  (name) => `test/${name}`,
);
const notNamed = ONLY_WHEN_NAMED.filter(
  (folder) => !process.argv.some((argument) => argument.includes(folder)),
);

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', ...notNamed.map((folder) => `<rootDir>/${folder}/`)],
  modulePathIgnorePatterns: ['<rootDir>/build/', '<rootDir>/dist/', '<rootDir>/prebuilds/'],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  setupFilesAfterEnv: ['<rootDir>/test/support/after-all.ts'],
  // jest leaves a core to itself by default, and so half of a small machine.
  maxWorkers: availableParallelism(),
  testTimeout: 20_000,
  transform: {
    '^.+\\.m?ts$': [
      // The coverage counts are in what this compiles; see tools/coverage.cjs.
      process.env.TLS_CLIENT_CERT_COVERAGE ? '<rootDir>/tools/counted.cjs' : '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, sourceMaps: 'inline' },
    ],
  },
};
