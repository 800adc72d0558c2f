/** A tmux server of one's own, spoken to in its control mode: commands in, answers and news out (tmux(1), CONTROL MODE). */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Waiting } from './waiting';

const MISSING =
  'The tests of the command need tmux, for a terminal (Debian and Ubuntu: apt-get install tmux).';

interface Asked {
  resolve(lines: string[]): void;
  reject(error: Error): void;
}

/** Ends with its client, and so with this process, however that ends: `destroy-unattached`. */
export class Tmux {
  /** Told of each change of the screen. */
  readonly waiting = new Waiting((why) => new Error(`tmux: ${why}${this.#complaints}`));
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #asked: Asked[] = [];
  readonly #exited: Promise<unknown>;
  #answer: string[] | undefined;
  #complaints = '';
  #failure: Error | undefined;

  /** @param args - From `new-session` on. */
  constructor(socket: string, configuration: string, args: readonly string[]) {
    const child = spawn('tmux', ['-u', '-C', '-S', socket, '-f', configuration, ...args], {
      stdio: 'pipe',
      env: { ...process.env, LC_ALL: 'C.UTF-8', TMUX: '', TERM: 'xterm' },
    });
    this.#child = child;
    child.stdin.on('error', () => {});
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints += `\n${text}`;
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      this.#failure = error.code === 'ENOENT' ? new Error(MISSING) : error;
      this.#end();
    });
    createInterface({ input: child.stdout })
      .on('line', (line) => this.#take(line))
      .on('close', () => this.#end());
    this.#exited = once(child, 'close').catch(() => {});
  }

  /** Gives one command, quoted as tmux wants it; resolves to the lines of its answer. */
  ask(command: string): Promise<string[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#asked.push({ resolve, reject });
      this.#child.stdin.write(`${command}\n`);
    });
  }

  /** The answer to the arguments that it was started with. */
  started(): Promise<string[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) reject(this.#failure);
      else this.#asked.push({ resolve, reject });
    });
  }

  async stop(): Promise<void> {
    this.#child.stdin.write('kill-server\n');
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), 2_000);
    await this.#exited;
    clearTimeout(patience);
  }

  #take(line: string): void {
    if (this.#answer === undefined) {
      if (line.startsWith('%begin ')) this.#answer = [];
      else this.waiting.changed();
      return;
    }
    if (!/^%(end|error) \d+ \d+ \d+$/.test(line)) {
      this.#answer.push(line);
      return;
    }
    const answer = this.#answer;
    this.#answer = undefined;
    const asked = this.#asked.shift();
    if (line.startsWith('%end')) asked?.resolve(answer);
    else asked?.reject(new Error(`tmux: ${answer.join(' ')}`));
  }

  #end(): void {
    this.#failure ??= new Error(`tmux has ended${this.#complaints}`);
    for (const { reject } of this.#asked.splice(0)) reject(this.#failure);
    this.waiting.end();
  }
}
