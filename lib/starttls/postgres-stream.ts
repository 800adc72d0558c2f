import { type DriverStreamOptions, LateStream } from './late-stream';

class PostgresStream extends LateStream {
  /** Called by the driver: with port and host, or with the path of a Unix domain socket. */
  connect(portOrPath: number | string, host?: string): this {
    const path = typeof portOrPath === 'string' && !/^\d+$/.test(portOrPath);
    this.start(
      'postgres',
      path
        ? { path: portOrPath, host: undefined, port: undefined }
        : { path: undefined, host, port: Number(portOrPath) },
    );
    return this;
  }
}

/**
 * A stream for `pg`, which otherwise calls `tls.connect()` itself: its option `stream`, without `ssl`.
 *
 * ```js
 * const pool = new Pool({ host, port, user, stream: () => postgresStream({ ca, clientCertCallback }) });
 * ```
 *
 * The driver says where to connect; the server has to be that host (on a Unix domain socket `localhost`), unless
 * `servername` says otherwise.
 *
 * @param options - Those of `connect()`. Its `host`, `port` and `path` count for nothing.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`; RangeError `ERR_OUT_OF_RANGE`: of `upgradeTimeout`, and of what
 *   `new net.Socket()` looks at, such as `keepAliveInitialDelay`. What else is wrong comes as the stream's error.
 */
export function postgresStream(
  options: DriverStreamOptions,
): LateStream & { connect(portOrPath: number | string, host?: string): LateStream } {
  return new PostgresStream(options);
}
