/** The same as an ES module. By name: `export *` of CommonJS brings more than the exports. */
export type * from './index.js';
export { openPkcs11, Pkcs11Module, Pkcs11Uri } from './index.js';
