import type { Attempt } from '../attempt';

export interface Kind {
  /** How often it comes, beside the others. */
  readonly weight: number;
  /** The codes of errors with which it has to end. Without them it has to end well. */
  readonly failsWith?: readonly string[];
  /** Rejects with the connection's error, or with what is wrong. */
  run(attempt: Attempt): Promise<unknown>;
}

export type Kinds = Readonly<Record<string, Kind>>;

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/**
 * What a reset looks like to whom it hits reading, or writing; and over a stream: libuv tells of one that comes
 * right behind data as of an end, which to TLS is one without close_notify.
 */
export const RESET = ['ECONNRESET', 'EPIPE', 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING'] as const;
