import { ExitCode } from './exit-codes';

/** An error whose message is for the person at the terminal: one sentence, or two, with the next step to take. */
export class CliError extends Error {
  /** Stable, for `--json`: an error code of the library's or of Node's, or one of this program's. */
  readonly code: string;
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'CliError';
    this.code = code;
    this.exitCode = exitCode;
  }
}

/** Something is wrong with the command line. */
export function usageError(message: string, cause?: unknown): CliError {
  return new CliError(ExitCode.usage, 'CLI_USAGE', message, cause);
}

/** Of what one of several things failed by: Ctrl-C ends all of it, wherever it was pressed. */
export function unlessInterrupted(error: CliError, signal: AbortSignal): CliError {
  signal.throwIfAborted();
  if (error.exitCode === ExitCode.interrupted) throw error;
  return error;
}

/** Ctrl-C. */
export function interrupted(): CliError {
  return new CliError(ExitCode.interrupted, 'CLI_INTERRUPTED', 'Interrupted.');
}
