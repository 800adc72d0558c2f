import type { Command } from 'commander';
import { action } from '../action';
import { usageError } from '../cli-error';
import { requestOf } from '../connect/http';
import { type ConnectFlags, Talk } from '../connect/talk';
import { addConnectionOptions, inSeconds } from '../connection-options';
import { addSecretOptions } from '../secret-options';
import { parseTarget } from '../target';

const EXAMPLES = `
Without a URL and --request, stdin goes to the server and what it says to stdout, byte by byte: the end of stdin ends this side, the server's end ends the program.

Examples:
  $ tls-client-cert connect https://example.com/members
  $ tls-client-cert connect imap.example:993 --identity ~/certificates
  $ tls-client-cert connect https://example.com/api --identity me.p12 --passphrase-env PASS --auto
  $ tls-client-cert connect example.com:443 --pkcs11 /usr/lib/opensc-pkcs11.so --request /members`;

export function registerConnect(program: Command): void {
  const command = program
    .command('connect')
    .description('Connect, choose who to be when the server asks, and talk to it.')
    .argument('<target>', 'host:port or URL')
    .optionsGroup('Identity options:')
    .option(
      '-i, --identity <source>',
      'file (PEM, DER, PFX), folder or pkcs11: URI to choose from (repeatable); default: what `tls-client-cert ls` lists',
      collect,
    )
    .option('--pkcs11 <module>', 'look on the tokens of this PKCS#11 module')
    .option('--auto', 'send the first certificate that fits, without asking')
    .option('--decline', 'send none, without asking')
    .option(
      '--wait <seconds>',
      'how long a question may stay open (default: as the server lets it)',
      inSeconds('--wait', 'positive'),
    )
    .optionsGroup('Request options:')
    .option(
      '-r, --request <path>',
      'send an HTTP/1.1 request for this path; default: that of a URL',
    )
    .option('-X, --method <method>', 'method of the request (default: GET, with --data POST)')
    .option('-H, --header <header>', 'header of the request, "Name: value" (repeatable)', collect)
    .option('-d, --data <data>', 'body of the request; @file reads it from a file, @- from stdin')
    .option('--include', 'print status and headers of the response as well')
    .optionsGroup('Options:')
    .option('-q, --quiet', 'say nothing but what the server says, and errors')
    .addHelpText('after', EXAMPLES);
  addConnectionOptions(addSecretOptions(command)).action(
    action<ConnectFlags>(async (session, [target = ''], flags) => {
      if (flags.auto && flags.decline) throw usageError('Give --auto or --decline, not both.');
      const server = parseTarget(target, flags.starttls);
      const request = requestOf(server, flags);
      if (request !== undefined && flags.alpn?.split(',').some((name) => name.trim() === 'h2')) {
        throw usageError('The request is one of HTTP/1.1: leave h2 out of --alpn.');
      }
      await new Talk(session, server, flags).run(request);
      return undefined;
    }),
  );
}

function collect(value: string, values: string[] = []): string[] {
  return [...values, value];
}
