/** What the demo prints: plain text, with colour only where a terminal wants it. */
const { stdout } = process;

/** Lines may be written over. */
export const canAnimate = stdout.isTTY === true && process.env.TERM !== 'dumb';

// hasColors() minds NO_COLOR and TERM.
const hasColors = canAnimate && stdout.hasColors();

const paint = (code: number) => (text: string) =>
  hasColors ? `\x1b[${code}m${text}\x1b[0m` : text;
export const bold = paint(1);
export const dim = paint(2);
const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);

export function heading(text: string): void {
  console.log(`\n${bold(text)}\n`);
}

/** Names and their values, in two columns; a value that is a list takes several lines. */
export function fields(rows: Readonly<Record<string, string | readonly string[]>>): void {
  const width = Math.max(...Object.keys(rows).map((name) => name.length));
  for (const [name, value] of Object.entries(rows)) {
    const lines = typeof value === 'string' ? [value] : value;
    lines.forEach((line, i) => {
      console.log(`  ${dim((i === 0 ? name : '').padEnd(width))}  ${line}`);
    });
  }
}

/** Another program's words, verbatim. */
export function quote(lines: readonly string[]): void {
  for (const line of lines) console.log(`  ${dim('|')} ${line}`);
}

export function report(error: unknown): void {
  console.error(`${red('The demo failed:')} ${error instanceof Error ? error.message : error}`);
}

/** `handshake suspended … 1.2 s`, for as long as it lasts. */
export function suspendedFor(start: number): string {
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  return `handshake suspended … ${seconds} s`;
}
