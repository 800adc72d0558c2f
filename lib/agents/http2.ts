/**
 * HTTP/2 over this package's connections.
 *
 * @packageDocumentation
 */
import type { SessionOptions as Http2SessionOptions } from 'node:http2';
import type { Duplex } from 'node:stream';
import { connect } from '../connect';
import { invalidArgType, invalidArgValue, TLSClientCertError } from '../errors';
import type { ConnectionOptions } from '../options';
import type { TLSSocket } from '../tls-socket';
import { type CommonOptions, combined, split } from './request-options';
import { resetWhereTruncated } from './truncation';

/** Options of {@link createConnection}: those of {@link connect} but for where to connect to. */
export interface CreateConnectionOptions
  extends Omit<ConnectionOptions, 'host' | 'port' | keyof CommonOptions>,
    Omit<CommonOptions, 'postHandshakeAuth'> {}

/**
 * Makes a function for the option `createConnection` of `http2.connect()`. Options for TLS may also be among
 * those of `http2.connect()`; they go before these.
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
): (authority: URL, sessionOptions?: Http2SessionOptions) => TLSSocket {
  if (options === null || typeof options !== 'object') {
    throw invalidArgType('options', 'of type object', options);
  }
  const [common, rest] = split(options);
  return (authority, sessionOptions = {}) => {
    if (authority.protocol !== 'https:') {
      throw invalidArgValue('authority.protocol', 'must be https:, there is no TLS for others');
    }
    const socket = connect({
      ...rest,
      ...combined(common, sessionOptions),
      ALPNProtocols: ['h2'],
      // Node keeps the brackets of an IPv6 address in a URL.
      host: authority.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: authority.port || 443,
    });
    resetWhereTruncated(socket);
    const settle = letGoEarly(socket);
    // Before anything of HTTP/2 leaves, which waits for this event.
    socket.once('secureConnect', () => {
      settle();
      if (socket.alpnProtocol !== 'h2') socket.destroy(mismatch(authority));
    });
    return socket;
  };
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

function mismatch({ host }: URL): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_TLS_ALPN_MISMATCH',
    `${host} does not speak HTTP/2: it agreed on no protocol. Use HTTP/1.1 there.`,
  );
}
