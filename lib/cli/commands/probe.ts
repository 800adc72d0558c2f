import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { action } from '../action';
import { usageError } from '../cli-error';
import {
  addConnectionOptions,
  type ConnectionFlags,
  inSeconds,
  whyUnreadable,
} from '../connection-options';
import { drawHandshake } from '../probe/picture';
import { probe } from '../probe/probe';
import { writeReport } from '../probe/write-report';
import { during } from '../progress';
import { parseTarget } from '../target';

interface ProbeFlags extends ConnectionFlags {
  readonly path?: string;
  readonly decline?: boolean;
  /** Seconds. */
  readonly hold: number;
  readonly svg?: string;
}

const EXAMPLES = `
Examples:
  $ tls-client-cert probe example.com:443
  $ tls-client-cert probe https://example.com --path /members
  $ tls-client-cert probe --starttls postgres db.example
  $ tls-client-cert probe localhost:8443 --ca ca.pem --decline
  $ tls-client-cert probe localhost:8443 --svg handshake.svg --hold 1`;

export function registerProbe(program: Command): void {
  const command = program
    .command('probe')
    .description(
      'Show what a server asks of its clients. It connects, stops at the request for a client certificate, and answers nothing.',
    )
    .argument('<target>', 'host:port or a URL (https:, postgres:, smtp:, ldaps:, …)')
    .option('--path <path>', 'request this by HTTP, and see whether the server asks then')
    .option('--decline', 'answer that there is no certificate, and see what the server does')
    .option('--hold <seconds>', 'leave the request open for so long', inSeconds('--hold'), 0)
    .option('--json', 'print one JSON object, for machines')
    .option('--svg <file>', 'draw the handshake as a sequence diagram');
  addConnectionOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(
      action<ProbeFlags>(async ({ terminal, signal }, [text = ''], flags) => {
        const target = parseTarget(text, flags.starttls);
        const { decline = false, hold, path, svg } = flags;
        checkPath(path, flags.alpn);
        const options = { hold: hold * 1000, decline, path, signal };
        const { report, observed } = await during(
          terminal,
          `Connecting to ${target.authority}`,
          (progress) =>
            probe(target, flags, { ...options, tell: (doing) => progress.update(doing) }),
        );
        if (svg !== undefined) writePicture(svg, drawHandshake(report, observed.messages));
        if (flags.json) terminal.json(report);
        else writeReport(terminal, report);
        return undefined;
      }),
    );
}

function checkPath(path: string | undefined, alpn = ''): void {
  if (path === undefined) return;
  if (!path.startsWith('/')) throw usageError(`--path ${path} has to begin with a slash: /${path}`);
  if (alpn.split(',').some((name) => name.trim() === 'h2')) {
    throw usageError(
      '--path needs HTTP/1.1: HTTP/2 lets no server ask after the handshake. Leave h2 out of --alpn.',
    );
  }
}

function writePicture(file: string, picture: string): void {
  try {
    writeFileSync(file, picture);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such folder' : whyUnreadable(error);
    throw usageError(`--svg ${file} cannot be written: ${why}.`, error);
  }
}
