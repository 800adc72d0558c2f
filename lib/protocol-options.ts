/**
 * What a TLS connection needs to know, whatever carries it: the options' meaning and their checks.
 */
import net from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { type PeerCertificate } from 'node:tls';
import { types } from 'node:util';
import { toBytes } from './bytes';
import type { SecureContextOptions } from './context-options';
import { Credential } from './credential';
import { invalidArgType, invalidArgValue, outOfRange } from './errors';
import { given, snapshot } from './given';
import { LONGEST_TIMEOUT } from './idle-timer';
import { PROTOCOL_NAMES } from './option-names';
import { SecureContext, sharedContext } from './secure-context';
import type { IdentityOptions } from './server-identity';
import type { PskCallback } from './shared-key';
import type { ClientCertCallback } from './types';

/**
 * Options of a TLS connection, whatever carries it: those of {@link createSecureContext}, and these.
 * Names, types and defaults are those of `tls.connect()` unless a line says otherwise.
 *
 * Connections whose options for {@link createSecureContext} are equal share what is parsed of them, for a
 * minute after the last was made; to say yourself how long, make a `secureContext`. Bytes are compared by
 * content, objects such as `KeyObject` and {@link Signer} by identity.
 */
export interface ProtocolOptions extends SecureContextOptions {
  /** Whom to connect to: what the server's certificate has to be made out for. */
  host?: string | null | undefined;
  /** A context to share. The options that would make one are ignored then. */
  secureContext?: SecureContext | undefined;
  /**
   * Called when the server asks for a client certificate. It goes before the context's own; with
   * `null`, or without it, the context's is called. Not called when `cert`, `pfx` or `credential` is set.
   */
  clientCertCallback?: ClientCertCallback | null | undefined;
  /**
   * Milliseconds that a suspended request waits for its answer, over all attempts, before the
   * connection fails with `ERR_CLIENT_CERT_TIMEOUT`. 0: as long as the server does. A signer has the
   * same time again. Default: `120000`.
   */
  clientCertTimeout?: number | undefined;
  /**
   * Fail with `ERR_CLIENT_CERT_REQUIRED` unless a client certificate was sent in the first handshake,
   * or in the one whose session is resumed. Default: `false`.
   */
  requireClientCert?: boolean | undefined;
  /**
   * Refuse a server whose chain or name is not good, before any client certificate is chosen or
   * sent. Default: `true`, or what `NODE_TLS_REJECT_UNAUTHORIZED` says.
   */
  rejectUnauthorized?: boolean | undefined;
  /**
   * Sent to the server as SNI, and checked against its certificate. Default: `host`, unless that is
   * an IP address. `''`: none is sent. (`tls.connect()` sends none by default.)
   */
  servername?: string | undefined;
  /** Default: `tls.checkServerIdentity`. It is called before any client certificate leaves. */
  checkServerIdentity?:
    | ((hostname: string, certificate: PeerCertificate) => Error | undefined)
    | undefined;
  /**
   * TLS 1.3: tell the server that it may ask for a client certificate after the handshake (RFC 8446,
   * section 4.6.2). Default: `true` when there is a callback or a certificate and `ALPNProtocols` does
   * not offer `h2`, which forbids it (RFC 8740).
   */
  postHandshakeAuth?: boolean | undefined;
  /**
   * Ask the callback at each of the server's requests. Without it, as in OpenSSL, the first
   * credential stays: it answers later requests that it suits, and the callback is asked again only
   * after it declined, or when the credential does not suit. Default: `false`.
   */
  reselectClientCert?: boolean | undefined;
  /**
   * A session to resume, from `'session'` or `getSession()` of an earlier connection of this package.
   * The server then asks nothing in the handshake, and takes the client for the one it was.
   *
   * So it is offered only if it was made as who this connection would be: with a certificate of
   * `cert`, `pfx` or `credential`, with `sessionCredential`, or by a server that did not ask; and under the same
   * `ca`, `crl` and `allowPartialTrustChain`. Otherwise, and when it cannot be read, there is a full
   * handshake: `isSessionReused()` tells. What comes from `node:tls` is never offered.
   */
  session?: Uint8Array | undefined;
  /**
   * The credential that `session` was made with, where a callback had chosen it
   * (`clientAuth.credential`); `null` when the callback had declined.
   */
  sessionCredential?: Credential | null | undefined;
  /**
   * Ask the server for the OCSP response about its certificate (RFC 6066, section 8): `'OCSPResponse'`
   * brings it. Default: `false`.
   */
  requestOCSP?: boolean | undefined;
  /**
   * The least size in bits of a Diffie-Hellman key of the server's. A smaller one fails the connection with
   * `ERR_TLS_DH_PARAM_SIZE`, on TLS 1.2 before any client certificate leaves. Default: `1024`.
   */
  minDHSize?: number | undefined;
  /** Gives the key that is shared with the server in advance (PSK). Default: none is offered. */
  pskCallback?: PskCallback | null | undefined;
  /** Write to `stderr` what is sent and received, as {@link TLSSocket.enableTrace} does. */
  enableTrace?: boolean | undefined;
  /** Protocols for ALPN, the preferred first; or their wire form (RFC 7301, section 3.1). */
  ALPNProtocols?: readonly (string | NodeJS.ArrayBufferView)[] | NodeJS.ArrayBufferView | undefined;
}

