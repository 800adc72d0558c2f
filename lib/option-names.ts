/** The names of all options, so that each can be read once. What is missing here does not compile. */
import type { SecureContextOptions } from './context-options';
import type { ProtocolOptions } from './protocol-options';

const OF_A_CONTEXT: Readonly<Record<keyof SecureContextOptions, true>> = {
  ca: true,
  cert: true,
  key: true,
  pfx: true,
  credential: true,
  passphrase: true,
  crl: true,
  ciphers: true,
  ecdhCurve: true,
  sigalgs: true,
  minVersion: true,
  maxVersion: true,
  secureProtocol: true,
  secureOptions: true,
  allowPartialTrustChain: true,
  clientCertCallback: true,
  dhparam: true,
  honorCipherOrder: true,
  sessionIdContext: true,
  sessionTimeout: true,
  ticketKeys: true,
};

const OF_THE_PROTOCOL: Readonly<
  Record<Exclude<keyof ProtocolOptions, keyof SecureContextOptions>, true>
> = {
  host: true,
  secureContext: true,
  clientCertTimeout: true,
  requireClientCert: true,
  rejectUnauthorized: true,
  servername: true,
  checkServerIdentity: true,
  postHandshakeAuth: true,
  reselectClientCert: true,
  session: true,
  sessionCredential: true,
  requestOCSP: true,
  minDHSize: true,
  pskCallback: true,
  enableTrace: true,
  ALPNProtocols: true,
};

/** Options of `node:tls` that are refused. */
const REFUSED = ['privateKeyEngine', 'privateKeyIdentifier', 'clientCertEngine'];

export const CONTEXT_NAMES = [
  ...Object.keys(OF_A_CONTEXT),
  ...REFUSED,
] as (keyof SecureContextOptions)[];

/** With `socket`, which a name may be taken from. */
export const PROTOCOL_NAMES = [
  ...CONTEXT_NAMES,
  ...Object.keys(OF_THE_PROTOCOL),
  'socket',
] as (keyof ProtocolOptions)[];
