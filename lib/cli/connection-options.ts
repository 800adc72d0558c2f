import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { ConnectionOptions } from '../options';
import type { StartTlsProtocol } from '../starttls';
import { usageError } from './cli-error';
import { asciiName } from './target';

/** What the options that all connecting commands share were set to. */
export interface ConnectionFlags {
  readonly ca?: readonly string[];
  readonly insecure?: boolean;
  readonly servername?: string;
  readonly tlsMin?: TlsVersion;
  readonly tlsMax?: TlsVersion;
  readonly ciphers?: string;
  readonly alpn?: string;
  /** Seconds. */
  readonly timeout: number;
  readonly starttls?: StartTlsProtocol;
}

export const TLS_VERSIONS = ['1.0', '1.1', '1.2', '1.3'] as const;
export type TlsVersion = (typeof TLS_VERSIONS)[number];

const PROTOCOLS = {
  '1.0': 'TLSv1',
  '1.1': 'TLSv1.1',
  '1.2': 'TLSv1.2',
  '1.3': 'TLSv1.3',
} as const;

const STARTTLS: readonly StartTlsProtocol[] = ['postgres', 'smtp', 'ldap', 'imap', 'mysql'];

/** Adds them to a command; {@link connectionOptions} makes of them what `connect()` takes. */
export function addConnectionOptions(command: Command): Command {
  const chosen = (flags: string, description: string, choices: readonly string[]) =>
    command.createOption(flags, description).choices(choices);
  return command
    .optionsGroup('Connection options:')
    .option(
      '--ca <file>',
      'trust only the authorities in this PEM file (repeatable)',
      (file: string, files: string[] = []) => [...files, file],
    )
    .option('--insecure', 'go on with a server that is not trusted')
    .option(
      '--servername <name>',
      'name to ask for (SNI) and to check, in place of the host',
      nameToAskFor,
    )
    .addOption(chosen('--tls-min <version>', 'lowest TLS version', TLS_VERSIONS))
    .addOption(chosen('--tls-max <version>', 'highest TLS version', TLS_VERSIONS))
    .option('--ciphers <list>', 'cipher suites, in the form of ciphers(1)')
    .option('--alpn <protocols>', 'protocols to offer, for instance h2,http/1.1')
    .option(
      '--timeout <seconds>',
      'how long to wait for the network',
      inSeconds('--timeout', 'positive'),
      10,
    )
    .addOption(chosen('--starttls <protocol>', 'begin in plaintext, and go over to TLS', STARTTLS))
    .optionsGroup('Options:');
}

/** Empty: none is asked for. */
function nameToAskFor(text: string): string {
  const name = asciiName(text);
  if (name !== '' || text === '') return name;
  throw usageError(`--servername "${text}" is no name of a server, such as example.com.`);
}

/** The longest time that a timer of Node's can wait. */
const LONGEST = (2 ** 31 - 1) / 1000;

/** Reads the value of an option that is a time. */
export function inSeconds(option: string, least: 'zero' | 'positive' = 'zero') {
  return (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= 0 && value <= LONGEST && (value > 0 || least === 'zero')) return value;
    throw usageError(`"${text}" is no time: ${option} takes seconds, for instance 2.5.`);
  };
}

/**
 * What of `connect()`'s options the flags stand for; host and port are not among them.
 *
 * @throws CliError of the kind `usage`: a file that cannot be read, and the like.
 */
export function connectionOptions(flags: ConnectionFlags): ConnectionOptions {
  const { ca, insecure, servername, tlsMin, tlsMax, ciphers, alpn } = flags;
  if (tlsMin !== undefined && tlsMax !== undefined && Number(tlsMin) > Number(tlsMax)) {
    throw usageError(`--tls-min ${tlsMin} is above --tls-max ${tlsMax}.`);
  }
  const lowest = tlsMin ?? (tlsMax !== undefined && Number(tlsMax) < 1.2 ? tlsMax : undefined);
  return {
    ...(ca && { ca: ca.map(readAuthorities) }),
    ...(insecure && { rejectUnauthorized: false }),
    ...(servername !== undefined && { servername }),
    ...(lowest && { minVersion: PROTOCOLS[lowest] }),
    ...(tlsMax && { maxVersion: PROTOCOLS[tlsMax] }),
    ...(ciphers !== undefined && { ciphers }),
    ...(alpn !== undefined && { ALPNProtocols: protocolNames(alpn) }),
  };
}

function readAuthorities(file: string): Buffer {
  let text: Buffer;
  try {
    text = readFileSync(file);
  } catch (error) {
    throw usageError(`--ca ${file} cannot be read: ${whyUnreadable(error)}.`, error);
  }
  if (text.includes('-----BEGIN') && text.includes('CERTIFICATE-----')) return text;
  throw usageError(
    `--ca ${file} holds no certificate in PEM form ("-----BEGIN CERTIFICATE-----").`,
  );
}

/** Why a file cannot be read, to go on from "cannot be read:". */
export function whyUnreadable(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'EISDIR':
      return 'it is a folder';
    default:
      return message;
  }
}

function protocolNames(list: string): string[] {
  const names = list.split(',').map((name) => name.trim());
  if (names.every((name) => name.length > 0 && Buffer.byteLength(name) <= 255)) return names;
  throw usageError(`--alpn ${list} is no list of protocol names, such as h2,http/1.1.`);
}
