import { Command } from 'commander';
import { registerCheck } from './commands/check';
import { registerCompletion } from './commands/completion';
import { registerConnect } from './commands/connect';
import { registerLs } from './commands/ls';
import { registerProbe } from './commands/probe';
import { fitted, formatItem, helpWidth } from './help';

const EXAMPLES = `
Examples:
  $ tls-client-cert probe example.com:443
  $ tls-client-cert probe https://example.com/members --json
  $ tls-client-cert probe --starttls smtp mail.example:25
  $ tls-client-cert ls ~/certs
  $ tls-client-cert check https://example.com/members --identity ~/certs --try
  $ tls-client-cert connect https://example.com/members
`;

const EXIT_CODES =
  'Exit codes: 0 fine, 1 internal error, 2 wrong usage, 3 server not reachable, 4 no TLS that fits, 5 server not trusted, 6 certificate refused or missing, 7 no identity fits, 8 identity unusable, 130 interrupted.';

/** The whole program; each command is registered by its own file in `commands/`. */
export function createProgram(): Command {
  const { version } = require('../../package.json') as { version: string };
  const program = new Command('tls-client-cert');
  program
    .description('Shows what a TLS server asks of its clients, and lets you choose who to be.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .addOption(
      program
        .createOption('--color <when>', 'use colours')
        .choices(['auto', 'always', 'never'])
        .default('auto'),
    )
    .option('--plain', 'words alone: no lines drawn, nothing moves (for screen readers)')
    .configureHelp({ showGlobalOptions: true, formatItem })
    .addHelpText('after', `${EXAMPLES}\n${EXIT_CODES}`)
    .exitOverride()
    .configureOutput({
      getOutHelpWidth: helpWidth,
      writeOut: (text) => process.stdout.write(fitted(text, helpWidth())),
      // Errors are told by main.ts, and so is that nothing was said to do.
      outputError: () => {},
      writeErr: () => {},
    });
  registerProbe(program);
  registerCheck(program);
  registerLs(program);
  registerConnect(program);
  registerCompletion(program);
  return program;
}
