/** The same as an ES module. By name: `export *` of CommonJS brings more than the exports. */
export type * from './http2.js';
export { createConnection } from './http2.js';
