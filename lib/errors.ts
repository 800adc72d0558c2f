/**
 * The errors of this package: one class, told apart by `code`.
 */
import { types } from 'node:util';

/**
 * Codes of this package's own. Where `node:tls` or OpenSSL has a code for a failure
 * (`ECONNRESET`, `DEPTH_ZERO_SELF_SIGNED_CERT`, `ERR_TLS_CERT_ALTNAME_INVALID`, `ERR_SSL_…`), that
 * one is used instead.
 */
export type TLSClientCertErrorCode =
  /** An input of a credential cannot be read; `input` names it. */
  | 'ERR_CREDENTIAL_INVALID'
  /** A passphrase is missing or wrong; `input` names what it is for. */
  | 'ERR_CREDENTIAL_PASSPHRASE'
  /** The private key does not belong to the certificate. */
  | 'ERR_CREDENTIAL_MISMATCH'
  /** OpenSSL would send no certificate in place of this one; `reason` says why. */
  | 'ERR_CREDENTIAL_UNUSABLE'
  /** The client certificate callback threw or rejected; `cause` is what it threw. */
  | 'ERR_CLIENT_CERT_CALLBACK'
  /** The callback's answer is neither a credential, nor null, nor a promise, nor SUSPEND. */
  | 'ERR_CLIENT_CERT_ANSWER'
  /** No answer came within `clientCertTimeout`. */
  | 'ERR_CLIENT_CERT_TIMEOUT'
  /** `suspension.abort()` was called; `cause` is its argument. */
  | 'ERR_CLIENT_CERT_ABORTED'
  /** `requireClientCert` is set and no certificate was sent. */
  | 'ERR_CLIENT_CERT_REQUIRED'
  /** The callback returned SUSPEND and nobody listens to 'suspend'. */
  | 'ERR_CLIENT_CERT_SUSPEND_UNHEARD'
  /** A signer threw or rejected; `cause` is what it threw. */
  | 'ERR_SIGNER_FAILED'
  /** What a signer returned is no signature of what it was to sign by the certificate's key. */
  | 'ERR_SIGNATURE_INVALID'
  /** Node's OpenSSL cannot wait for a signer on this platform (musl). */
  | 'ERR_SIGNER_UNSUPPORTED'
  /** A PKCS#11 module cannot be loaded, or is none. */
  | 'ERR_PKCS11_MODULE'
  /** A PKCS#11 token is not there, or was removed. */
  | 'ERR_PKCS11_TOKEN'
  /** A PIN is missing, wrong or locked; `reason` says which. */
  | 'ERR_PKCS11_PIN'
  /** A token has not the objects that are asked for: `reason` says what is missing or ambiguous. */
  | 'ERR_PKCS11_OBJECT'
  /** A PKCS#11 function failed; `reason` is its CKR_… name. */
  | 'ERR_PKCS11_FAILED'
  /** A `pkcs11:` URI does not follow RFC 7512. */
  | 'ERR_PKCS11_URI'
  /** An OSSL_STORE URI cannot be opened, or lacks what is needed; `reason` says what. */
  | 'ERR_STORE_UNREADABLE'
  /** An OpenSSL provider cannot be loaded. */
  | 'ERR_STORE_PROVIDER'
  /** A server that was asked to go over to TLS does not offer it. */
  | 'ERR_STARTTLS_REFUSED'
  /** A server said something else than its protocol lets it before TLS; `reason` says what. */
  | 'ERR_STARTTLS_FAILED'
  /** A driver does not begin as its protocol wants it without TLS. */
  | 'ERR_STARTTLS_DRIVER'
  /** No credential suits the server's request (`firstMatch` with `onNoMatch: 'fail'`). */
  | 'ERR_CLIENT_CERT_NO_MATCH'
  /** A suspension was used a second time, or after its handshake was over. */
  | 'ERR_SUSPENSION_SPENT'
  /** A certificate authority of the option `ca` cannot be read. */
  | 'ERR_TLS_CA_INVALID'
  /** `checkServerIdentity` threw; `cause` is what it threw. */
  | 'ERR_TLS_CHECK_SERVER_IDENTITY'
  /** The server authenticated itself with no certificate at all. */
  | 'ERR_TLS_NO_SERVER_CERTIFICATE'
  /** `pskCallback` threw what is no Error; `cause` is that. */
  | 'ERR_TLS_PSK_CALLBACK'
  /** `pskCallback` cannot be waited for on this platform (musl). */
  | 'ERR_TLS_PSK_UNSUPPORTED'
  /** The native part of the package cannot be loaded here. */
  | 'ERR_TLS_ADDON_UNAVAILABLE'
  /** A renegotiation was asked for that cannot be, or must not be; `reason` says why. */
  | 'ERR_TLS_RENEGOTIATION_REFUSED'
  /** The server asked for a renegotiation after `disableRenegotiation()`. */
  | 'ERR_TLS_RENEGOTIATION_DISABLED'
  /** The server asked for renegotiations more often than `tls.CLIENT_RENEG_LIMIT` allows. */
  | 'ERR_TLS_SESSION_ATTACK'
  /** The server asked for something that HTTP/2 forbids on its connections. */
  | 'ERR_TLS_FORBIDDEN_BY_HTTP2'
  /** The server did not agree on the one protocol that was offered (ALPN). */
  | 'ERR_TLS_ALPN_MISMATCH'
  /** The connection, and with it what is asked for, is gone. */
  | 'ERR_TLS_CONNECTION_OVER';

