// These run only when they are named, and CI names them: the package test packs, prebuilds and
// installs, which takes far longer than all else together (`npm run test:package`); the real
// servers, and the tokens and TPMs, need programs that not every machine has (`npm run
// test:servers`, `npm run test:signers`).
const ONLY_WHEN_NAMED = ['test/package', 'test/servers', 'test/signers'];
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
  testTimeout: 20_000,
  transform: {
    '^.+\\.m?ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, sourceMaps: 'inline' },
    ],
  },
};
