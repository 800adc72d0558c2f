import net from 'node:net';
import { addAbortSignal } from 'node:stream';
import { invalidArgType } from './errors';
import type { ConnectionOptions } from './options';
import { TLSSocket } from './tls-socket';

/**
 * Opens a TLS connection as `tls.connect()` does, to a server that may ask for a client
 * certificate; `clientCertCallback` answers, at once or later.
 *
 * @param listener - Added once for `'secureConnect'`.
 * @returns The socket. What goes wrong with the connection comes as its `'error'`.
 * @param options - An object: the positional forms of `tls.connect()` are not taken.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_MISSING_ARGS`; RangeError
 *   `ERR_OUT_OF_RANGE`; and what {@link createSecureContext} throws.
 */
export function connect(options: ConnectionOptions, listener?: () => void): TLSSocket {
  if (options === null || typeof options !== 'object') {
    throw invalidArgType('options', 'of type object, with port and host in it', options);
  }
  if (listener !== undefined && typeof listener !== 'function') {
    throw invalidArgType('listener', 'of type function', listener);
  }
  // A copy, as in node:tls: what is inherited does not count, what changes later does not either.
  const own = { ...options };
  const { timeout, signal } = own;
  const open = () => own.socket ?? net.connect(transportOptions(own));
  const socket = TLSSocket.over(open, own);
  if (listener !== undefined) socket.once('secureConnect', listener);
  if (timeout) socket.setTimeout(timeout);
  if (signal) addAbortSignal(signal, socket);
  return socket;
}

/** What of the options is for the socket below; the rest is for the one above it. */
function transportOptions(options: ConnectionOptions): net.NetConnectOpts {
  const { timeout, signal, highWaterMark, ...below } = options;
  // Half-open, because close_notify has to follow the server's FIN where it comes first.
  return { ...below, allowHalfOpen: true } as net.NetConnectOpts;
}
