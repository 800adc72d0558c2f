import type { Credential } from './credential';
import { TLSClientCertError } from './errors';

type Detail = 'credential' | 'signatureScheme' | 'reason' | 'error';

/** Details that a variant has not are `undefined`, so that they can be read of any. */
type Variant<T> = T & { readonly [Name in Exclude<Detail, keyof T>]?: undefined };

/**
 * What became of the server's request for a client certificate, in the last handshake or after it. A
 * renegotiation in full in which the server does not ask leaves it with none: `'not-requested'`.
 *
 * A server that was refused before its request was read has status `'not-requested'` (TLS 1.2).
 *
 * On TLS 1.3 a server refuses a certificate only after the handshake: `'sent'` says that it left,
 * not that it was accepted.
 */
export type ClientAuth =
  | Variant<{
      readonly status: 'not-requested';
      readonly requested: false;
      readonly sent: false;
    }>
  | Variant<{
      /** Asked, and not answered yet. */
      readonly status: 'pending';
      readonly requested: true;
      readonly sent: false;
    }>
  | Variant<{
      readonly status: 'sent';
      readonly requested: true;
      readonly sent: true;
      readonly credential: Credential;
      /** The scheme it signed under, by its IANA name; `null` below TLS 1.2, which names none. */
      readonly signatureScheme: string | null;
    }>
  | Variant<{
      /** A session of an earlier connection was resumed, in which nothing is asked again. */
      readonly status: 'resumed';
      readonly requested: false;
      readonly sent: false;
      /** As whom the session was made; `null`: the server was shown no certificate then. */
      readonly credential: Credential | null;
    }>
  | Variant<{
      /** An empty Certificate was sent. */
      readonly status: 'declined';
      readonly requested: true;
      readonly sent: false;
      /** The callback declined, or there was neither a callback nor a certificate. */
      readonly reason: 'callback' | 'nothing-configured';
    }>
  | Variant<{
      /** Nothing was sent, and the connection failed with `error`. */
      readonly status: 'failed';
      readonly requested: true;
      readonly sent: false;
      readonly error: Error;
    }>;

export const NOT_REQUESTED: ClientAuth = {
  status: 'not-requested',
  requested: false,
  sent: false,
};
export const PENDING: ClientAuth = { status: 'pending', requested: true, sent: false };
export const DECLINED: ClientAuth = {
  status: 'declined',
  requested: true,
  sent: false,
  reason: 'callback',
};
export const UNCONFIGURED: ClientAuth = {
  status: 'declined',
  requested: true,
  sent: false,
  reason: 'nothing-configured',
};

export function failed(error: Error): ClientAuth {
  return { status: 'failed', requested: true, sent: false, error };
}

/** Whether the server has seen a certificate, be it when the session was made. */
export function isAuthenticated(auth: ClientAuth): boolean {
  return auth.sent || (auth.status === 'resumed' && auth.credential !== null);
}

/** The error of `requireClientCert`. */
export function requiredError(auth: ClientAuth): TLSClientCertError {
  const why =
    auth.status === 'not-requested'
      ? 'the server asked for none'
      : auth.status === 'resumed'
        ? 'the resumed session was made without'
        : auth === UNCONFIGURED
          ? 'neither a callback nor a certificate is configured'
          : 'the client certificate callback declined';
  return new TLSClientCertError(
    'ERR_CLIENT_CERT_REQUIRED',
    `requireClientCert is set, but no client certificate was sent: ${why}.`,
  );
}
