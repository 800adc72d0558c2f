/** What `main.ts` gives to each part of the benchmark, and gets from it. */
import type { Pki } from '../test/support/pki';
import type { Credentials } from './messages';

export interface PartOptions {
  readonly pki: Pki;
  readonly keys: Credentials;
  readonly rounds: number;
  /** Handshakes in a round. */
  readonly handshakes: number;
  /** Connections held at once. */
  readonly connections: number;
  /** Megabytes (10⁶ bytes) transferred at a time. */
  readonly megabytes: number;
  /** Megabytes between two requests after the handshake. */
  readonly every: number;
  /** Answers timed in a round. */
  readonly answers: number;
}

/** Measures, prints its tables, and returns what a program would want to read of it. */
export type Part = (options: PartOptions) => Promise<object>;