/** Facts about a failure beside its sentence. */
export interface ErrorDetails {
  cause?: unknown;
  /** The option or argument at fault, for instance `'chain[1]'`. */
  input?: string | undefined;
  /** A stable word for what is wrong, for instance `'key-too-small'`; OpenSSL's words for `ERR_SSL_…`. */
  reason?: string | undefined;
  /** The alert that the server sent, by its name in RFC 8446, section 6. */
  alert?: string | undefined;
  /** Subject of the client certificate that the server was shown before it sent `alert` (RFC 4514). */
  identity?: string | undefined;
  /** OpenSSL's library, as `node:tls` reports it, for instance `'SSL routines'`. */
  library?: string | undefined;
  /** The rest of OpenSSL's error queue. */
  opensslErrorStack?: string[] | undefined;
}

const DETAILS = ['input', 'reason', 'alert', 'identity', 'library', 'opensslErrorStack'] as const;

/**
 * Every error that this package makes, but for wrong arguments, which are a `TypeError` or
 * `RangeError` with Node's code.
 */
export class TLSClientCertError extends Error {
  /** One of {@link TLSClientCertErrorCode}, or a code of Node's or OpenSSL's. */
  readonly code: TLSClientCertErrorCode | (string & {});
  declare readonly input?: string;
  declare readonly reason?: string;
  declare readonly alert?: string;
  declare readonly identity?: string;
  declare readonly library?: string;
  declare readonly opensslErrorStack?: string[];

  constructor(
    code: TLSClientCertErrorCode | (string & {}),
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'TLSClientCertError';
    this.code = code;
    for (const name of DETAILS) {
      if (details[name] !== undefined) Object.assign(this, { [name]: details[name] });
    }
  }
}

/** As Node does it: `ERR_INVALID_ARG_TYPE` with the name of the argument and what came instead. */
export function invalidArgType(name: string, expected: string, actual: unknown): TypeError {
  const kind = name.includes('.') ? 'property' : 'argument';
  const error = new TypeError(
    `The "${name}" ${kind} must be ${expected}. Received ${describe(actual)}`,
  );
  return Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
}

/** As Node does it: `ERR_OUT_OF_RANGE`. */
export function outOfRange(name: string, range: string, actual: number): RangeError {
  const error = new RangeError(
    `The value of "${name}" is out of range. It must be ${range}. Received ${actual}`,
  );
  return Object.assign(error, { code: 'ERR_OUT_OF_RANGE' });
}

/** As Node does it: `ERR_INVALID_ARG_VALUE`. The value is not shown: it may be a secret. */
export function invalidArgValue(name: string, why: string): TypeError {
  const error = new TypeError(`The property '${name}' ${why}`);
  return Object.assign(error, { code: 'ERR_INVALID_ARG_VALUE' });
}

/** As Node does it: `ERR_MISSING_ARGS`, one of these. */
export function missingArgs(...names: string[]): TypeError {
  const list = names.map((name) => `"${name}"`).join(' or ');
  return Object.assign(new TypeError(`The ${list} argument must be specified`), {
    code: 'ERR_MISSING_ARGS',
  });
}

/** As Node does it: `ERR_INVALID_HANDLE_TYPE`, for what only a plain socket of TCP can do. */
export function invalidHandleType(): TypeError {
  return Object.assign(new TypeError('This handle type cannot be reset: it is not plain TCP.'), {
    code: 'ERR_INVALID_HANDLE_TYPE',
  });
}

/** Names the kind of a value, never the value: it may be a key or a passphrase. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'function') return `function ${value.name}`;
  if (typeof value !== 'object') return `type ${typeof value}`;
  const name = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name === 'string' && name !== '' ? `an instance of ${name}` : 'an object';
}

/** What a thrown value has to say. Not by `instanceof`: it may come from another realm. */
export function messageOf(thrown: unknown): string {
  return types.isNativeError(thrown) ? thrown.message : describe(thrown);
}
