/** The same as an ES module. By name: `export *` of CommonJS brings more than the exports. */
export type * from './https.js';
export { Agent } from './https.js';
