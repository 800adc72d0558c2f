/** The same as an ES module. By name: `export *` of CommonJS brings more than the exports. */
export type * from './undici.js';
export { connector } from './undici.js';
