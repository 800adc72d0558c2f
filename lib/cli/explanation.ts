/** What is told of a failure, and what that is made of. */
import type { ExitCode } from './exit-codes';
import type { Target } from './target';

/** What is known about the circumstances of an error. */
export interface Circumstances {
  readonly target?: Target | undefined;
  /** The first bytes that came from the server. */
  readonly firstBytes?: Uint8Array | undefined;
  /** Whether a client certificate was asked for before it happened. */
  readonly asked?: boolean | undefined;
  /** Whether that is not answered yet. */
  readonly pending?: boolean | undefined;
}

/** What the library and Node tell of a failure. */
export interface Failure extends Error {
  readonly code?: string;
  readonly reason?: string;
  readonly input?: string;
  readonly alert?: string;
  readonly identity?: string;
  readonly path?: string;
  readonly syscall?: string;
}

/** One sentence, or two, and what kind of failure it is. */
export type Explanation = readonly [exitCode: ExitCode, message: string];