/** The same, checked and with the defaults filled in. @internal */
export interface ProtocolSettings extends IdentityOptions {
  secureContext: SecureContext;
  clientCertCallback: ClientCertCallback | null;
  clientCertTimeout: number;
  requireClientCert: boolean;
  rejectUnauthorized: boolean;
  /** SNI, or `''`. */
  servername: string;
  alpnProtocols: Uint8Array;
  postHandshakeAuth: boolean;
  reselectClientCert: boolean;
  renegotiationLimit: number;
  renegotiationWindow: number;
  session: Uint8Array | undefined;
  sessionCredential: Credential | null | undefined;
  requestOCSP: boolean;
  minDHSize: number;
  pskCallback: PskCallback | null;
  enableTrace: boolean;
}

const DEFAULT_CLIENT_CERT_TIMEOUT = 120_000;
const DEFAULT_MIN_DH_SIZE = 1024;

/** @internal */
export function normalizeProtocol(whole: ProtocolOptions): ProtocolSettings {
  if (whole === null || typeof whole !== 'object') {
    throw invalidArgType('options', 'of type object', whole);
  }
  const options = snapshot(whole, PROTOCOL_NAMES);
  checkTypes(options);
  const { host, session, sessionCredential } = options;
  const tunnelled = tunnelledHost(options);
  const name = options.servername ?? host ?? tunnelled;
  const secureContext = options.secureContext ?? sharedContext(options);
  const clientCertCallback = options.clientCertCallback ?? null;
  const alpnProtocols = wireForm(options.ALPNProtocols);
  const mayAnswer =
    clientCertCallback !== null ||
    secureContext.getClientCertCallback() !== null ||
    secureContext.credentials.length > 0;
  return {
    secureContext,
    clientCertCallback,
    clientCertTimeout: options.clientCertTimeout ?? DEFAULT_CLIENT_CERT_TIMEOUT,
    requireClientCert: options.requireClientCert === true,
    // Nothing but `false` turns it off: not 0, not an empty string.
    rejectUnauthorized:
      options.rejectUnauthorized == null
        ? rejectsByDefault()
        : options.rejectUnauthorized !== false,
    checkServerIdentity: options.checkServerIdentity ?? tls.checkServerIdentity,
    hostname: options.servername || host || tunnelled || 'localhost',
    servername: name === undefined || net.isIP(name) !== 0 ? '' : name,
    alpnProtocols,
    postHandshakeAuth: options.postHandshakeAuth ?? (mayAnswer && !offersHttp2(alpnProtocols)),
    reselectClientCert: options.reselectClientCert === true,
    // Programs may change these, which node:tls documents for its servers.
    renegotiationLimit: clamp(tls.CLIENT_RENEG_LIMIT),
    renegotiationWindow: clamp(tls.CLIENT_RENEG_WINDOW),
    session: session ?? undefined,
    sessionCredential,
    requestOCSP: Boolean(options.requestOCSP),
    minDHSize: options.minDHSize ?? DEFAULT_MIN_DH_SIZE,
    pskCallback: options.pskCallback ?? null,
    enableTrace: options.enableTrace === true,
  };
}

/** To what crosses into native code as it is: `Infinity` is a number that people write. */
function clamp(value: number): number {
  return Math.max(0, Math.min(2 ** 31 - 1, Math.floor(value)));
}

