import {
  type Line,
  parts,
  plainText,
  type Styled,
  styled,
  type Terminal,
  type Text,
} from './terminal';
import { displayWidth, padded, printable, wrapped } from './text';

export interface Column {
  readonly title: string;
  /** Columns of the terminal below which the table is written as a list instead. Default: 8. */
  readonly least?: number;
}

const GAP = '  ';

/**
 * A table for people: aligned columns, long cells wrapped. Where the terminal is too narrow, and in plain
 * mode, each row becomes a few lines `title: value`, with a blank line in between.
 */
export function writeTable(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly Line[])[],
): void {
  const widths = terminal.plain ? null : columnWidths(columns, rows, terminal.width);
  if (widths === null) {
    writeStacked(terminal, columns, rows);
    return;
  }
  const write = (cells: readonly Line[]) => {
    const broken = cells.map((cell, i) => broke(cell, widths[i] ?? 0));
    const height = Math.max(...broken.map((lines) => lines.length));
    for (let at = 0; at < height; at++) {
      const line: Text[] = [];
      broken.forEach((lines, i) => {
        if (i > 0) line.push(GAP);
        const last = i === broken.length - 1;
        line.push(...filled(lines[at] ?? [], last ? 0 : (widths[i] ?? 0)));
      });
      terminal.out(trimmed(line));
    }
  };
  write(columns.map(({ title }) => styled('dim', title)));
  if (!terminal.plain) {
    const rule = widths.map((width) => '─'.repeat(width)).join(GAP);
    terminal.out(styled('dim', rule));
  }
  for (const row of rows) write(row);
}

/**
 * Names and their values, in two columns; a value that is a list of lines takes several.
 *
 * @param least - Columns for the names, so that several calls stand in line.
 */
export function writeFields(
  terminal: Terminal,
  fields: readonly (readonly [name: string, value: Line | readonly Line[], list?: 'list'])[],
  least = 0,
): void {
  const room = Math.max(least, ...fields.map(([name]) => displayWidth(name)));
  for (const [name, value, list] of fields) {
    const lines = list === 'list' ? (value as readonly Line[]) : [value as Line];
    if (terminal.plain) {
      for (const line of lines) terminal.out([`${name}: `, ...parts(line)]);
      continue;
    }
    let first = true;
    for (const line of lines) {
      for (const piece of broke(line, terminal.width - room - GAP.length)) {
        terminal.out([styled('dim', padded(first ? name : '', room)), GAP, ...piece]);
        first = false;
      }
    }
  }
}

/** Text, on as many lines as it takes. */
export function writeWrapped(terminal: Terminal, text: Line): void {
  for (const line of broke(text, terminal.width)) terminal.out(line);
}

/** How wide each column may be, or `null` when they do not fit beside each other. */
function columnWidths(
  columns: readonly Column[],
  rows: readonly (readonly Line[])[],
  width: number,
): number[] | null {
  const natural = columns.map(({ title }, i) =>
    Math.max(displayWidth(title), ...rows.map((row) => displayWidth(plainText(row[i] ?? '')))),
  );
  let surplus = sum(natural) + GAP.length * (columns.length - 1) - width;
  const widths = [...natural];
  while (surplus > 0) {
    // The widest gives way first.
    const widest = widths.indexOf(Math.max(...widths));
    const least = columns[widest]?.least ?? 8;
    if ((widths[widest] ?? 0) <= Math.max(least, 12)) return null;
    widths[widest] = (widths[widest] ?? 0) - 1;
    surplus--;
  }
  return widths.every((each, i) => each >= Math.min(natural[i] ?? 0, columns[i]?.least ?? 8))
    ? widths
    : null;
}

function writeStacked(
  terminal: Terminal,
  columns: readonly Column[],
  rows: readonly (readonly Line[])[],
): void {
  rows.forEach((row, n) => {
    if (n > 0) terminal.out();
    columns.forEach(({ title }, i) => {
      const value = parts(row[i] ?? '');
      if (plainText(value) === '') return;
      const lines = broke([styled('dim', `${title}: `), ...value], terminal.width);
      for (const line of lines) terminal.out(line);
    });
  });
}

/** The lines of a cell, each in its parts. */
function broke(cell: Line, width: number): Text[][] {
  const text = plainText(cell);
  if (!Number.isFinite(width) || displayWidth(text) <= width) return [[...parts(cell)]];
  const all: Styled[] = [];
  for (const part of parts(cell)) {
    const style = typeof part === 'string' ? null : part.style;
    for (const char of printable(typeof part === 'string' ? part : part.text)) {
      all.push({ text: char, style } as Styled);
    }
  }
  // Wrapping drops blanks at the ends of lines, and nothing else.
  let at = 0;
  return wrapped(text, Math.max(1, width)).map((line) => {
    while (all[at]?.text === ' ' && !line.startsWith(' ')) at++;
    const count = [...line].length;
    const taken = all.slice(at, at + count);
    at += count;
    return joined(taken);
  });
}

function joined(characters: readonly Styled[]): Text[] {
  const line: Text[] = [];
  for (const { text, style } of characters) {
    const last = line.at(-1);
    const lastStyle = last === undefined || typeof last === 'string' ? null : last.style;
    if (last !== undefined && lastStyle === style) {
      line[line.length - 1] =
        typeof last === 'string' ? last + text : { text: last.text + text, style: last.style };
    } else {
      line.push((style as Styled['style'] | null) === null ? text : { text, style });
    }
  }
  return line;
}

function filled(line: readonly Text[], width: number): Text[] {
  const blank = width - displayWidth(plainText(line));
  return blank > 0 ? [...line, ' '.repeat(blank)] : [...line];
}

function trimmed(line: readonly Text[]): Text[] {
  const kept = [...line];
  while (typeof kept.at(-1) === 'string' && (kept.at(-1) as string).trim() === '') kept.pop();
  return kept;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
