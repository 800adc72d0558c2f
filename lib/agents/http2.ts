/**
 * HTTP/2 over this package's connections.
 *
 * @packageDocumentation
 */
import type { ClientSessionOptions, SessionOptions as Http2SessionOptions } from 'node:http2';
import type { Duplex } from 'node:stream';
import { connect } from '../connect';
import { invalidArgType, invalidArgValue, TLSClientCertError } from '../errors';
import { given, snapshot } from '../given';
import type { ConnectionOptions } from '../options';
import type { TLSSocket } from '../tls-socket';
import { type CommonOptions, combined, split } from './request-options';
import { resetWhereTruncated } from './truncation';

/** What `http2.connect()` passes on: a URL, or the plain object that it was given in place of one. */
export type Authority = Partial<Pick<URL, 'protocol' | 'hostname' | 'host'>> & {
  port?: string | number | undefined;
};

/** Options of {@link createConnection}: those of {@link connect} but for where to connect to. */
export interface CreateConnectionOptions
  extends Omit<ConnectionOptions, 'host' | 'port' | keyof CommonOptions>,
    Omit<CommonOptions, 'postHandshakeAuth'> {}

/**
 * Makes a function for the option `createConnection` of `http2.connect()`. Options for TLS may also be among
 * those of `http2.connect()`, and options for TCP as `lookup`, `localAddress` and `signal`; they go before these.
 *
 * HTTP/2 alone is offered (ALPN), and a server that does not agree fails the connection with
 * `ERR_TLS_ALPN_MISMATCH`. Nothing can be asked after the handshake: RFC 8740 forbids it.
 *
 * Node's session knows the socket as a plain stream. Its `'connect'` comes before the handshake, what is sent
 * meanwhile waits for it, and its `encrypted` and `alpnProtocol` are those of a connection without TLS: ask
 * the socket. What the function returns is that socket.
 *
 * @returns The function. It throws what {@link connect} does, and `ERR_INVALID_ARG_VALUE` for URLs other than of
 *   `https:`.
 */
export function createConnection(
  options: CreateConnectionOptions = {},
): (authority: Authority, sessionOptions?: Http2SessionOptions) => TLSSocket {
  if (options === null || typeof options !== 'object') {
    throw invalidArgType('options', 'of type object', options);
  }
  const [common, rest] = split(options);
  return (authority, sessionOptions = {}) => {
    const { protocol, hostname, port } = placeOf(authority, sessionOptions);
    if (protocol !== 'https:') {
      throw invalidArgValue('authority.protocol', 'must be https:, there is no TLS for others');
    }
    const socket = connect({
      ...rest,
      ...defined(sessionOptions),
      ...combined(common, sessionOptions),
      ALPNProtocols: ['h2'],
      host: hostname,
      port,
    });
    resetWhereTruncated(socket);
    const settle = letGoEarly(socket);
    // Before anything of HTTP/2 leaves, which waits for this event.
    socket.once('secureConnect', () => {
      settle();
      if (socket.alpnProtocol !== 'h2') socket.destroy(mismatch(`${hostname}:${port}`));
    });
    return socket;
  };
}

const PLACE_NAMES = ['protocol', 'hostname', 'host', 'port'] as const;

/** As `http2.connect()` takes it. */
function placeOf(
  authority: Authority,
  sessionOptions: Http2SessionOptions,
): { protocol: string; hostname: string; port: string | number } {
  const { protocol, hostname, host, port } = snapshot(authority, PLACE_NAMES);
  return {
    protocol: protocol || given(sessionOptions as ClientSessionOptions, 'protocol') || 'https:',
    // Node keeps the brackets of an IPv6 address in a URL.
    hostname: hostname?.replace(/^\[(.*)\]$/, '$1') || host || 'localhost',
    port: port || 443,
  };
}

/** Without those that are left to others. */
function defined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/**
 * Node's session waits for its writes, and for the end of the stream, before it is over: as long as the
 * handshake, in which nobody may answer any more. So until that is done, writes are acknowledged as soon as the
 * stream has them (HTTP/2 allows only 64 KiB of data before the server has said anything), and who ends the
 * stream destroys it: no response can have come yet.
 *
 * @returns What puts an end to that.
 */
function letGoEarly(socket: TLSSocket): () => void {
  const { write, end } = socket;
  const early: Pick<Duplex, 'write' | 'end'> = {
    write: (chunk: unknown, ...rest: unknown[]) => {
      const callback = rest.findLast((argument) => typeof argument === 'function');
      if (callback !== undefined) process.nextTick(callback as () => void);
      return write.call(socket, chunk, 'utf8');
    },
    end: () => socket.destroy(),
  };
  Object.assign(socket, early);
  return () => Object.assign(socket, { write, end });
}

function mismatch(host: string): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_TLS_ALPN_MISMATCH',
    `${host} does not speak HTTP/2: it agreed on no protocol. Use HTTP/1.1 there.`,
  );
}
