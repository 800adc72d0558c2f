/**
 * The options of `connect()`: their types, their checks, and the plain form that the socket takes.
 */
import net, { type TcpNetConnectOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import tls, { type PeerCertificate } from 'node:tls';
import { toBytes } from './bytes';
import type { MachineOptions } from './connection';
import { invalidArgType, invalidArgValue, outOfRange } from './errors';
import { IdleTimer, LONGEST_TIMEOUT } from './idle-timer';
import { createSecureContext, SecureContext, type SecureContextOptions } from './secure-context';
import { defaultTrust } from './trust';
import type { ClientCertCallback } from './types';

/**
 * Options of {@link connect}: those of `net.connect()`, those of {@link createSecureContext}, and
 * these. Names, types and defaults are those of `tls.connect()` unless a line says otherwise.
 */
export interface ConnectionOptions
  extends SecureContextOptions,
    Partial<Omit<TcpNetConnectOpts, 'port' | 'onread'>> {
  port?: number | undefined;
  /** A Unix domain socket or named pipe, in place of `host` and `port`. */
  path?: string | undefined;
  /**
   * An established stream to speak TLS over, in place of `host`, `port` and `path`: a socket, a
   * proxy's tunnel, another TLS connection. It is destroyed with this one.
   */
  socket?: Duplex | undefined;
  /** A context to share. The options that would make one are ignored then. */
  secureContext?: SecureContext | undefined;
  /**
   * Called when the server asks for a client certificate. It goes before the context's own; with
   * `null`, or without it, the context's is called. Not called when `cert` or `pfx` is set.
   */
  clientCertCallback?: ClientCertCallback | null | undefined;
  /**
   * Milliseconds that a suspended request waits for its answer, over all attempts, before the
   * connection fails with `ERR_CLIENT_CERT_TIMEOUT`. 0: as long as the server does.
   * Default: `120000`.
   */
  clientCertTimeout?: number | undefined;
  /**
   * Fail with `ERR_CLIENT_CERT_REQUIRED` unless a client certificate was sent in the handshake.
   * Default: `false`.
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
  /** Protocols for ALPN, the preferred first; or their wire form (RFC 7301, section 3.1). */
  ALPNProtocols?: readonly (string | Uint8Array)[] | Uint8Array | undefined;
  /** Keep the writing side open when the server ends. Default: `false`. */
  allowHalfOpen?: boolean | undefined;
  /** As of {@link TLSSocket.setTimeout}. */
  timeout?: number | undefined;
  /** Destroys the socket when it aborts. */
  signal?: AbortSignal | undefined;
  /** Bytes of plaintext buffered before the stream says stop. Default: the stream's own. */
  highWaterMark?: number | undefined;
}

/** The options in the form that `TLSSocket` takes. @internal */
export interface TLSSocketOptions extends MachineOptions {
  allowHalfOpen: boolean;
  highWaterMark: number | undefined;
  connectOptions: Pick<ConnectionOptions, 'host' | 'port' | 'path' | 'localAddress'>;
}

const DEFAULT_CLIENT_CERT_TIMEOUT = 120_000;

/** @internal */
export function normalize(options: ConnectionOptions): TLSSocketOptions {
  checkTypes(options);
  const { host, port, path, localAddress, socket } = options;
  const below = socket as { _host?: unknown } | undefined;
  const tunnelled = typeof below?._host === 'string' ? below._host : undefined;
  const name = options.servername ?? host ?? tunnelled;
  return {
    secureContext: options.secureContext ?? contextFor(options),
    clientCertCallback: options.clientCertCallback ?? null,
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
    alpnProtocols: wireForm(options.ALPNProtocols),
    allowHalfOpen: options.allowHalfOpen === true,
    highWaterMark: options.highWaterMark,
    connectOptions: { host, port, path, localAddress },
  };
}

/** Options of `tls.connect()` that must not be passed over in silence, and what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  secureProtocol: 'set minVersion and maxVersion instead',
  pskCallback: 'connect without pre-shared keys',
  privateKeyEngine: 'OpenSSL engines are gone in OpenSSL 4',
  privateKeyIdentifier: 'OpenSSL engines are gone in OpenSSL 4',
  clientCertEngine: 'OpenSSL engines are gone in OpenSSL 4; use clientCertCallback',
  requestOCSP: 'stapled responses are not delivered yet',
  minDHSize: 'OpenSSL\'s security level bounds it; set "@SECLEVEL=" in ciphers',
  onread: 'read from the stream',
  fd: 'pass a net.Socket in options.socket',
  handle: 'pass a net.Socket in options.socket',
};

function checkTypes(options: ConnectionOptions): void {
  for (const [name, instead] of Object.entries(REFUSED)) {
    if ((options as Record<string, unknown>)[name]) {
      throw invalidArgValue(`options.${name}`, `is not supported here: ${instead}`);
    }
  }
  const expect = (name: keyof ConnectionOptions, type: string) => {
    const value = options[name];
    if (value !== undefined && value !== null && typeof value !== type) {
      throw invalidArgType(`options.${name}`, `of type ${type}`, value);
    }
  };
  expect('servername', 'string');
  expect('host', 'string');
  expect('path', 'string');
  expect('checkServerIdentity', 'function');
  expect('clientCertCallback', 'function');
  expect('clientCertTimeout', 'number');
  expect('requireClientCert', 'boolean');
  expect('timeout', 'number');
  const { secureContext, clientCertTimeout, socket, signal, timeout } = options;
  if (timeout !== undefined && timeout !== null) IdleTimer.check(timeout);
  if (signal !== undefined && signal !== null && !isAbortSignal(signal)) {
    throw invalidArgType('options.signal', 'an instance of AbortSignal', signal);
  }
  if (secureContext !== undefined && !(secureContext instanceof SecureContext)) {
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
  if (socket !== undefined && socket !== null && !isDuplex(socket)) {
    throw invalidArgType('options.socket', 'an instance of stream.Duplex', socket);
  }
}

function isAbortSignal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'aborted' in value;
}

/** By its shape: it may come from another copy of the stream module. */
function isDuplex(value: unknown): value is Duplex {
  const stream = value as Partial<Duplex>;
  return (
    typeof stream === 'object' &&
    typeof stream.on === 'function' &&
    typeof stream.write === 'function' &&
    typeof stream.pause === 'function' &&
    typeof stream.destroy === 'function'
  );
}

const CONTEXT_OPTIONS: readonly (keyof SecureContextOptions)[] = [
  'ca',
  'cert',
  'key',
  'pfx',
  'passphrase',
  'crl',
  'ciphers',
  'ecdhCurve',
  'sigalgs',
  'minVersion',
  'maxVersion',
  'secureOptions',
  'allowPartialTrustChain',
];

let plainContext: { defaults: string; trust: unknown; context: SecureContext } | undefined;

/** Connections without any context option share one: most programs have no other. */
function contextFor(options: ConnectionOptions): SecureContext {
  if (CONTEXT_OPTIONS.some((name) => options[name] !== undefined)) {
    // The callback is the connection's: two connections may share a context and not the callback.
    return createSecureContext({ ...options, clientCertCallback: undefined });
  }
  // Node lets programs change these.
  const defaults = [
    tls.DEFAULT_MIN_VERSION,
    tls.DEFAULT_MAX_VERSION,
    tls.DEFAULT_CIPHERS,
    tls.DEFAULT_ECDH_CURVE,
  ].join();
  const trust = defaultTrust();
  if (plainContext?.defaults !== defaults || plainContext.trust !== trust) {
    plainContext = { defaults, trust, context: createSecureContext() };
  }
  return plainContext.context;
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

function wireForm(protocols: ConnectionOptions['ALPNProtocols']): Uint8Array {
  if (protocols === undefined || protocols === null) return new Uint8Array();
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
