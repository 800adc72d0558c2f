/** What `main.ts` gives to each part of the benchmark, and gets from it. */
import type { Pki } from '../test/support/pki';
import type { Floor } from './floor';
import type { Credentials } from './messages';

export interface PartOptions {
  readonly pki: Pki;
  readonly keys: Credentials;
  readonly rounds: number;
  /** Handshakes in a round. */
  readonly handshakes: number;
  /** Connections held at once. */
  readonly connections: number;
  /** Megabytes (10⁶ bytes) transferred at a time; undefined: as many as the part finds right. */
  readonly megabytes: number | undefined;
  /** Megabytes between two requests after the handshake. */
  readonly every: number;
  /** Answers timed in a round. */
  readonly answers: number;
  /** Requests in a round. */
  readonly requests: number;
  /** Compiled when it is wanted for the first time. */
  readonly floor: () => Promise<Floor>;
}

/** Measures, prints its tables, and returns what a program would want to read of it. */
export type Part = (options: PartOptions) => Promise<object>;
