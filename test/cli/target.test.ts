/** How a server is named on the command line. */
import { CliError } from '../../lib/cli/cli-error';
import { parseTarget } from '../../lib/cli/target';

test.each([
  ['example.com', 'example.com', 443, undefined],
  ['example.com:8443', 'example.com', 8443, undefined],
  ['127.0.0.1:1', '127.0.0.1', 1, undefined],
  ['[::1]:8443', '::1', 8443, undefined],
  ['[::1]', '::1', 443, undefined],
  ['::1', '::1', 443, undefined],
  ['fe80::1%eth0', 'fe80::1%eth0', 443, undefined],
  ['https://example.com', 'example.com', 443, '/'],
  ['HTTPS://example.com:8443/a/b?c=d#e', 'example.com', 8443, '/a/b?c=d'],
  ['https://example.com?q', 'example.com', 443, '/?q'],
  ['https://[2001:db8::1]:444/x', '2001:db8::1', 444, '/x'],
  ['https://user:p@ss@example.com/', 'example.com', 443, '/'],
  ['wss://example.com/socket', 'example.com', 443, '/socket'],
  ['ldaps://directory.example', 'directory.example', 636, undefined],
  ['tls://localhost:9', 'localhost', 9, undefined],
  ['bücher.example:443', 'xn--bcher-kva.example', 443, undefined],
])('%s', (text, host, port, path) => {
  expect(parseTarget(text)).toMatchObject({ host, port, path, starttls: undefined });
});

test.each([
  ['postgres://db/name', 5432, 'postgres'],
  ['postgresql://someone@db', 5432, 'postgres'],
  ['mysql://db', 3306, 'mysql'],
  ['smtp://mail', 25, 'smtp'],
  ['submission://mail', 587, 'smtp'],
  ['imap://mail', 143, 'imap'],
  ['ldap://directory', 389, 'ldap'],
])('%s begins in plaintext', (text, port, starttls) => {
  expect(parseTarget(text)).toMatchObject({ port, starttls });
});

test('--starttls has a port of its own, and goes before the scheme', () => {
  expect(parseTarget('mail', 'imap')).toMatchObject({ port: 143, starttls: 'imap' });
  expect(parseTarget('smtp://mail', 'imap')).toMatchObject({ port: 25, starttls: 'imap' });
});

test('an IPv6 address is shown in brackets', () => {
  expect(parseTarget('::1').authority).toBe('[::1]:443');
});

test.each([
  ['', 'names no server'],
  [':443', 'names no server'],
  ['a b', 'names no server'],
  ['a:b:c', 'is no port'],
  ['https://', 'names no server'],
  ['host:0', 'is no port'],
  ['host:65536', 'is no port'],
  ['host:https', 'is no port'],
  ['host:', 'is no port'],
  ['[nonsense]:1', 'is no IPv6 address'],
  ['http://example.com', 'Write https://… instead'],
  ['gopher://example.com', 'The scheme "gopher:" is not known'],
])('%j is refused in a sentence', (text, words) => {
  expect(() => parseTarget(text)).toThrow(CliError);
  expect(() => parseTarget(text)).toThrow(words);
});

test('a password in what is refused is not shown', () => {
  expect(() => parseTarget('https://me:secret@host:x/')).toThrow('"https://…@host:x/"');
  expect(() => parseTarget('me:secret@host')).toThrow('follows the colon in "…@host" is no port');
});

test.each(['#', '/', '?', '@', '\n'])('nor is one with %j in it', (character) => {
  for (const [text, shown] of [
    [`https://me:secret${character}secret@host:x/`, 'https://…@host:x/'],
    [`https://[secret]secret${character}secret@host:x/`, 'https://…@host:x/'],
    [`https://[secret]${character}secret@host:x/`, 'https://…@host:x/'],
    [`me:secret${character}secret@host`, '…@host'],
  ] as const) {
    const { message } = refused(text);
    expect(message).toContain(`"${shown}"`);
    expect(message).not.toContain('secret');
  }
});

function refused(text: string): Error {
  try {
    parseTarget(text);
  } catch (error) {
    return error as Error;
  }
  throw new Error(`${text} is taken`);
}
