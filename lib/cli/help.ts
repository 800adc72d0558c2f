/** Help on terminals that are narrow. */
import { Help } from 'commander';
import { displayWidth, wrapped } from './text';

/** Columns below which there is no room for two columns. */
const NARROW = 70;
const INDENT = ' '.repeat(6);

export function helpWidth(): number {
  return Math.max(40, process.stdout.columns ?? (Number(process.env.COLUMNS) || 80));
}

/** As commander's own; on narrow terminals a description stands below what it describes. */
export function formatItem(
  term: string,
  termWidth: number,
  description: string,
  helper: Help,
): string {
  const width = helper.helpWidth ?? helpWidth();
  if (width >= NARROW)
    return Help.prototype.formatItem.call(helper, term, termWidth, description, helper);
  const below = description === '' ? [] : wrapped(description, width - INDENT.length);
  return [`  ${term}`, ...below.map((line) => INDENT + line)].join('\n');
}

/** Breaks what is still too long: but no examples, which are to be copied. */
export function fitted(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap((line) => fittedLine(line, width))
    .join('\n');
}

function fittedLine(line: string, width: number): string[] {
  if (displayWidth(line) <= width || /^ *(\$ |Usage: )/.test(line)) return [line];
  const [indent = ''] = /^ */.exec(line) ?? [];
  return wrapped(line.trim(), width - indent.length).map((piece) => indent + piece);
}
