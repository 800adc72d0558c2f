/**
 * From plaintext to TLS, in the protocols that begin without.
 *
 * @packageDocumentation
 */
export type { DriverStreamOptions, LateStream } from './late-stream';
export { mysqlStream } from './mysql-stream';
export { postgresStream } from './postgres-stream';
export { type StartTlsProtocol, type UpgradeOptions, upgrade } from './upgrade';
