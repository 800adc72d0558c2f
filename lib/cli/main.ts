#!/usr/bin/env node
import type { CommanderError } from 'commander';
import { CliError, usageError } from './cli-error';
import { ExitCode } from './exit-codes';
import { explain } from './explain';
import { finish, mindOutput } from './finish';
import { reportError } from './report-error';
import { Terminal } from './terminal';

const MISSING =
  'This program needs the package commander, which is not installed. Install it beside tls-client-cert: npm install commander @inquirer/prompts';

function loadProgram() {
  try {
    return require('./program') as typeof import('./program');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'MODULE_NOT_FOUND' || !message.includes("'commander'")) throw error;
    throw new CliError(ExitCode.internal, 'CLI_NOT_INSTALLED', MISSING, error);
  }
}

async function main(args: readonly string[]): Promise<void> {
  mindOutput();
  try {
    await loadProgram().createProgram().parseAsync(args, { from: 'user' });
  } catch (thrown) {
    const error = isCommanders(thrown) ? ofCommander(thrown) : explain(thrown);
    if (error !== undefined) {
      const plain = args.includes('--plain');
      reportError(new Terminal({ plain }), error, { json: args.includes('--json') });
    }
    await finish(error?.exitCode ?? ExitCode.ok);
  }
}

function isCommanders(thrown: unknown): thrown is CommanderError {
  return String((thrown as Partial<CommanderError>).code).startsWith('commander.');
}

/** `undefined` where nothing is wrong: it printed its help or the version. */
function ofCommander({ code, exitCode, message }: CommanderError): CliError | undefined {
  if (exitCode === 0 || code === 'commander.help') return exitCode === 0 ? undefined : NO_COMMAND;
  const said = message
    .replace(/^error: /, '')
    .replace(/\n/g, ' ')
    .trim();
  const sentence = `${said.charAt(0).toUpperCase()}${said.slice(1)}${/[.?]$/.test(said) ? '' : '.'}`;
  return usageError(`${sentence} See tls-client-cert --help.`);
}

const NO_COMMAND = usageError(
  'Say what to do, for instance: tls-client-cert probe example.com. See tls-client-cert --help.',
);

/** A defect of ours is one line, too. */
function reportUncaught(thrown: unknown): void {
  const args = process.argv.slice(2);
  const error = explain(thrown);
  reportError(new Terminal(), error, { json: args.includes('--json') });
  void finish(error.exitCode);
}

process.on('uncaughtException', reportUncaught);
process.on('unhandledRejection', reportUncaught);
// Whatever ends well ends by finish().
process.once('beforeExit', () => reportUncaught(new Error('nothing more can come of this.')));
// In place of Node's own words for it, which are several lines.
process.removeAllListeners('warning');
process.on('warning', ({ message }) => new Terminal().err(`tls-client-cert: warning: ${message}`));

void main(process.argv.slice(2));
