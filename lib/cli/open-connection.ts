import net from 'node:net';
import { connect } from '../connect';
import { logKeys } from '../log-keys';
import type { ConnectionOptions } from '../options';
import { upgrade } from '../starttls';
import type { TLSSocket } from '../tls-socket';
import { CliError } from './cli-error';
import { type ConnectionFlags, connectionOptions } from './connection-options';
import { ExitCode } from './exit-codes';
import { explain } from './explain';
import { NetworkClock } from './network-clock';
import type { Target } from './target';

/** A connection on its way. */
export interface Opened {
  /** Its errors are heard; listen on for those after the handshake. */
  readonly socket: TLSSocket;
  /**
   * Settles with the handshake: rejects with a {@link CliError} when it fails, or when the network lets
   * `--timeout` pass. The time in which a client certificate or its signature is waited for does not count.
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
  #firstBytes: Uint8Array | undefined;

  constructor(
    target: Target,
    plain: net.Socket,
    options: OpenOptions,
    { timeout, left }: { readonly timeout: number; readonly left: number },
  ) {
    this.#target = target;
    // With a listener of ours ciphertext goes over the stream, and we see how the server begins.
    plain.once('data', (bytes: Buffer) => {
      this.#firstBytes = bytes.subarray(0, 200);
    });
    const { host, port } = target;
    this.socket = connect({ ...options, host, port, socket: plain });
    const file = process.env.SSLKEYLOGFILE;
    if (file) logKeys(this.socket, file);
    this.secured = new Promise<void>((resolve, reject) => {
      const fail = (error: unknown) => {
        clock.stop();
        reject(this.explain(error));
      };
      const expired = () => {
        fail(tookTooLong(target.authority, timeout, 'shake hands'));
        this.socket.destroy();
      };
      const clock = new NetworkClock(this.socket, () => left, expired);
      this.socket.once('secureConnect', () => {
        clock.stop();
        resolve();
      });
      this.socket.on('error', fail);
      this.socket.once('close', () => fail(new Error('The connection was closed.')));
    });
    // Whoever opened it may not be there to hear it yet.
    this.secured.catch(() => {});
  }

  readonly explain = (error: unknown): CliError => {
    const { status } = this.socket.clientAuth;
    return explain(error, {
      target: this.#target,
      firstBytes: this.#firstBytes,
      asked: status !== 'not-requested' && status !== 'resumed',
      pending: status === 'pending' || status === 'failed',
    });
  };
}
