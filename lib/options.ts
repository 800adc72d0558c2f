/**
 * The options of `connect()`: what is added to the protocol's own, and the checks of that.
 */
import type { OnReadOpts, TcpNetConnectOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import { invalidArgType, invalidArgValue } from './errors';
import { IdleTimer } from './idle-timer';
import type { ProtocolOptions } from './protocol-options';
import { refuseUnsupported } from './unsupported-options';

/**
 * Options of {@link connect}: those of `net.connect()`, {@link ProtocolOptions} (from `ca` over
 * `clientCertCallback` and `postHandshakeAuth` to `session`), and these. Names, types and defaults
 * are those of `tls.connect()` unless a line says otherwise.
 */
export interface ConnectionOptions
  extends ProtocolOptions,
    Partial<Omit<TcpNetConnectOpts, 'host' | 'port' | 'onread'>> {
  port?: number | string | null | undefined;
  /** A Unix domain socket or named pipe, in place of `host` and `port`. */
  path?: string | null | undefined;
  /**
   * An established stream to speak TLS over, in place of `host`, `port` and `path`: a socket, a
   * proxy's tunnel, another TLS connection. It is destroyed with this one. Nobody else may read or write it
   * meanwhile; what a `net.Socket` counts and tells by itself (`bytesRead`, `'end'`) stands still where
   * ciphertext takes its descriptor, see `transport`.
   */
  socket?: Duplex | undefined;
  /** Keep the writing side open when the server ends. Default: `false`. */
  allowHalfOpen?: boolean | undefined;
  /** As of {@link TLSSocket.setTimeout}. */
  timeout?: number | undefined;
  /** Destroys the socket when it aborts. */
  signal?: AbortSignal | undefined;
  /**
   * `'stream'`: ciphertext passes through the stream below even where it could go straight through the
   * descriptor of a `net.Socket`, which takes less. Default: `'auto'`.
   */
  transport?: 'auto' | 'stream' | undefined;
  /**
   * Plaintext goes into this one buffer and to this callback, in place of `'data'`; when it returns `false`, no
   * more is read before `resume()`. Without effect with `socket`, as in `node:tls`.
   */
  onread?: OnReadOpts | null | undefined;
  /** Bytes of plaintext buffered before the stream says stop. Default: the stream's own. */
  highWaterMark?: number | undefined;
}

/** Options of `tls.connect()` that must not be passed over in silence, and what to do instead. */
const REFUSED: Readonly<Record<string, string>> = {
  fd: 'pass a net.Socket in options.socket',
  handle: 'pass a net.Socket in options.socket',
};

/** Refuses what is wrong with the options that are not the protocol's. @internal */
export function checkSocketOptions(options: ConnectionOptions): void {
  refuseUnsupported(options, REFUSED);
  const { path, socket, signal, timeout, transport } = options;
  if (
    transport !== undefined &&
    transport !== null &&
    transport !== 'auto' &&
    transport !== 'stream'
  ) {
    throw invalidArgValue('options.transport', "must be 'auto' or 'stream'");
  }
  if (path !== undefined && path !== null && typeof path !== 'string') {
    throw invalidArgType('options.path', 'of type string', path);
  }
  if (timeout !== undefined && timeout !== null) {
    if (typeof timeout !== 'number') {
      throw invalidArgType('options.timeout', 'of type number', timeout);
    }
    IdleTimer.check(timeout);
  }
  if (signal !== undefined && signal !== null && !isAbortSignal(signal)) {
    throw invalidArgType('options.signal', 'an instance of AbortSignal', signal);
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
