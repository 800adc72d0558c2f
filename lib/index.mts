/** The same package as an ES module. By name: `export *` of CommonJS brings more than the exports. */
export type * from './index.js';
export {
  CertificateRequest,
  Connection,
  Credential,
  connect,
  createSecureContext,
  DistinguishedName,
  encodeEcdsaSignature,
  logKeys,
  SecureContext,
  SUSPEND,
  Suspension,
  TLSClientCertError,
  TLSSocket,
} from './index.js';
