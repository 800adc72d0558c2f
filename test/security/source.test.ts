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
  const remote = /['"](?:node:)?(?:http|https|http2|dgram|dns)['"]/;
  const users = files.filter(({ text }) =>
    code(text)
      .split('\n')
      .some((line) => remote.test(line) && !/^import type|^} from/.test(line)),
  );
  // The agents stand on Node's, for those who import them.
  expect(users.map(({ name }) => name)).toEqual(['agents/https.ts']);
});

/**
 * Every regular expression in lib. A number: what it is given is never longer, and it may be of quadratic time
 * over that; `linear`: a stranger may have written it, of any length.
 */
const EXPRESSIONS: Readonly<Record<string, 'linear' | number>> = {
  // Of a token's label and the fields of PKCS#11's structures, 64 bytes at most, or of the caller's own URI.
  '/[\\0 ]+$/': 64,
  '/ +$/': 64,
  '/ alert /': 'linear',
  '/^(\\w+?)(?:_(client|server))?_method$/': 'linear',
  '/\\s+/': 'linear',
  '/^[\\w+/-]{32,}={0,2}\\s*$/': 'linear',
  '/sha\\d+$/': 'linear',
  '/^\\[(.*)\\]$/': 'linear',
  '/:\\d*$/': 'linear',
  '/\\r?\\n$/': 'linear',
  '/[^\\x20-\\x7e\u2026]/': 'linear',
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
  '/(pin-value=)([^&;?#]*)/i': 'linear',
  '/^((?:[^:]*:){4}[^:]*)(.*)$/s': 'linear',
  '/: (\\d+) tpm:session\\(\\d+\\):[^:]*$/': 'linear',
  '/^(handle|object):[^?]*$/i': 'linear',
  '/^filename\\(.*?\\): (.*)$/s': 'linear',
  '/[/\\\\]/': 'linear',
};

/** Regular expression literals, and not divisions: in this code one follows an opening or an operator. */
function expressionsOf(text: string): RegExp[] {
  const literal =
    /(?<=[(,=:?!&|]\s?|return )\/((?:[^/\\\n[]|\\.|\[(?:[^\]\\\n]|\\.)*\])+)\/([a-z]*)/g;
  return [...code(text).matchAll(literal)].map(
    ([, source = '', flags = '']) => new RegExp(source, flags.replace('g', '')),
  );
}

const found = [
  ...new Map(
    files.flatMap(({ text }) => expressionsOf(text)).map((one) => [String(one), one]),
  ).values(),
];

test('has no regular expression but those that were looked at, and none that is made of text', () => {
  expect(found.map(String).sort()).toEqual(Object.keys(EXPRESSIONS).sort());
  expect(files.filter(({ text }) => /\bRegExp\(/.test(code(text))).map(({ name }) => name)).toEqual(
    [],
  );
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
    const length = typeof kind === 'number' ? kind : 20_000;
    for (const start of STARTS) {
      for (const pump of PUMPS) {
        const text = `${start}${pump.repeat(Math.ceil(length / pump.length))}`.slice(0, length);
        // Linear takes well under a millisecond of this; quadratic, over so many, half a second. What
        // else the process has to do, to collect garbage for one, is not there again the next time.
        const slow = () => spent(() => expression.test(`${text}\u2028!`)) > 100_000;
        expect([start, pump, slow() && slow() && slow()]).toEqual([start, pump, false]);
      }
    }
  },
);
