import { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';
import type { Terminal } from '../terminal';

const TICK = 1_000;
const WAITS = 'The server waits for the answer';
const ESCAPE = '\x1b';
/** What moves the cursor between lines, in what the prompts write. */
const MOVES = new RegExp(`\n|${ESCAPE}\\[(\\d*)([AB])`, 'g');
/** By what a prompt that is there already begins to write itself anew. */
const ERASING = new RegExp(`^(${ESCAPE}\\[(\\d*[AB]|2K|G))+`);
/** All that shows nothing. */
const CONTROLS = new RegExp(`${ESCAPE}\\[[?\\d;]*[a-zA-Z]|\\s`, 'g');
/** What sets colours and styles (ECMA-48, SGR). */
const STYLES = new RegExp(`${ESCAPE}\\[[\\d;]*m`, 'g');

/**
 * The output of a prompt, with a line above it that says how long the server has been waiting. It keeps account
 * of how far below that line the prompt has moved the cursor, and so can write it anew.
 */
export class WaitingLine extends Writable {
  readonly #screen: WriteStream;
  readonly #terminal: Terminal;
  readonly #began = performance.now();
  readonly #timer: NodeJS.Timeout;
  readonly #shown: boolean;
  readonly #resized = () => {
    // The terminal has wrapped anew what stands there.
    this.#lost = true;
  };
  /** What the prompt has written last, from its first line on. */
  #prompt = '';
  #row = 0;
  /** Nobody knows where the line is now, or there is none. */
  #lost = false;

  /** @param shown - `false`: nobody waits, and there is no such line. */
  constructor(screen: WriteStream, terminal: Terminal, shown: boolean) {
    super({ decodeStrings: false });
    this.#screen = screen;
    this.#terminal = terminal;
    this.#shown = shown;
    this.#begin();
    this.#timer = setInterval(() => this.#rewrite(WAITS), TICK);
    this.#timer.unref();
    screen.on('resize', this.#resized);
  }

  /** Asked for by readline, as are rows. */
  get columns(): number {
    return this.#terminal.errWidth;
  }

  get rows(): number {
    return this.#screen.rows;
  }

  readonly isTTY = true;
  /** Keeps the prompt from ending it. */
  readonly _isStdio = true;

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    const text = String(chunk);
    const prompt = text.replace(ERASING, '');
    if (prompt.replace(CONTROLS, '') !== '') this.#prompt = prompt;
    this.#send(text);
    done();
  }

  /** Writes all of it anew, from the cursor on: others have written to the screen. */
  again(): void {
    this.#begin();
    this.#send(this.#prompt);
  }

  /** The prompt is gone; the cursor is at the start of a line. */
  finish(how: 'answered' | 'closed'): void {
    clearInterval(this.#timer);
    this.#screen.off('resize', this.#resized);
    if (how === 'answered') this.#rewrite('The server waited');
    // The prompt took itself off, down to the line below this one.
    else if (!this.#lost && this.#row === 1) this.#screen.write('\x1b[1A\r\x1b[K');
  }

  #begin(): void {
    this.#row = 0;
    this.#lost = !this.#shown;
    if (this.#shown) this.#send(`${this.#line(WAITS)}\n`);
  }

  #send(text: string): void {
    for (const [move, count, direction] of text.matchAll(MOVES)) {
      if (move === '\n') this.#row += 1;
      else this.#row += Number(count || 1) * (direction === 'A' ? -1 : 1);
    }
    this.#screen.write(this.#terminal.colored ? text : text.replace(STYLES, ''));
  }

  #rewrite(text: string): void {
    // Scrolled away, it is out of reach.
    if (this.#lost || this.#row < 1 || this.#row >= this.rows) return;
    // Save the cursor, go there, write over it, and return (DECSC, DECRC).
    this.#screen.write(`\x1b7\x1b[${this.#row}A\r\x1b[K${this.#line(text)}\x1b8`);
  }

  /** Of one line, or it could not be written over. */
  #line(text: string): string {
    const line = `${text}: ${elapsedText(performance.now() - this.#began)}`.slice(
      0,
      this.columns - 1,
    );
    return this.#terminal.colored ? `\x1b[2m${line}\x1b[22m` : line;
  }
}

/** As a person says it: `7 s`, `2 min 05 s`. */
export function elapsedText(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1_000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}
