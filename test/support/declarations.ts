/** Reads classes and interfaces out of the text of `@types/node`, as far as their members' names. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Declaration {
  /** Names of instance members, without events; symbols as `[Symbol.asyncIterator]`. */
  readonly methods: ReadonlySet<string>;
  readonly properties: ReadonlySet<string>;
  /** Names that a method such as `on()` is declared with. */
  readonly events: ReadonlySet<string>;
  /** What it extends, as it is written there. */
  readonly bases: readonly string[];
}

const folder = dirname(require.resolve('@types/node/package.json'));
const LISTENING = /^(?:addListener|emit|on|once|prependListener|prependOnceListener)$/;

/**
 * @param module - For instance `'tls'`.
 * @param name - Of a class or interface, or `'interface Name'` where there are both.
 */
export function readDeclaration(module: string, name: string): Declaration {
  const text = readFileSync(join(folder, `${module}.d.ts`), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|;)[ \t]*\/\/.*$/gm, '$1');
  const what = name.includes(' ') ? name : `(?:class|interface) ${name}`;
  const found = [...text.matchAll(new RegExp(`\\b${what}\\b`, 'g'))]
    .map(({ index }) => ({
      header: text.slice(index, text.indexOf('{', index)),
      body: bodyFrom(text, text.indexOf('{', index)),
    }))
    // One may be declared in several places, of which only one has much to say.
    .sort((one, other) => other.body.length - one.body.length)[0];
  if (found === undefined) throw new Error(`${module}.d.ts declares no ${name}`);
  const declaration = {
    methods: new Set<string>(),
    properties: new Set<string>(),
    events: new Set<string>(),
    bases: basesOf(found.header),
  };
  for (const statement of statementsOf(found.body)) sort(statement, declaration);
  return declaration;
}

/** What is between the brace at `start` and its counterpart. */
function bodyFrom(text: string, start: number): string {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    if (text[at] === '{') depth += 1;
    if (text[at] === '}') depth -= 1;
    if (depth === 0) return text.slice(start + 1, at);
  }
  throw new Error('a brace is not closed');
}

function basesOf(header: string): string[] {
  const after = header.split(/\bextends\b/).at(-1) ?? '';
  if (!/\bextends\b/.test(header)) return [];
  const list = after.split(/\bimplements\b/)[0] ?? '';
  return list
    .replace(/<[^>]*>/g, '')
    .split(',')
    .map((base) => base.trim())
    .filter((base) => base !== '');
}

function statementsOf(body: string): string[] {
  const statements: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < body.length; at += 1) {
    const character = body[at] as string;
    if ('({['.includes(character)) depth += 1;
    if (')}]'.includes(character)) depth -= 1;
    if (character !== ';' || depth > 0) continue;
    statements.push(body.slice(start, at).trim());
    start = at + 1;
  }
  if (body.slice(start).trim() !== '') throw new Error('the last member does not end');
  return statements;
}

function sort(
  statement: string,
  { methods, properties, events }: Record<'methods' | 'properties' | 'events', Set<string>>,
): void {
  const [, modifiers = '', name = '', next = ''] =
    /^((?:(?:readonly|static|abstract|get|set) )*)(\[[\w.]+\]|\w+)\??\s*([(<:])/.exec(statement) ??
    [];
  if (name === '') throw new Error(`not understood: ${statement.slice(0, 80)}`);
  if (modifiers.includes('static') || name === 'constructor') return;
  const [, event] = /^\w+\(\s*event: "(\w+)"/.exec(statement) ?? [];
  if (event !== undefined && LISTENING.test(name)) events.add(event);
  if (next === ':') properties.add(name);
  else methods.add(name);
}
