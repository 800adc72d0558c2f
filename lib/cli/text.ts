/** Text on its way to a terminal: the one place where it is made harmless, measured and cut into lines. */

/** What a terminal, or a reader of bidirectional text, would obey: control and format characters. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/gu;
/** Joins the parts of one picture, and is of no other effect. */
const ZERO_WIDTH_JOINER = '\u200d';

/**
 * The same with every character that is not to be seen written out (`\n`, `\x1b`, `\u202e`), so that no name and
 * no banner of a server's can move the cursor, set a title or turn the text around.
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    if (character === ZERO_WIDTH_JOINER) return character;
    const short = SHORT[character];
    if (short !== undefined) return short;
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000
      ? `\\u${code.toString(16).padStart(4, '0')}`
      : `\\u{${code.toString(16)}}`;
  });
}

/** The same for a line of JSON, which stays JSON. */
export function escapedInJson(line: string): string {
  return line.replace(UNPRINTABLE, (character) =>
    Array.from({ length: character.length }, (_, i) => {
      const unit = character.charCodeAt(i);
      return `\\u${unit.toString(16).padStart(4, '0')}`;
    }).join(''),
  );
}

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

const COMBINING = /^(?:\p{Mn}|\p{Me}|\u200d|[\ufe00-\ufe0f])$/u;
/** East Asian Wide and Fullwidth (Unicode, annex 11), and pictures. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;

/** How many columns printable text takes. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (!COMBINING.test(character)) width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/**
 * Lines of at most `width` columns, broken at blanks and commas where there are some. A terminal that says that it has
 * no columns gets one.
 */
export function wrapped(text: string, width: number): string[] {
  const room = Math.max(1, width);
  if (displayWidth(text) <= room) return [text];
  const lines: string[] = [];
  let line = '';
  // Kept beside them: a name may be long, and measuring what is left of it anew for each line takes seconds.
  let lineWidth = 0;
  for (const piece of text.match(/[^ ,]*[ ,]?/gu) ?? []) {
    let rest = piece;
    const seen = rest.trimEnd();
    let restWidth = displayWidth(seen);
    if (seen !== '' && lineWidth + restWidth > room && line !== '') {
      lines.push(line.trimEnd());
      line = '';
      lineWidth = 0;
    }
    while (restWidth > room) {
      const head = headOf(rest, room);
      lines.push(head);
      rest = rest.slice(head.length);
      restWidth -= displayWidth(head);
    }
    line += rest;
    lineWidth += displayWidth(rest);
  }
  if (line.trimEnd() !== '') lines.push(line.trimEnd());
  return lines;
}

/** As much of it as fits, at least one character; up to a mark in it, where there is one. */
function headOf(text: string, width: number): string {
  let head = '';
  let headWidth = 0;
  for (const character of text) {
    headWidth += displayWidth(character);
    if (head !== '' && headWidth > width) break;
    head += character;
  }
  return /^.*[:_/.-](?=.)/u.exec(head)?.[0] ?? head;
}
