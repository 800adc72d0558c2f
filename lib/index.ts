/**
 * TLS clients that answer a server's request for a certificate when it is asked.
 *
 * @packageDocumentation
 */
export { CertificateRequest, DistinguishedName } from './certificate-request';
export type { ClientAuth } from './client-auth';
export { connect } from './connect';
export type { ConnectParameters } from './connect-arguments';
export { Connection } from './connection';
export type { ConnectionListener, ConnectionResult } from './connection-result';
export type {
  KeyWithPassphrase,
  PfxWithPassphrase,
  SecureContextOptions,
} from './context-options';
export { Credential } from './credential';
export type {
  Bytes,
  CertificateCredentialOptions,
  CertificateInput,
  CredentialOptions,
  PfxCredentialOptions,
  PrivateKeyInput,
} from './credential-options';
export type {
  AnswerMessage,
  DiagnosticsMessage,
  HandshakeMessage,
  RequestMessage,
  SignMessage,
  SuspendMessage,
} from './diagnostics';
export { type ErrorDetails, TLSClientCertError, type TLSClientCertErrorCode } from './errors';
export { type KeyLogSource, logKeys } from './log-keys';
export type { ConnectionOptions } from './options';
export type { ProtocolOptions } from './protocol-options';
export { createSecureContext, SecureContext } from './secure-context';
export type { PskCallback, SharedKeyAnswer } from './shared-key';
export type { SignatureScheme } from './signature-schemes';
export type { SignContext, Signer } from './signer';
export { encodeEcdsaSignature } from './signers/ecdsa';
export type { StoreOptions } from './signers/store/open';
export { Suspension } from './suspension';
export { TLSSocket } from './tls-socket';
export type { TLSSocketEvents } from './tls-socket-events';
export {
  type ClientCertAnswer,
  type ClientCertCallback,
  type ClientCertCallbackContext,
  SUSPEND,
  type Suspend,
} from './types';
