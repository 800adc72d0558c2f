/** The same as an ES module. By name: `export *` of CommonJS brings more than the exports. */
export type * from './index.js';
export { mysqlStream, postgresStream, upgrade } from './index.js';
