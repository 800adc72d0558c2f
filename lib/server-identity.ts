/**
 * Whether the server is who it should be: its chain by OpenSSL, its name by `checkServerIdentity`.
 */
import tls, { type PeerCertificate } from 'node:tls';
import type { NativeChainError } from './binding';
import { messageOf, TLSClientCertError } from './errors';

/** X509_V_ERR_HOSTNAME_MISMATCH: OpenSSL makes the alert bad_certificate of it. */
const HOSTNAME_MISMATCH = 62;

export interface Refusal {
  readonly error: Error;
  /** For `authorizationError`. */
  readonly code: string;
  /** X509_V_ERR_…, which decides on the alert. */
  readonly number: number;
  /** Refuses the server even without `rejectUnauthorized`. */
  readonly fatal: boolean;
}

export interface IdentityOptions {
  hostname: string;
  checkServerIdentity: (hostname: string, certificate: PeerCertificate) => Error | undefined;
}

/** Node's own check, which depends on nothing but its arguments. */
const pureCheck = tls.checkServerIdentity;

/** Leaves that it accepted, the latest for each name: most clients meet the same servers again. */
const accepted = new Map<string, Buffer>();
const ACCEPTED_LIMIT = 256;

/**
 * `null` when the server is accepted. The name is looked at only when the chain is good.
 *
 * @param leaf - The server's certificate in DER, if it sent one.
 */
export function judgeServer(
  chainError: NativeChainError | null,
  options: IdentityOptions,
  leaf: Buffer | undefined,
  certificate: () => PeerCertificate,
): Refusal | null {
  const pure = options.checkServerIdentity === pureCheck;
  if (pure && chainError === null && leaf !== undefined) {
    if (accepted.get(options.hostname)?.equals(leaf)) return null;
  }
  const refusal = judge(chainError, options, certificate);
  if (pure && refusal === null && leaf !== undefined) {
    if (accepted.size >= ACCEPTED_LIMIT) accepted.clear();
    accepted.set(options.hostname, leaf);
  }
  return refusal;
}

function judge(
  chainError: NativeChainError | null,
  options: IdentityOptions,
  certificate: () => PeerCertificate,
): Refusal | null {
  if (chainError !== null) {
    const { code, message, number } = chainError;
    return { error: new TLSClientCertError(code, message), code, number, fatal: false };
  }
  try {
    const error = options.checkServerIdentity(options.hostname, certificate());
    if (!error) return null;
    const code = (error as NodeJS.ErrnoException).code ?? error.message;
    return { error, code, number: HOSTNAME_MISMATCH, fatal: false };
  } catch (thrown) {
    const code = 'ERR_TLS_CHECK_SERVER_IDENTITY';
    const error = new TLSClientCertError(
      code,
      `checkServerIdentity threw instead of returning an error: ${messageOf(thrown)}`,
      { cause: thrown },
    );
    return { error, code, number: HOSTNAME_MISMATCH, fatal: true };
  }
}
