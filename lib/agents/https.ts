/**
 * An `https.Agent` over this package's connections.
 *
 * @packageDocumentation
 */
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { invalidArgValue } from '../errors';
import type { ConnectionOptions } from '../options';
import type { TLSSocket } from '../tls-socket';
import { type CommonOptions, combined, poolName, split } from './request-options';
import { type SessionOptions, Sessions } from './sessions';
import { quietWhereAnswered } from './truncation';

/**
 * Options of {@link Agent}: those of `http.Agent`, and of {@link connect} what is not about where to
 * connect to.
 */
export interface AgentOptions extends http.AgentOptions, CommonOptions, SessionOptions {
  /** Keep connections for later requests. Default: `true`, as for `https.globalAgent`. */
  keepAlive?: boolean | undefined;
}

/**
 * Options of `https.request()` beside its own, for requests through an {@link Agent}: they go before the
 * agent's.
 */
export interface RequestOptions
  extends https.RequestOptions,
    Pick<
      CommonOptions,
      | 'clientCertCallback'
      | 'clientCertTimeout'
      | 'credential'
      | 'postHandshakeAuth'
      | 'pskCallback'
      | 'requireClientCert'
      | 'reselectClientCert'
      | 'secureContext'
      | 'sessionCredential'
    > {}

/**
 * An `https.Agent` whose connections answer a server's request for a client certificate when asked.
 * `response.socket.clientAuth` tells what became of it.
 *
 * Requests share a connection only if their own options are the same: a certificate, key or passphrase by
 * what it holds, a callback, `Credential`, signer or `KeyObject` by which it is. So hold on to one callback;
 * a new function for each request has a new connection for each.
 *
 * Unlike with `https.Agent`, a request's options go before the agent's, but for `servername`. One that says who it
 * is, by any of `cert`, `key`, `pfx`, `passphrase`, `credential`, `clientCertCallback`, `secureContext`,
 * `sessionCredential` and `pskCallback`, takes none of these from its agent. An agent's `secureContext` stays, for its
 * trust, unless the request brings one: its callback is not asked then, and one that holds a certificate makes such
 * a request throw `ERR_INVALID_ARG_VALUE`.
 *
 * Each connection asks for itself, and as many are opened at once as there are requests, up to `maxSockets`.
 */
export class Agent extends https.Agent {
  readonly #common: CommonOptions;
  readonly #sessions: Sessions;
  /** Of options that a connection was made with: what they hold may change before it is over. */
  readonly #names = new WeakMap<object, string>();

  /**
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; RangeError `ERR_OUT_OF_RANGE`.
   *   What is wrong with the options of connections is thrown by the requests.
   */
  constructor(options?: AgentOptions | null) {
    const given = options ?? {};
    const [common, rest] = split(given);
    if ((rest as { proxyEnv?: unknown }).proxyEnv) {
      throw invalidArgValue(
        'options.proxyEnv',
        'is not supported here: derive a class that opens the tunnel in createConnection()',
      );
    }
    // Node names a connection by the request's Host, which would be the request's own wish, unless it sees this.
    const named = common.servername === undefined ? {} : { servername: common.servername };
    super({ ...rest, ...named, keepAlive: given.keepAlive ?? true });
    this.#common = common;
    this.#sessions = new Sessions(given);
  }

  /**
   * Called by `https.request()` for a new connection. A derived class that has to do something before, to open
   * a proxy's tunnel for instance, calls `callback` instead of returning a socket, with what {@link connect}
   * makes.
   *
   * @throws As the package's `connect()`.
   */
  override createConnection(
    options: https.RequestOptions,
    _callback?: (error: Error | null, stream: Duplex) => void,
  ): TLSSocket | null | undefined {
    this.#names.set(options, this.getName(options));
    return this.connect(options);
  }

  /** Connects for a request with such options, over `socket` if there is one. */
  protected connect(options: https.RequestOptions & { socket?: Duplex | undefined }): TLSSocket {
    // Sessions are not bound to the stream below.
    const place = this.getName({ ...options, socket: undefined } as https.RequestOptions);
    const socket = this.#sessions.connect(place, {
      ...(options as ConnectionOptions),
      ...combined(this.#common, options),
    });
    return quietWhereAnswered(socket, () => this.#isFree(socket));
  }

  #isFree(socket: Duplex): boolean {
    return Object.values(this.freeSockets).some((sockets) => sockets?.some((it) => it === socket));
  }

  /** Names the pool of a request: those of the same name may share a connection. It tells no secrets. */
  override getName(options: https.RequestOptions = {}): string {
    const known = this.#names.get(options);
    if (known !== undefined) return known;
    const { servername, host } = options;
    // Where the name begins is not to be seen by a colon of its own; Node's part may have some.
    const name = servername && servername !== host ? escaped(String(servername)) : '';
    return `${http.Agent.prototype.getName.call(this, options)}:${name}:${poolName(options)}`;
  }
}

function escaped(name: string): string {
  return name.replaceAll('%', '%25').replaceAll(':', '%3A');
}
