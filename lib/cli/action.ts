import type { Command } from 'commander';
import { interrupted } from './cli-error';
import { ExitCode } from './exit-codes';
import { explain } from './explain';
import { finish } from './finish';
import { reportError } from './report-error';
import { Terminal, type TerminalFlags } from './terminal';

/** What a command has in common with all others. */
export interface GlobalFlags extends TerminalFlags {
  readonly json?: boolean;
}

/** What a command is run with. */
export interface Session {
  readonly terminal: Terminal;
  /** Aborts with Ctrl-C, shortly before the program ends. */
  readonly signal: AbortSignal;
}

/** Returns the exit code; nothing is {@link ExitCode.ok}. */
export type Handler<Flags> = (
  session: Session,
  args: readonly string[],
  flags: Flags & GlobalFlags,
) => Promise<ExitCode | undefined>;

/**
 * Makes of a handler what commander's `action()` takes: it gets a terminal, what it throws is explained in one
 * line (with `--json` as an object on stdout), Ctrl-C ends it with 130, and the program with it.
 *
 * @example
 * ```ts
 * program.command('ls').argument('[folder...]').action(action<LsFlags>(async ({ terminal }, folders, flags) => …));
 * ```
 *
 * A variadic argument's values are in `args` one by one; an argument that was left out is not.
 */
export function action<Flags extends object>(handler: Handler<Flags>) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command;
    const args = given.slice(0, -2).flat() as (string | undefined)[];
    const flags = command.optsWithGlobals() as Flags & GlobalFlags;
    const terminal = new Terminal(flags);
    const aborter = new AbortController();
    const end = async (code: ExitCode) => {
      terminal.moving?.clear();
      await finish(code);
    };
    process.once('SIGINT', () => {
      aborter.abort(interrupted());
      reportError(terminal, interrupted(), flags);
      void end(ExitCode.interrupted);
    });
    const session: Session = { terminal, signal: aborter.signal };
    try {
      const given = args.filter((arg) => arg !== undefined);
      await end((await handler(session, given, flags)) ?? ExitCode.ok);
    } catch (thrown) {
      // Said already.
      if (aborter.signal.aborted) return;
      const error = explain(thrown);
      reportError(terminal, error, flags);
      await end(error.exitCode);
    }
  };
}
