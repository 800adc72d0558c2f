/**
 * Types that several files share.
 */
import type { CertificateRequest } from './certificate-request';
import type { Credential, CredentialOptions } from './credential';

/**
 * What a {@link ClientCertCallback} returns, when the socket is to emit `'suspend'` and the answer
 * will come through the `Suspension` that it brings.
 */
export const SUSPEND: unique symbol = Symbol.for('tls-client-cert.SUSPEND');

/** A credential is sent; `null` and `undefined` decline, and the server decides. */
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

type MaybeSuspend = typeof SUSPEND;

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
) => ClientCertAnswer | MaybeSuspend | PromiseLike<ClientCertAnswer | MaybeSuspend>;

/**
 * What became of the server's request for a client certificate.
 *
 * On TLS 1.3 a server refuses a certificate only after the handshake: `'sent'` says that it left,
 * not that it was accepted.
 */
export type ClientAuth =
  | { readonly status: 'not-requested'; readonly requested: false; readonly sent: false }
  | {
      /** Asked, and not answered yet. */
      readonly status: 'pending';
      readonly requested: true;
      readonly sent: false;
    }
  | {
      readonly status: 'sent';
      readonly requested: true;
      readonly sent: true;
      readonly credential: Credential;
      /** The scheme it signed under, by its IANA name; `null` below TLS 1.2, which names none. */
      readonly signatureScheme: string | null;
    }
  | {
      /** An empty Certificate was sent. */
      readonly status: 'declined';
      readonly requested: true;
      readonly sent: false;
      /** The callback declined, or there was neither a callback nor a certificate. */
      readonly reason: 'callback' | 'nothing-configured';
    }
  | {
      /** Nothing was sent, and the connection failed with `error`. */
      readonly status: 'failed';
      readonly requested: true;
      readonly sent: false;
      readonly error: Error;
    };
