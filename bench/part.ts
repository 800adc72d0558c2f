/** What `main.ts` gives to each part of the benchmark, and gets from it. */
import type { Pki } from '../test/support/pki';
import type { Floor } from './floor';
import type { Credentials } from './messages';
import type { Figures } from './targets';

/** How much is measured. */
export interface Sizes {
  readonly rounds: number;
  /** Handshakes in a round. */
  readonly handshakes: number;
  /** Connections held at once. */
  readonly connections: number;
  /** Connections at once where it is about how many there can be. */
  readonly crowd: number;
  /** Megabytes (10⁶ bytes) transferred at a time; undefined: as many as the part finds right. */
  readonly megabytes: number | undefined;
  /** Megabytes between two requests after the handshake. */
  readonly every: number;
  /** Answers timed in a round. */
  readonly answers: number;
  /** Requests in a round. */
  readonly requests: number;
}

export interface PartOptions extends Sizes {
  readonly pki: Pki;
  readonly keys: Credentials;
  /** Compiled when it is wanted for the first time. */
  readonly floor: () => Promise<Floor>;
}

export interface PartResult {
  /** What of the targets it measured. */
  readonly figures?: Figures;
  /** Whatever a program would want to read of it. */
  readonly [detail: string]: unknown;
}

/** Measures, prints its tables, and returns what it found. */
export type Part = (options: PartOptions) => Promise<PartResult>;
