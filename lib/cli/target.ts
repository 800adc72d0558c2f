import net from 'node:net';
import { domainToASCII } from 'node:url';
import type { StartTlsProtocol } from '../starttls';
import { type CliError, usageError } from './cli-error';

/** The server that a command line names. */
export interface Target {
  readonly host: string;
  readonly port: number;
  /** What to say before TLS, as the URL's scheme has it. */
  readonly starttls: StartTlsProtocol | undefined;
  /** Path and query of a URL of HTTP; undefined for all else. */
  readonly path: string | undefined;
  /** `host:port` as it is written: IPv6 in brackets. */
  readonly authority: string;
}

interface Scheme {
  readonly port: number;
  readonly starttls?: StartTlsProtocol;
  readonly http?: true;
}

const SCHEMES: Readonly<Record<string, Scheme>> = {
  https: { port: 443, http: true },
  wss: { port: 443, http: true },
  postgres: { port: 5432, starttls: 'postgres' },
  postgresql: { port: 5432, starttls: 'postgres' },
  mysql: { port: 3306, starttls: 'mysql' },
  mariadb: { port: 3306, starttls: 'mysql' },
  smtp: { port: 25, starttls: 'smtp' },
  submission: { port: 587, starttls: 'smtp' },
  imap: { port: 143, starttls: 'imap' },
  ldap: { port: 389, starttls: 'ldap' },
  smtps: { port: 465 },
  submissions: { port: 465 },
  imaps: { port: 993 },
  pop3s: { port: 995 },
  ldaps: { port: 636 },
  mqtts: { port: 8883 },
  amqps: { port: 5671 },
  rediss: { port: 6379 },
  tls: { port: 443 },
};

/** Without TLS; what to write instead. */
const PLAIN: Readonly<Record<string, string>> = { http: 'https', ws: 'wss', mqtt: 'mqtts' };

const STARTTLS_PORTS: Readonly<Record<StartTlsProtocol, number>> = {
  postgres: 5432,
  mysql: 3306,
  smtp: 25,
  imap: 143,
  ldap: 389,
};

const DEFAULT_PORT = 443;
const FORM = 'Give host:port, [IPv6 address]:port or a URL such as https://example.com/path';

/**
 * Reads `host:port`, `host`, `[::1]:443` or a URL. What a URL says of users and passwords is passed over.
 *
 * @param starttls - Of the option, which goes before what the scheme says.
 * @throws CliError of the kind `usage`.
 */
export function parseTarget(text: string, starttls?: StartTlsProtocol): Target {
  const url = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text);
  if (url !== null) return ofUrl(text, (url[1] ?? '').toLowerCase(), url[2] ?? '', starttls);
  const { host, port } = hostAndPort(text, text);
  const usual = starttls === undefined ? DEFAULT_PORT : STARTTLS_PORTS[starttls];
  return target(host, port ?? usual, starttls, undefined);
}

function ofUrl(
  text: string,
  name: string,
  rest: string,
  starttls: StartTlsProtocol | undefined,
): Target {
  const scheme = Object.hasOwn(SCHEMES, name) ? SCHEMES[name] : undefined;
  if (scheme === undefined) {
    const instead = PLAIN[name];
    throw usageError(
      instead === undefined
        ? `The scheme "${name}:" is not known. ${FORM}; known are ${Object.keys(SCHEMES).join(', ')}.`
        : `"${name}:" is without TLS. Write ${instead}://… instead.`,
    );
  }
  const [, authority = '', path = ''] = /^([^/?#]*)([^#]*)/.exec(rest) ?? [];
  const { host, port } = hostAndPort(authority.slice(authority.lastIndexOf('@') + 1), text);
  const asked = path.startsWith('/') ? path : `/${path}`;
  return target(
    host,
    port ?? scheme.port,
    starttls ?? scheme.starttls,
    scheme.http ? asked : undefined,
  );
}

function hostAndPort(text: string, whole: string): { host: string; port: number | undefined } {
  // An IPv6 address alone has colons of its own.
  if (net.isIPv6(text)) return { host: text, port: undefined };
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/s.exec(text) ?? [];
  if (bracketed === undefined && plain === undefined) throw bad(whole);
  if (bracketed !== undefined && !net.isIPv6(bracketed)) {
    throw usageError(
      `${partOf(whole, bracketed, 'What is in brackets')} is no IPv6 address. ${FORM}.`,
    );
  }
  const host = bracketed ?? asciiName(plain ?? '');
  if (host === '') throw bad(whole);
  return { host, port: digits === undefined ? undefined : portOf(digits, whole) };
}

/** A name of other letters as the DNS has it; empty where it is none. */
export function asciiName(name: string): string {
  if (/^[\x21-\x7e]*$/.test(name)) return /["'<>\\^`{|}@,;]/.test(name) ? '' : name;
  return domainToASCII(name);
}

function portOf(digits: string, whole: string): number {
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port >= 1 && port <= 65535) return port;
  throw usageError(
    `${partOf(whole, digits, 'What follows the colon')} is no port: it has to be a number from 1 to 65535.`,
  );
}

function target(
  host: string,
  port: number,
  starttls: StartTlsProtocol | undefined,
  path: string | undefined,
): Target {
  return { host, port, starttls, path, authority: authorityOf(host, port) };
}

/** `host:port`, an IPv6 address in brackets. */
export function authorityOf(host: string, port: number): string {
  return net.isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

function bad(text: string): CliError {
  return usageError(`"${shown(text)}" names no server. ${FORM}.`);
}

/** What is wrong in it: by its own words, unless these may be of a password. */
function partOf(whole: string, part: string, inWords: string): string {
  const what = whole.includes('@') ? inWords : `"${part}"`;
  return `${what} in "${shown(whole)}"`;
}

/** Without a password that may be in it: whoever has not escaped one may have any character in it. */
function shown(text: string): string {
  return text.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, '$1…@');
}
