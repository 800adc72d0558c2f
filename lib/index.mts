/** The same package as an ES module. */
export * from './index.js';