/** Node keeps the name there that a socket was opened for. */
function tunnelledHost(options: ProtocolOptions): string | undefined {
  const { socket } = options as { socket?: Duplex & { _host?: unknown } };
  const _host = socket == null ? undefined : given(socket, '_host');
  return typeof _host === 'string' ? _host : undefined;
}

function checkTypes(options: ProtocolOptions): void {
  const expect = (name: keyof ProtocolOptions, type: string) => {
    const value = options[name];
    if (value !== undefined && value !== null && typeof value !== type) {
      throw invalidArgType(`options.${name}`, `of type ${type}`, value);
    }
  };
  expect('servername', 'string');
  expect('host', 'string');
  expect('checkServerIdentity', 'function');
  expect('clientCertCallback', 'function');
  expect('clientCertTimeout', 'number');
  expect('requireClientCert', 'boolean');
  expect('postHandshakeAuth', 'boolean');
  expect('reselectClientCert', 'boolean');
  expect('pskCallback', 'function');
  expect('enableTrace', 'boolean');
  expect('minDHSize', 'number');
  const { secureContext, clientCertTimeout, minDHSize, session, sessionCredential } = options;
  if (secureContext !== undefined && secureContext !== null && !SecureContext.is(secureContext)) {
    throw invalidArgType(
      'options.secureContext',
      "an instance of SecureContext, made by this package's createSecureContext()",
      secureContext,
    );
  }
  if (
    clientCertTimeout !== undefined &&
    !(clientCertTimeout >= 0 && clientCertTimeout <= LONGEST_TIMEOUT)
  ) {
    const range = `>= 0 and <= ${LONGEST_TIMEOUT}`;
    throw outOfRange('options.clientCertTimeout', range, clientCertTimeout);
  }
  if (minDHSize !== undefined && minDHSize !== null && !(minDHSize > 0)) {
    throw outOfRange('options.minDHSize', '> 0', minDHSize);
  }
  if (session !== undefined && session !== null && !types.isUint8Array(session)) {
    throw invalidArgType('options.session', 'an instance of Buffer or Uint8Array', session);
  }
  if (
    sessionCredential !== undefined &&
    sessionCredential !== null &&
    !Credential.is(sessionCredential)
  ) {
    throw invalidArgType(
      'options.sessionCredential',
      'an instance of Credential, or null',
      sessionCredential,
    );
  }
}

let warnedOfEnvironment = false;

function rejectsByDefault(): boolean {
  if (process.env.NODE_TLS_REJECT_UNAUTHORIZED !== '0') return true;
  if (!warnedOfEnvironment) {
    warnedOfEnvironment = true;
    process.emitWarning(
      "Setting the NODE_TLS_REJECT_UNAUTHORIZED environment variable to '0' makes TLS connections insecure: servers are not verified before client certificates are sent.",
    );
  }
  return false;
}

/** Kept by each connection that offers none. */
const NO_PROTOCOLS = new Uint8Array();

function wireForm(protocols: ProtocolOptions['ALPNProtocols']): Uint8Array {
  if (protocols === undefined || protocols === null) return NO_PROTOCOLS;
  if (!Array.isArray(protocols)) {
    if (typeof protocols === 'string') {
      throw invalidArgType(
        'options.ALPNProtocols',
        'an Array or an instance of Uint8Array',
        protocols,
      );
    }
    return toBytes(protocols, 'options.ALPNProtocols');
  }
  const names = protocols.map((item, i) => toBytes(item, `options.ALPNProtocols[${i}]`));
  names.forEach((name, i) => {
    if (name.length === 0 || name.length > 255) {
      throw invalidArgValue(`options.ALPNProtocols[${i}]`, 'must have 1 to 255 bytes');
    }
  });
  return Buffer.concat(names.flatMap((name) => [Buffer.of(name.length), name]));
}

function offersHttp2(protocols: Uint8Array): boolean {
  for (let at = 0; at < protocols.length; ) {
    const length = protocols[at] as number;
    const name = Buffer.from(protocols.subarray(at + 1, at + 1 + length));
    if (name.equals(HTTP2)) return true;
    at += 1 + length;
  }
  return false;
}

const HTTP2 = Buffer.from('h2');
