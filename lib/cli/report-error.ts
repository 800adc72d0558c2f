import { debuglog } from 'node:util';
import type { CliError } from './cli-error';
import { styled, type Terminal } from './terminal';

const debug = debuglog('tls-client-cert');

/** One line on stderr; with `--json`, an object on stdout. */
export function reportError(
  terminal: Terminal,
  error: CliError,
  { json = false }: { readonly json?: boolean } = {},
): void {
  debug('%s', error.cause ?? error);
  if (json) {
    terminal.json(jsonOf(error));
    return;
  }
  terminal.err([styled('red', 'tls-client-cert:'), ` ${error.message}`]);
}

/** The shape that `docs/cli.md` describes. */
export function jsonOf({ code, message, exitCode }: CliError) {
  return { error: { code, message, exitCode } };
}
