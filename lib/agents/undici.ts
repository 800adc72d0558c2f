/**
 * A connector for undici, whose `Agent`, `Pool`, `Client` and `fetch` then make their connections by
 * {@link connect}. Nothing of undici is loaded here: its connectors are plain functions.
 *
 * @packageDocumentation
 */
import { setMaxListeners } from 'node:events';
import net from 'node:net';
import { invalidArgType, outOfRange, TLSClientCertError } from '../errors';
import { snapshot } from '../given';
import { LONGEST_TIMEOUT } from '../idle-timer';
import type { ConnectionOptions } from '../options';
import type { TLSSocket } from '../tls-socket';
import type { CommonOptions } from './request-options';
import { type SessionOptions, Sessions } from './sessions';

/** Options of {@link connector}: those of {@link connect}, and these. */
export interface ConnectorOptions
  extends Omit<ConnectionOptions, 'host' | 'port' | 'path' | 'socket' | keyof CommonOptions>,
    CommonOptions,
    SessionOptions {
  /** A Unix domain socket or named pipe to connect to, whatever the URL says. */
  socketPath?: string | null | undefined;
  /**
   * Milliseconds until a connection has to be secure, without the time for which the server's question
   * is unanswered: that is bounded by `clientCertTimeout`. A server that has asked may take up to three times
   * as long. 0: no limit. Default: `10000`, as in undici.
   */
  timeout?: number | undefined;
  /**
   * Offer HTTP/2, unless the option of that name of undici's `Agent`, `Pool` or `Client` says otherwise.
   * A server may not ask after the handshake then. Default: `false`.
   */
  allowH2?: boolean | undefined;
  /** TCP keep-alive. Default: `true`, as in undici. */
  keepAlive?: boolean | undefined;
  /** Milliseconds. Default: `60000`, as in undici. */
  keepAliveInitialDelay?: number | undefined;
}

/** What undici tells its connector. */
export interface ConnectParameters {
  hostname: string;
  host?: string | undefined;
  protocol: string;
  port: string;
  servername?: string | undefined;
  localAddress?: string | null | undefined;
  socketPath?: string | null | undefined;
  /** An established stream to speak TLS over, in place of a new connection. */
  httpSocket?: net.Socket | undefined;
  allowH2?: boolean | undefined;
}

const PARAMETERS = [
  ...(['hostname', 'host', 'protocol', 'port', 'servername'] as const),
  ...(['localAddress', 'socketPath', 'httpSocket', 'allowH2'] as const),
];

/** The type of undici's connectors, for its option `connect`. */
export type Connector = (
  parameters: ConnectParameters,
  callback: (...args: [error: null, socket: net.Socket] | [error: Error, socket: null]) => void,
) => void;

const DEFAULT_TIMEOUT = 10_000;

/**
 * Makes a function for the option `connect` of undici's `Agent`, `Pool` and `Client`.
 *
 * All that it connects is one identity's, as far as its options go: for another identity make another, with an
 * `Agent` of its own. URLs of `http:` are connected to without TLS.
 *
 * When an `Agent` is destroyed, undici does not tell its connector: abort the option `signal` as well, so that
 * connections that are suspended end, and with them the question.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`; RangeError `ERR_OUT_OF_RANGE`. What is wrong with the options of
 *   connections comes as the requests' error.
 */
export function connector(options: ConnectorOptions = {}): Connector {
  if (options === null || typeof options !== 'object') {
    throw invalidArgType('options', 'of type object', options);
  }
  // Without a prototype, as in connect().
  const {
    timeout = DEFAULT_TIMEOUT,
    socketPath,
    allowH2,
    ...rest
  } = Object.assign(Object.create(null) as ConnectorOptions, options);
  const common: typeof rest = Object.assign(Object.create(null), rest);
  if (typeof timeout !== 'number')
    throw invalidArgType('options.timeout', 'of type number', timeout);
  if (!(timeout >= 0 && timeout <= LONGEST_TIMEOUT)) {
    throw outOfRange('options.timeout', `>= 0 and <= ${LONGEST_TIMEOUT}`, timeout);
  }
  const sessions = new Sessions(options);
  // As many as there are connections; Node 20 takes more than ten for a leak.
  if (common.signal instanceof AbortSignal) setMaxListeners(Infinity, common.signal);

  const open = (parameters: ConnectParameters): TLSSocket | net.Socket => {
    const { hostname, host, protocol, port, localAddress, httpSocket } = parameters;
    const secure = protocol === 'https:';
    const below = {
      // As in undici, whose other connections have both.
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      noDelay: true,
      ...common,
      host: hostname,
      port: port || (secure ? 443 : 80),
      ...(localAddress && { localAddress }),
      ...pathOf(parameters.socketPath ?? socketPath),
    };
    if (!secure) return net.connect(below as net.NetConnectOpts);
    const servername = parameters.servername || common.servername || nameIn(host ?? hostname);
    const http2 = parameters.allowH2 ?? allowH2 ?? false;
    return sessions.connect(`${servername}:${hostname}:${below.port}`, {
      ALPNProtocols: http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
      ...below,
      servername,
      ...(httpSocket && { socket: httpSocket }),
    });
  };

  return (told, callback) => {
    const parameters = snapshot(told, PARAMETERS);
    let socket: TLSSocket | net.Socket;
    try {
      socket = open(parameters);
    } catch (error) {
      process.nextTick(callback, error as Error, null);
      return;
    }
    const stop = watch(socket, timeout, parameters);
    let called = false;
    const done = (error: Error | null) => {
      stop();
      if (called) return;
      called = true;
      if (error) callback(error, null);
      // All that undici does with it a Duplex has, or ours.
      else callback(null, socket as net.Socket);
    };
    const connected = parameters.protocol === 'https:' ? 'secureConnect' : 'connect';
    (socket as net.Socket)
      .once(connected, () => done(null))
      .on('error', done)
      // Whoever destroyed it may have given no reason.
      .once('close', () => done(socket.errored ?? closedError(parameters)));
  };
}

function pathOf(socketPath: string | null | undefined): { path?: string } {
  return socketPath ? { path: socketPath } : {};
}

/** Of a Host header; `''` for an address, which is never sent as a name. */
function nameIn(host: string): string {
  const name = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : host.replace(/:\d*$/, '');
  return net.isIP(name) === 0 ? name : '';
}

function closedError({ hostname, port }: ConnectParameters): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_TLS_CONNECTION_OVER',
    `The connection to ${hostname}:${port} was destroyed before it was ready.`,
  );
}

/** Destroys a socket that takes too long; returns what ends the watch. */
function watch(
  socket: TLSSocket | net.Socket,
  timeout: number,
  { hostname, port }: ConnectParameters,
): () => void {
  if (timeout === 0) return () => {};
  let answered = false;
  const expired = () => {
    const auth = 'clientAuth' in socket ? socket.clientAuth : undefined;
    // A person takes what time he needs; then the server has its own again, all of it, for when the
    // answer came is not known.
    if (auth?.status === 'pending' || (auth?.requested === true && !answered)) {
      answered = auth.status !== 'pending';
      timer = setTimeout(expired, timeout);
      return;
    }
    socket.destroy(
      new TLSClientCertError(
        'UND_ERR_CONNECT_TIMEOUT',
        `No secure connection to ${hostname}:${port} within ${timeout} ms.`,
      ),
    );
  };
  let timer = setTimeout(expired, timeout);
  return () => clearTimeout(timer);
}
