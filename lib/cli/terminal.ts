import type { WriteStream } from 'node:tty';
import { escapedInJson, printable } from './text';

export interface TerminalFlags {
  /** Default: `'auto'`. */
  readonly color?: 'auto' | 'always' | 'never' | undefined;
  /** No box drawing, no colour unless asked for, no moving line. */
  readonly plain?: boolean | undefined;
  /** No progress. */
  readonly quiet?: boolean | undefined;
}

const STYLES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;
export type Style = keyof typeof STYLES;

/** Text with a style. It may come from anywhere: {@link Terminal} makes it harmless when it writes it. */
export interface Styled {
  readonly text: string;
  readonly style: Style;
}
export type Text = string | Styled;
/** What stands in one line, or in one cell of a table. */
export type Line = Text | readonly Text[];

export function styled(style: Style, text: string): Styled {
  return { style, text };
}

/** The characters of a line, as they will be seen. */
export function plainText(line: Line): string {
  return parts(line)
    .map((part) => printable(typeof part === 'string' ? part : part.text))
    .join('');
}

export function parts(line: Line): readonly Text[] {
  return typeof line === 'string' || 'text' in line ? [line as Text] : line;
}

/** Something that moves in the last line of the terminal, and has to step aside. */
interface Moving {
  clear(): void;
}

/** Narrower than that nothing is laid out for. */
const NARROWEST = 40;

/**
 * Where everything that the program says goes through: results to stdout, all else to stderr. What is written
 * here as text is made harmless (see {@link printable}), wherever it came from.
 */
export class Terminal {
  /** For screen readers and dumb terminals: words alone, one thing a line. */
  readonly plain: boolean;
  readonly quiet: boolean;
  readonly #colors: { readonly out: boolean; readonly err: boolean };
  /** @internal Set by the progress that is shown. */
  moving: Moving | undefined;

  constructor({ color = 'auto', plain = false, quiet = false }: TerminalFlags = {}) {
    this.quiet = quiet;
    this.plain = plain || process.env.TERM === 'dumb';
    this.#colors = {
      out: wantsColor(color, process.stdout, this.plain),
      err: wantsColor(color, process.stderr, this.plain),
    };
  }

  /** Columns of the output; infinite where it is not a terminal and `COLUMNS` is not set. */
  get width(): number {
    const columns = process.stdout.columns ?? Number(process.env.COLUMNS ?? Number.NaN);
    return columns > 0 ? Math.max(NARROWEST, columns) : Number.POSITIVE_INFINITY;
  }

  /** Columns of stderr. A terminal that was never told its size says that it has none. */
  get errWidth(): number {
    return process.stderr.columns || 80;
  }

  /** Whether a line on stderr can be written over. */
  get animates(): boolean {
    return process.stderr.isTTY === true && !this.plain;
  }

  /** Whether stderr has colours. */
  get colored(): boolean {
    return this.#colors.err;
  }

  /** Why nobody can be asked; undefined where somebody can. */
  get obstacle(): string | undefined {
    if (process.stdin.isTTY !== true) return 'stdin is no terminal';
    if (process.stderr.isTTY !== true) return 'stderr is no terminal';
    // Of an ended one no key is read any more, and it cannot be kept from showing what is typed.
    return process.stdin.readable ? undefined : 'stdin has ended';
  }

  /** One line of the result. */
  out(line: Line = ''): void {
    this.#write(process.stdout, this.rendered(line, this.#colors.out));
  }

  /** One line beside the result. */
  err(line: Line = ''): void {
    this.#write(process.stderr, this.rendered(line, this.#colors.err));
  }

  /** A result for machines. JSON escapes what a terminal would obey, but for what is made harmless here. */
  json(value: unknown): void {
    const text = JSON.stringify(value, null, 2);
    this.#write(process.stdout, text.split('\n').map(escapedInJson).join('\n'));
  }

  /** The line with its colours, if there are any; for what draws by itself, such as a prompt. */
  rendered(line: Line, color = this.#colors.err): string {
    return parts(line)
      .map((part) => {
        if (typeof part === 'string') return printable(part);
        const text = printable(part.text);
        const [on, off] = STYLES[part.style];
        return color && text !== '' ? `\x1b[${on}m${text}\x1b[${off}m` : text;
      })
      .join('');
  }

  #write(stream: NodeJS.WritableStream, text: string): void {
    this.moving?.clear();
    stream.write(`${text}\n`);
  }
}

/** https://no-color.org and https://force-color.org; what is asked for by the option goes before both. */
function wantsColor(
  color: TerminalFlags['color'],
  stream: Partial<WriteStream>,
  plain: boolean,
): boolean {
  if (color !== 'auto') return color === 'always';
  if (plain) return false;
  const { NO_COLOR, FORCE_COLOR } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== '') return false;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false';
  return stream.isTTY === true && process.env.TERM !== 'dumb';
}
