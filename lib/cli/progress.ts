import type { Terminal } from './terminal';
import { printable, wrapped } from './text';

/** Nothing is shown before: what is quick should not flicker. */
const PATIENCE = 500;
const TICK = 120;
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * Says what is being waited for, once that takes over half a second: a moving line with the seconds on a
 * terminal, which leaves no trace; elsewhere, and in plain mode, one line a text.
 */
export class Progress {
  readonly #terminal: Terminal;
  readonly #began = performance.now();
  #text: string;
  #timer: NodeJS.Timeout | undefined;
  #frame = 0;
  #shown = '';

  constructor(terminal: Terminal, text: string) {
    this.#terminal = terminal;
    this.#text = text;
    if (terminal.quiet) return;
    this.#timer = setTimeout(() => this.#show(), PATIENCE);
    this.#timer.unref();
  }

  update(text: string): void {
    this.#text = text;
    if (this.#shown !== '') this.#show();
  }

  /** Takes it off. Does no harm twice. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#clear();
    if (this.#terminal.moving === this.#moving) this.#terminal.moving = undefined;
  }

  readonly #moving = { clear: () => this.#clear() };

  #show(): void {
    if (this.#timer === undefined) return;
    if (!this.#terminal.animates) {
      if (this.#shown !== this.#text) this.#terminal.err(`${this.#text} …`);
      this.#shown = this.#text;
      return;
    }
    this.#terminal.moving = this.#moving;
    const seconds = ((performance.now() - this.#began) / 1000).toFixed(1);
    const frame = FRAMES[this.#frame++ % FRAMES.length];
    const text = printable(`${frame} ${this.#text} … ${seconds} s`);
    // Of one line, or it could not be written over.
    const [line = ''] = wrapped(text, this.#terminal.errWidth - 1);
    process.stderr.write(`\r\x1b[K${line}`);
    this.#shown = line;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#show(), TICK);
    this.#timer.unref();
  }

  #clear(): void {
    if (this.#shown === '' || !this.#terminal.animates) return;
    process.stderr.write('\r\x1b[K');
    this.#shown = '';
  }
}

/** Shows progress for as long as the work takes. */
export async function during<T>(
  terminal: Terminal,
  text: string,
  work: Promise<T> | ((progress: Progress) => Promise<T>),
): Promise<T> {
  const progress = new Progress(terminal, text);
  try {
    return await (typeof work === 'function' ? work(progress) : work);
  } finally {
    progress.stop();
  }
}
