// The package test packs, prebuilds and installs, which takes far longer than all else together:
// it runs only when it is named (`npm run test:package`), and CI names it.
const packageTestNamed = process.argv.some((argument) => argument.includes('test/package'));

/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  testPathIgnorePatterns: [
    '/node_modules/',
    ...(packageTestNamed ? [] : ['<rootDir>/test/package/']),
  ],
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
