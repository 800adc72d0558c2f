import net from 'node:net';
import { addAbortSignal } from 'node:stream';
import { type ConnectParameters, connectArguments } from './connect-arguments';
import { missingArgs } from './errors';
import type { ConnectionOptions } from './options';
import { TLSSocket } from './tls-socket';

/**
 * Opens a TLS connection as `tls.connect()` does, to a server that may ask for a client
 * certificate; `clientCertCallback` answers, at once or later.
 *
 * @param port - Of the server. A string of digits is one, too; any other is a `path`.
 * @param path - A Unix domain socket (with a leading NUL an abstract one) or a named pipe.
 * @param host - Default: `'localhost'`.
 * @param options - What it says goes before the arguments to its left.
 * @param listener - Added once for `'secureConnect'`.
 * @returns The socket. What goes wrong with the connection comes as its `'error'`.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`, `ERR_MISSING_ARGS`; RangeError
 *   `ERR_OUT_OF_RANGE`, `ERR_SOCKET_BAD_PORT`; and what {@link createSecureContext} throws.
 */
export function connect(...args: ConnectParameters): TLSSocket {
  const { options, listener } = connectArguments(args);
  const { timeout, signal } = options;
  const open = () => options.socket ?? net.connect(transportOptions(addressed(options)));
  const socket = TLSSocket.over(open, options);
  if (listener !== undefined) socket.once('secureConnect', listener);
  if (timeout) socket.setTimeout(timeout);
  if (signal) addAbortSignal(signal, socket);
  return socket;
}

function addressed(options: ConnectionOptions): ConnectionOptions {
  const { port, path } = options;
  if (port === undefined && (path === undefined || path === null)) {
    throw missingArgs('options', 'port', 'path');
  }
  return options;
}

/**
 * @internal What of the options is for the socket below. What shapes a stream is for the one above it, as in
 * `tls.connect()`; below, it would change how ciphertext passes through.
 */
export function transportOptions(options: ConnectionOptions): net.NetConnectOpts {
  const below: Record<string, unknown> = Object.assign(Object.create(null), options);
  for (const name of OF_THE_STREAM_ABOVE) delete below[name];
  // net.connect() refuses null for it, and tls.connect() does not.
  if (below.keepAliveInitialDelay === null) delete below.keepAliveInitialDelay;
  // Half-open, because close_notify has to follow the server's FIN where it comes first.
  below.allowHalfOpen = true;
  return below as unknown as net.NetConnectOpts;
}

const OF_THE_STREAM_ABOVE = [
  ...['fd', 'handle', 'timeout', 'signal', 'onread', 'autoDestroy', 'emitClose', 'construct'],
  ...['highWaterMark', 'readableHighWaterMark', 'writableHighWaterMark'],
  ...['objectMode', 'readableObjectMode', 'writableObjectMode'],
  ...['readable', 'writable', 'encoding', 'defaultEncoding', 'decodeStrings'],
  ...['read', 'write', 'writev', 'final', 'destroy', 'pauseOnCreate', 'manualStart'],
];
