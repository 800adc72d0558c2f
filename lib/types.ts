/**
 * Types that several files share.
 */
import type { CertificateRequest } from './certificate-request';
import type { Credential } from './credential';
import type { CredentialOptions } from './credential-options';

/**
 * What a {@link ClientCertCallback} returns, when the socket is to emit `'suspend'` and the answer
 * will come through the `Suspension` that it brings.
 */
export const SUSPEND = Symbol.for('tls-client-cert.SUSPEND') as Suspend;

declare const suspendBrand: unique symbol;

/** The type of {@link SUSPEND}. Not `unique symbol`, which would widen where a function returns it. */
export type Suspend = symbol & { readonly [suspendBrand]: true };

/**
 * A credential is sent; `null` and `undefined` decline, and the server decides. Options equal to those of
 * an earlier answer are not parsed again within a minute; a `Credential` of your own lives as long as you
 * keep it.
 */
export type ClientCertAnswer = Credential | CredentialOptions | null | undefined;

/** The second argument of a {@link ClientCertCallback}. */
export interface ClientCertCallbackContext {
  /**
   * Aborts when no answer is of use any more: the socket is gone, `clientCertTimeout` has passed, or
   * the caller gave up. A dialog that waits for a person closes itself on it. Its `reason` is the
   * error.
   */
  readonly signal: AbortSignal;
}

/**
 * Called when a server asks for a client certificate and none was set in advance. It runs on a
 * clean stack, never inside OpenSSL.
 *
 * - A credential (or what one is made from): it is sent with its own chain.
 * - `null`, `undefined`: none is sent.
 * - A promise: the handshake is suspended until it settles.
 * - {@link SUSPEND}: the handshake is suspended, and the socket emits `'suspend'`.
 * - It throws, or its promise rejects: the connection fails with `ERR_CLIENT_CERT_CALLBACK`.
 *
 * @see SSL_CTX_set_client_cert_cb(3)
 */
export type ClientCertCallback = (
  request: CertificateRequest,
  context: ClientCertCallbackContext,
) => ClientCertAnswer | Suspend | PromiseLike<ClientCertAnswer | Suspend>;
