/** What a child process prints, and waiting for it. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { Waiting } from './waiting';

type Talker = ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };

export class Printed {
  /** Resolves when the process is gone, or could not be started, and its last words are here. */
  readonly ended: Promise<void>;
  readonly #waiting: Waiting;
  #stdout = '';
  #output = '';
  #spawnError: Error | undefined;

  /**
   * Listens from now on. A wait that fails says what `child`, by its name, has printed; `readable`
   * takes out what a person would not read.
   */
  constructor(name: string, child: Talker, readable = (output: string) => output) {
    this.#waiting = new Waiting((why) => {
      const cause = this.#spawnError;
      const words = cause?.message ?? `It printed:\n${readable(this.#output)}`;
      return new Error(`${name}: ${why}. ${words}`, { cause });
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        if (stream === child.stdout) this.#stdout += text;
        this.#output += text;
        this.#waiting.changed();
      });
    }
    child.on('error', (error) => {
      this.#spawnError = error;
    });
    const end = () => this.#waiting.end();
    this.ended = once(child, 'close').then(end, end);
  }

  get stdout(): string {
    return this.#stdout;
  }

  /** Both streams; their order among each other is not certain. */
  get output(): string {
    return this.#output;
  }

  /** Resolves to the text that matches, printed after `from`, an earlier `output.length`. */
  waitFor(pattern: RegExp | string, ms?: number, from = 0): Promise<string> {
    const look = () => {
      const text = this.#output.slice(from);
      if (typeof pattern === 'string') return text.includes(pattern) ? pattern : undefined;
      return text.match(pattern)?.[0];
    };
    return this.until(String(pattern), look, ms);
  }

  /** Resolves to what `look` makes of the text so far, as soon as it makes anything of it. */
  until<T>(what: string, look: () => T | undefined, ms?: number): Promise<T> {
    return this.#waiting.until(what, look, ms);
  }
}
