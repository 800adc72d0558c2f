import { snapshot } from '../given';
import { type DriverStreamOptions, LateStream } from './late-stream';
import { announcingTls, Renumbering } from './mysql-packets';

const OK = 0x00;
const ERROR = 0xff;

class MysqlStream extends LateStream {
  /** Where the driver is: before the greeting was answered, logging in, or past that. */
  #phase: 'greeting' | 'login' | 'open' = 'greeting';
  readonly #up = new Renumbering(1);
  readonly #down = new Renumbering(-1, (firstByte) => {
    // What comes next is the driver's turn: a command, with a number of its own.
    if (firstByte === OK || firstByte === ERROR) this.#phase = 'open';
  });
  #answered: (packet: Buffer) => void = () => {};
  #failed: (error: unknown) => void = () => {};

  constructor(options: DriverStreamOptions) {
    super(options);
    const answer = new Promise<Uint8Array>((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
    });
    // Whoever fails before there is a greeting does not wait for it.
    answer.catch(() => {});
    const { host, port, path } = snapshot(options, ['host', 'port', 'path']);
    this.start('mysql', { host, port, path }, (greeting) => {
      this.push(greeting);
      return answer;
    });
  }

  override _write(
    chunk: Buffer,
    encoding: BufferEncoding,
    callback: (error?: Error | null) => void,
  ): void {
    if (this.#phase !== 'greeting') {
      super._write(chunk, encoding, callback);
      return;
    }
    try {
      const packet = announcingTls(chunk);
      this.#phase = 'login';
      this.#answered(packet);
      super._write(packet, encoding, callback);
    } catch (error) {
      this.#failed(error);
      callback(error as Error);
    }
  }

  protected override fromServer(chunk: Buffer): Buffer {
    return this.#phase === 'open' ? chunk : this.#down.pass(chunk);
  }

  protected override toServer(chunk: Buffer): Buffer {
    return this.#phase === 'open' ? chunk : this.#up.pass(chunk);
  }
}

/**
 * A stream for `mysql2`, which otherwise calls `tls.connect()` itself: its option `stream`, without `ssl`. MySQL
 * and MariaDB greet in plaintext; the driver's answer to that, its password included, goes out under TLS only.
 *
 * ```js
 * const pool = createPool({ user, stream: () => mysqlStream({ host, port, ca, clientCertCallback }) });
 * ```
 *
 * @param options - Those of `connect()`, with `host` and `port`, or `path`.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`; RangeError `ERR_OUT_OF_RANGE`: of `upgradeTimeout`, and of what
 *   `new net.Socket()` looks at, such as `keepAliveInitialDelay`. What else is wrong comes as the stream's error.
 */
export function mysqlStream(options: DriverStreamOptions): LateStream {
  return new MysqlStream(options);
}
