/**
 * Options of `node:tls` that cannot do anything here, and must not be passed over in silence.
 */
import { invalidArgValue } from './errors';

/** Of a context, and what to do instead. */
const OF_A_CONTEXT: Readonly<Record<string, string>> = {
  privateKeyEngine: 'OpenSSL engines are gone in OpenSSL 4',
  privateKeyIdentifier: 'OpenSSL engines are gone in OpenSSL 4',
  clientCertEngine: 'OpenSSL engines are gone in OpenSSL 4; use clientCertCallback',
};

/** Refuses what is set of `names`. `false` asks for nothing. */
export function refuseUnsupported(
  options: object,
  names: Readonly<Record<string, string>> = OF_A_CONTEXT,
): void {
  for (const [name, instead] of Object.entries(names)) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value !== undefined && value !== null && value !== false) {
      throw invalidArgValue(`options.${name}`, `is not supported here: ${instead}`);
    }
  }
}
