import net from 'node:net';
import { connect } from '../connect';
import { Credential } from '../credential';
import { logKeys } from '../log-keys';
import type { ConnectionOptions } from '../options';
import { upgrade } from '../starttls';
import type { TLSSocket } from '../tls-socket';
import type { ClientCertCallback } from '../types';
import { CliError } from './cli-error';
import { type ConnectionFlags, connectionOptions } from './connection-options';
import { ExitCode } from './exit-codes';
import { explain } from './explain';
import type { Target } from './target';

/** A connection on its way. */
export interface Opened {
  /** Its errors are heard; listen on for those after the handshake. */
  readonly socket: TLSSocket;
  /**
   * Settles with the handshake: rejects with a {@link CliError} when it fails, or when the network lets
   * `--timeout` pass. The time in which a client certificate is waited for does not count.
   */
  readonly secured: Promise<void>;
  /** Makes of an error of this socket one to show. */
  readonly explain: (error: unknown) => CliError;
}

export type OpenOptions = Omit<ConnectionOptions, 'host' | 'port' | 'path' | 'socket'> & {
  readonly signal?: AbortSignal | undefined;
};

/**
 * Looks up, connects, says what `--starttls` wants said, and begins the handshake, with `SSLKEYLOGFILE` minded.
 *
 * @param options - For `connect()`, over what the flags say.
 * @throws CliError when it does not come to a handshake.
 */
export async function openConnection(
  target: Target,
  flags: ConnectionFlags,
  options: OpenOptions = {},
): Promise<Opened> {
  const fromFlags = connectionOptions(flags);
  const timeout = flags.timeout * 1000;
  const began = performance.now();
  const { signal } = options;
  const starttls = flags.starttls ?? target.starttls;
  let plain: net.Socket;
  try {
    plain = await connected(target, timeout, signal);
    if (starttls !== undefined) {
      const left = Math.max(1, timeout - (performance.now() - began));
      await upgrade(starttls, plain, { timeout: left, signal });
    }
  } catch (error) {
    throw explain(error, { target });
  }
  const left = Math.max(1, timeout - (performance.now() - began));
  return new Handshake(target, plain, { ...fromFlags, ...options }, { timeout, left });
}

function connected(
  { host, port, authority }: Target,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, allowHalfOpen: true });
    const settle = (error?: unknown) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.off('connect', settle).off('error', settle);
      if (error === undefined) return resolve(socket);
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const abort = () => settle(signal?.reason);
    const timer = setTimeout(() => settle(tookTooLong(authority, timeout)), timeout);
    socket.once('connect', settle).once('error', settle);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
  });
}

function tookTooLong(at: string, timeout: number, doing = 'connect'): CliError {
  const what =
    doing === 'connect'
      ? 'Check host and port, and whether a firewall is in between'
      : 'Check that a TLS server is on that port; one that begins in plaintext needs --starttls';
  return new CliError(
    ExitCode.unreachable,
    'CLI_TIMEOUT',
    `${at} did not answer within ${(timeout / 1000).toFixed(1).replace('.0', '')} s. ${what}, or wait longer by --timeout.`,
  );
}

class Handshake implements Opened {
  readonly socket: TLSSocket;
  readonly secured: Promise<void>;
  readonly #target: Target;
  readonly #timeout: number;
  #left: number;
  #timer: NodeJS.Timeout | undefined;
  #startedAt = 0;
  #over = false;
  #fail: (error: unknown) => void = () => {};
  #firstBytes: Uint8Array | undefined;
  #asked = false;
  #pending = false;

  constructor(
    target: Target,
    plain: net.Socket,
    options: OpenOptions,
    { timeout, left }: { readonly timeout: number; readonly left: number },
  ) {
    this.#target = target;
    this.#timeout = timeout;
    this.#left = left;
    // With a listener of ours ciphertext goes over the stream, and we see how the server begins.
    plain.once('data', (bytes: Buffer) => {
      this.#firstBytes = bytes.subarray(0, 200);
    });
    this.socket = connect(this.#options(options, plain));
    const file = process.env.SSLKEYLOGFILE;
    if (file) logKeys(this.socket, file);
    this.secured = new Promise<void>((resolve, reject) => {
      this.#fail = (error) => {
        reject(this.explain(error));
        this.#stop();
      };
      this.socket.once('secureConnect', () => {
        this.#stop();
        resolve();
      });
      this.socket.on('error', this.#fail);
      this.socket.once('close', () => this.#fail(new Error('The connection was closed.')));
    });
    // Whoever opened it may not be there to hear it yet.
    this.secured.catch(() => {});
    this.#start();
  }

  readonly explain = (error: unknown): CliError =>
    explain(error, {
      target: this.#target,
      firstBytes: this.#firstBytes,
      asked: this.#asked,
      pending: this.#pending,
    });

  #options(options: OpenOptions, socket: net.Socket): ConnectionOptions {
    const { clientCertCallback: callback, ...rest } = options;
    const { host, port } = this.#target;
    return {
      ...rest,
      host,
      port,
      socket,
      ...(callback != null && { clientCertCallback: this.#untimed(callback) }),
    };
  }

  /** A person may take longer than a network. */
  #untimed(callback: ClientCertCallback): ClientCertCallback {
    return (request, context) => {
      this.#asked = true;
      this.#pending = true;
      this.#pause();
      const answer = callback(request, context);
      if (answer === null || answer === undefined || !('then' in Object(answer))) {
        if (typeof answer !== 'symbol') this.#answered(answer);
        return answer;
      }
      return Promise.resolve(answer).then((value) => {
        this.#answered(value);
        return value;
      });
    };
  }

  #start(): void {
    if (this.#over) return;
    this.#startedAt = performance.now();
    this.#timer = setTimeout(() => {
      const error = tookTooLong(this.#target.authority, this.#timeout, 'shake hands');
      this.#fail(error);
      this.socket.destroy();
    }, this.#left);
  }

  #answered(answer: unknown): void {
    // A PIN may be typed in for its signature, here or at a reader.
    const signs = Credential.is(answer) && Credential.signerOf(answer) !== null;
    this.#pending = signs && !this.#over;
    if (!signs) this.#start();
  }

  #pause(): void {
    clearTimeout(this.#timer);
    this.#left = Math.max(1, this.#left - (performance.now() - this.#startedAt));
  }

  #stop(): void {
    this.#over = true;
    this.#pending = false;
    clearTimeout(this.#timer);
  }
}
