/** How ciphertext goes between a connection and the stream below. */
import type { Below } from './socket-face';

/** Whom a transport tells what arrives. */
export interface TransportOwner {
  /** The connection has received something, or may receive it now. */
  received(): void;
  /** The peer sends no more. */
  ended(): void;
  failed(error: Error): void;
}

/**
 * What became of a flush: there was nothing to send, or it was passed on, or nobody is there any more who
 * would take it.
 */
export type Flushed = 'nothing' | 'passed-on' | 'gone';

export interface Transport {
  readonly kind: 'stream' | 'socket';
  /** In place of the stream below, where that was needed no more and is destroyed. */
  readonly socket: Below | undefined;
  /**
   * Sends what the connection has for the peer.
   *
   * @param written - Called when the stream below has taken it, or did not; not called for `'gone'`.
   */
  flush(written?: (error?: Error | null) => void): Flushed;
  /** Ends the writing side; `done` when all of it was passed on. */
  end(done: (error?: Error | null) => void): void;
  /**
   * Nothing goes on before the peer says more: it looks whether the peer has ended, and stops what
   * comes in when too much of it is unread.
   *
   * @param exhausted - Whether all was read, and the peer's end was not met.
   */
  rest(exhausted: boolean): void;
  ref(): void;
  unref(): void;
  /**
   * No more is sent or received. The stream below is the caller's to destroy.
   *
   * @param why - For what is still waiting to be written.
   */
  close(why: () => Error): void;
}

/**
 * Ciphertext kept while nobody reads or the handshake waits, in bytes. Up to there it is received, so that
 * the peer's end is seen; beyond it is left to the stream below.
 */
export const UNREAD_LIMIT = 64 * 1024;
