/** What the source must not have: code made of text, a network at install, expressions that a stranger can make slow. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../..');
const files = (readdirSync(join(root, 'lib'), { recursive: true }) as string[])
  .filter((name) => /\.m?ts$/.test(name))
  .map((name) => ({ name, text: readFileSync(join(root, 'lib', name), 'utf8') }));

/** Without comments, in which anything may be written. */
const code = (text: string) => text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');

test('makes no code of text', () => {
  const forbidden =
    /\beval\b|\bnew Function\b|\bFunction\s*\(|['"](?:node:)?vm['"]|\bsetTimeout\s*\(\s*['"`]|['"](?:node:)?child_process['"]/;
  expect(files.length).toBeGreaterThan(60);
  expect(files.filter(({ text }) => forbidden.test(code(text))).map(({ name }) => name)).toEqual(
    [],
  );
});

test('opens no connection when it is loaded or installed', () => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const atInstall = ['preinstall', 'install', 'postinstall', 'preprepare', 'postprepare'];
  const run = atInstall.filter((name) => scripts[name] !== undefined);
  expect(run.map((name) => [name, scripts[name]])).toEqual([['install', 'node-gyp-build']]);
  const remote = /(?:from |\()['"](?:node:)?(?:http|https|http2|dgram|dns)['"]/;
  const users = files.filter(({ text }) =>
    code(text)
      .split('\n')
      .some((line) => remote.test(line) && !/^import type|^} from/.test(line)),
  );
  // The agents stand on Node's, for those who import them, and so does the command line program.
  expect(users.map(({ name }) => name).sort()).toEqual(['agents/https.ts', 'cli/connect/http.ts']);
});

/**
 * Every regular expression in lib. A number: what it is given is never longer, and it may be of quadratic time
 * over that; `linear`: a stranger may have written it, of any length.
 */
const EXPRESSIONS: Readonly<Record<string, 'linear' | number>> = {
  // Of a token's label and the fields of PKCS#11's structures, 64 bytes at most, or of the caller's own URI.
  '/[\\0 ]+$/': 64,
  '/ +$/': 64,
  '/^error:([0-9A-F]+):/': 'linear',
  '/^(\\w+?)(?:_(client|server))?_method$/': 'linear',
  '/\\s+/': 'linear',
  '/^[\\w+/-]{32,}={0,2}\\s*$/': 'linear',
  '/sha\\d+$/': 'linear',
  '/^\\[(.*)\\]$/': 'linear',
  '/:\\d*$/': 'linear',
  '/\\r?\\n$/': 'linear',
  '/[^\\x20-\\x7e\u2026]/g': 'linear',
  '/^\\d+$/': 'linear',
  '/^250[ -]STARTTLS\\s*$/im': 'linear',
  '/^(\\d{3})(-?)/': 'linear',
  '/^\\* PREAUTH\\b/i': 'linear',
  '/^\\* OK\\b/i': 'linear',
  '/^tls1 OK\\b/i': 'linear',
  '/^tls1 (NO|BAD)\\b/i': 'linear',
  '/^[\\x21-\\x7e]{1,255}$/': 'linear',
  '/[\\\\/]/': 'linear',
  '/^the /': 'linear',
  '/^[0-9a-f]{2}(:?[0-9a-f]{2})*$/i': 'linear',
  '/^CKR_\\w+:(\\d+)$/': 'linear',
  '/%(?![0-9A-Fa-f]{2})/': 'linear',
  '/(%[0-9A-Fa-f]{2})/': 'linear',
  '/^file:\\//i': 'linear',
  "/^[A-Za-z0-9\\-._~:[\\]@!$'()*+,=&%]*$/": 'linear',
  "/^[A-Za-z0-9\\-._~:[\\]@!$'()*+,=/?|%]*$/": 'linear',
  '/^[A-Za-z0-9_-]+$/': 'linear',
  '/^pkcs11:/i': 'linear',
  '/^\\d+(\\.\\d+)?$/': 'linear',
  '/(pin-value=)([^&;?#]*)/gi': 'linear',
  '/^((?:[^:]*:){4}[^:]*)(.*)$/s': 'linear',
  '/: (\\d+) tpm:session\\(\\d+\\):[^:]*$/': 'linear',
  '/^(handle|object):[^?]*$/i': 'linear',
  '/^filename\\(.*?\\): (.*)$/s': 'linear',
  '/[/\\\\]/': 'linear',
  // The command line program's.
  '/(?:"(?:[^"\\\\]|\\\\.?)*(?:"|$)|[^", ]|(?<!,) )+/g': 'linear',
  '/-----BEGIN ([A-Z0-9 ]{1,40})-----/g': 'linear',
  '/; $/': 'linear',
  '/SSL certificate (error|was sent)/i': 'linear',
  '/["\'<>\\\\^`{|}@,;]/': 'linear',
  '/[&<>"\']/g': 'linear',
  '/[.!?]$/': 'linear',
  '/[<[]([^\\].>]+)/': 'linear',
  '/[\\\\:[\\]]/g': 'linear',
  '/[\\p{Cc}\\p{Cf}\\p{Zl}\\p{Zp}\\p{Cs}\\p{Co}\\p{Cn}]/gu': 'linear',
  '/[^ ,]*[ ,]?/gu': 'linear',
  '/[^\\x21-\\x7e]/gu': 'linear',
  '/\\.(\\s|$)/': 'linear',
  '/\\W/g': 'linear',
  '/\\n/g': 'linear',
  '/\\r?\\n/': 'linear',
  '/\\r?\\n\\r?\\n/': 'linear',
  '/\\r?\\ncontent-length: *(\\d+)/i': 'linear',
  '/^ *(\\$ |Usage: )/': 'linear',
  '/^ */': 'linear',
  '/^ {4}([A-Z][A-Za-z]+), Length=(\\d+)$/': 'linear',
  '/^ {4}Level=(\\w+)\\(\\d+\\), description=[\\w ]+\\((\\d+)\\)$/': 'linear',
  '/^ {6}cipher_suite \\{0x[0-9A-F]{2}, 0x[0-9A-F]{2}\\} ([A-Z0-9_a-z]+)$/': 'linear',
  '/^((RSA|EC|DSA|ENCRYPTED) )?PRIVATE KEY$/': 'linear',
  '/^(?:\\[([^\\]]*)\\]|([^:[\\]]*))(?::(.*))?$/s': 'linear',
  '/^(?:\\p{Mn}|\\p{Me}|\\u200d|[\\ufe00-\\ufe0f])$/u': 'linear',
  '/^(DNS|IP Address):/': 'linear',
  '/^(GetAddrInfo|GetNameInfo|FSReq|MessagePort$)/': 'linear',
  '/^(HTTP\\/1\\.[01] 1\\d\\d[\\s\\S]*?\\r?\\n\\r?\\n)+/': 'linear',
  '/^(Sent|Received) (?:TLS )?Record$/': 'linear',
  '/^(X509 |TRUSTED )?CERTIFICATE$/': 'linear',
  '/^([^/?#]*)([^#]*)/': 'linear',
  '/^([^\\s:]+):(.*)$/s': 'linear',
  '/^([a-z][a-z0-9+.-]*):\\/\\/(.*)$/is': 'linear',
  '/^([a-z][a-z0-9+.-]*:\\/\\/)?.*@/is': 'linear',
  '/^(\\/|\\*$)[\\x21-\\x7e]*$/': 'linear',
  '/^(key|privkey|private|userkey)\\.[^.]+$/i': 'linear',
  '/^.*(?:altnames|list|CN): (.*?)\\.?$/s': 'linear',
  '/^.*[:_/.-](?=.)/u': 'linear',
  '/^HTTP\\/1\\.[01] (\\d{3})\\b/': 'linear',
  '/^Proc-Type: *4, *ENCRYPTED/im': 'linear',
  '/^The client certificate .*? would not be sent: /': 'linear',
  '/^[A-Z][A-Z0-9-]*$/': 'linear',
  '/^[\\x21-\\x7e]*$/': 'linear',
  '/^[^\\s:]*/': 'linear',
  '/^\\.(pem|crt|cer|cert|der|key|p8|pk8|pkcs8)$/i': 'linear',
  '/^\\.(pem|crt|cer|cert|der|key|p8|pk8|pkcs8|p12|pfx|pkcs12)$/i': 'linear',
  '/^\\d{1,5}$/': 'linear',
  '/^\\d{1,9}$/': 'linear',
  '/^\\w+(?=:|$)/': 'linear',
  '/^error: /': 'linear',
  '/pin-value=[^&]*/gi': 'linear',
};

/** Regular expression literals, and not divisions: in this code one follows an opening or an operator. */
function expressionsOf(text: string): RegExp[] {
  const literal =
    /(?<=[(,=:?!&|]\s?|return )\/((?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([dgimsuvy]*)(?!\w)/g;
  return [...code(text.replace(/^#!.*/, '')).matchAll(literal)].map(
    ([, source = '', flags = '']) => new RegExp(source, flags),
  );
}

const found = [
  ...new Map(
    files.flatMap(({ text }) => expressionsOf(text)).map((one) => [String(one), one]),
  ).values(),
];

test('has no regular expression but those that were looked at, and none that is made of text', () => {
  expect(found.map(String).sort()).toEqual(Object.keys(EXPRESSIONS).sort());
  // Of constants: a literal must not hold a control character.
  const made = files.filter(({ text }) => /\bRegExp\(/.test(code(text))).map(({ name }) => name);
  expect(made).toEqual(['cli/prompts/waiting-line.ts']);
});

/** What makes backtracking expressions slow: long runs of what they repeat, and then what does not fit. */
const PUMPS = [
  ' ',
  '0',
  'a',
  'A',
  '%',
  '%4',
  '%41',
  ':',
  '=',
  '\n',
  '\r',
  '\0',
  '[',
  ']',
  '/',
  '\\',
  '+',
  '-',
  '_',
  '00',
  '00:',
  'sha1',
  'TLS_',
  '1.',
  '1',
  '\u00e9',
  'object:',
  'file:/',
  'pkcs11:',
  'CKR_A:1',
];
const STARTS = [
  '',
  '"',
  '[',
  'file://',
  'pkcs11:',
  'CKR_',
  'CKR_x:',
  'handle:',
  'object:',
  'sha',
  '220',
  'TLS_',
  ':',
  'a',
];

/** What stands in it as it is, by itself and escaped: that some other was in mind when PUMPS were chosen hides nothing. */
function pumpsOf({ source }: RegExp): string[] {
  const own = [...new Set(source)].filter((character) => /\W/.test(character));
  return [...new Set([...PUMPS, ...own, ...own.map((character) => `\\${character}`)])];
}

/** All that it finds, where it is one that finds more than the first. */
const findAll = (expression: RegExp, text: string) =>
  expression.global ? text.match(expression) : expression.test(text);

/** Microseconds of this process. */
function spent(action: () => void): number {
  const began = process.cpuUsage();
  action();
  return process.cpuUsage(began).user;
}

test.each(found.map((one) => [String(one), one] as const))(
  '%s is done in time',
  (name, expression) => {
    const kind = EXPRESSIONS[name];
    const length = typeof kind === 'number' ? kind : 14_000;
    for (const start of STARTS) {
      for (const pump of pumpsOf(expression)) {
        const text = `${start}${pump.repeat(Math.ceil(length / pump.length))}`.slice(0, length);
        // Linear takes well under a millisecond of this; quadratic, over so many, a quarter of a second. What
        // else the process has to do, to collect garbage for one, is not there again the next time.
        const slow = () => spent(() => findAll(expression, `${text}\u2028!`)) > 100_000;
        expect([start, pump, slow() && slow() && slow()]).toEqual([start, pump, false]);
      }
    }
  },
);
