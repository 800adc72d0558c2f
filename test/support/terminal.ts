/** Programs in a real pseudo-terminal, of any size: keys in, and what a person sees out. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerLeftover } from './leftovers';
import { Tmux } from './tmux';

export interface TerminalOptions {
  /** Default: 100. */
  readonly columns?: number;
  /** Default: 30. */
  readonly rows?: number;
  /** Beside the environment of this process, without what tells of colours and of CI. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Appended to the command as it is, for the shell: `'> file'`. */
  readonly redirect?: string;
}

/** How a program left the terminal. */
export interface Ended {
  /** Its exit code; 128 and more for a signal, as the shell has it. */
  readonly status: number;
  /** Whether the terminal's settings (`stty -a`) are those of before. */
  readonly restored: boolean;
  readonly cursorVisible: boolean;
}

/** Keys by tmux's names: `'Up'`, `'Down'`, `'Enter'`, `'C-c'`, `'C-d'`, `'C-z'`, `'BSpace'`. */
export type Key = 'Up' | 'Down' | 'Enter' | 'C-c' | 'C-d' | 'C-z' | 'BSpace' | 'Escape';

const WAIT_MS = 10_000;

/** Starts a program in a terminal of its own. Stop it, or the end of the test file does. */
export async function openTerminal(
  command: readonly string[],
  options: TerminalOptions = {},
): Promise<Terminal> {
  const terminal = new Terminal(command, options);
  await terminal.started();
  return terminal;
}

/** Runs `use` with a program in a terminal, and ends both whatever happens. */
export async function withTerminal(
  command: readonly string[],
  options: TerminalOptions,
  use: (terminal: Terminal) => Promise<void>,
): Promise<void> {
  const terminal = await openTerminal(command, options);
  try {
    await use(terminal);
  } finally {
    await terminal.stop();
  }
}

export class Terminal {
  readonly #folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-terminal-'));
  readonly #forget = registerLeftover(() => this.stop());
  readonly #tmux: Tmux;
  #stopped: Promise<void> | undefined;

  /** @internal Use {@link openTerminal}. */
  constructor(command: readonly string[], options: TerminalOptions) {
    const { columns = 100, rows = 30, env = {}, cwd, redirect = '' } = options;
    const folder = this.#folder;
    const configuration = join(folder, 'tmux.conf');
    writeFileSync(configuration, CONFIGURATION);
    const program = join(folder, 'program.sh');
    writeFileSync(program, script(command, redirect, env));
    this.#tmux = new Tmux(join(folder, 'socket'), configuration, [
      ...['new-session', '-x', String(columns), '-y', String(rows), '-c', cwd ?? process.cwd()],
      ...['/bin/sh', program, folder],
    ]);
  }

  /** @internal */
  async started(): Promise<void> {
    try {
      await this.#tmux.started();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Types text as it is; line breaks are keys: `'Enter'`. */
  async type(text: string): Promise<void> {
    const bytes = [...Buffer.from(text)].map((byte) => byte.toString(16).padStart(2, '0'));
    await this.#tmux.ask(`send-keys -H ${bytes.join(' ')}`);
  }

  async press(...keys: readonly Key[]): Promise<void> {
    await this.#tmux.ask(`send-keys ${keys.join(' ')}`);
  }

  /** Sends the program a signal, as `kill` does; where it is a shell, the program that this has started. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const [shell = ''] = await this.#tmux.ask("display-message -p '#{pane_pid}'");
    const childOf = (pid: string) =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    let pid = childOf(shell);
    for (let child = pid; child !== ''; child = childOf(pid)) pid = child;
    process.kill(Number(pid), signal);
  }

  /** What is on the screen, without blank ends; what the terminal itself has wrapped is one line. */
  screen(): Promise<string> {
    return this.#capture('');
  }

  /** All that was printed and is still known, what has scrolled away included. */
  everything(): Promise<string> {
    return this.#capture('-S - ');
  }

  /** The screen with its escape sequences for colour and style. */
  styled(): Promise<string> {
    return this.#capture('-e -S - ');
  }

  /** Resolves to the screen as soon as it matches. */
  async shows(pattern: RegExp | string, ms = WAIT_MS): Promise<string> {
    const matches = (screen: string) =>
      typeof pattern === 'string' ? screen.includes(pattern) : pattern.test(screen);
    return this.#until(`screen that matches ${pattern}`, ms, async () => {
      const screen = await this.screen();
      return matches(screen) ? screen : undefined;
    });
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux.ask(`resize-window -x ${columns} -y ${rows}`);
  }

  async cursorVisible(): Promise<boolean> {
    const [flag] = await this.#tmux.ask("display-message -p '#{cursor_flag}'");
    return flag === '1';
  }

  /** Waits for the program's end. The screen can still be read then. */
  async ended(ms = WAIT_MS): Promise<Ended> {
    const file = join(this.#folder, 'status');
    await this.#until('end of the program', ms, async () => existsSync(file) || undefined);
    const read = (name: string) => readFileSync(join(this.#folder, name), 'utf8');
    return {
      status: Number(read('status')),
      restored: read('before') === read('after') && read('before') !== '',
      cursorVisible: await this.cursorVisible(),
    };
  }

  /** Ends the program and its terminal. Does no harm twice. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#tmux.stop();
    rmSync(this.#folder, { recursive: true, force: true });
    this.#forget();
  }

  async #capture(flags: string): Promise<string> {
    const lines = await this.#tmux.ask(`capture-pane ${flags}-J -p`);
    return lines
      .map((line) => line.trimEnd())
      .join('\n')
      .trimEnd();
  }

  /** Looks now and after each change, one look at a time. */
  async #until<T>(what: string, ms: number, look: () => Promise<T | undefined>): Promise<T> {
    const deadline = Date.now() + ms;
    try {
      for (;;) {
        let changed = false;
        const seen = this.#tmux.waiting
          .until(what, () => changed || undefined, Math.max(1, deadline - Date.now()))
          .catch((error: Error) => error);
        // From here on; what changes during the look asks for another.
        changed = true;
        const found = await look();
        if (found !== undefined) return found;
        const error = await seen;
        if (error instanceof Error) throw error;
      }
    } catch (error) {
      const screen = await this.everything().catch(() => '(gone)');
      throw new Error(`${(error as Error).message}. The terminal shows:\n${screen}`, {
        cause: error,
      });
    }
  }
}

const CONFIGURATION = `
set -g destroy-unattached on
set -g status off
set -g escape-time 0
set -g history-limit 10000
set -g default-terminal screen-256color
`;

/** Of whoever runs the tests, and no matter of the program's. */
const NOT_PASSED_ON = 'CI NO_COLOR FORCE_COLOR NODE_DISABLE_COLORS COLORTERM TMUX TMUX_PANE';

/** The last line holds the pane, so that the screen can be looked at; what it prints is news to wait for. */
function script(
  command: readonly string[],
  redirect: string,
  env: Readonly<Record<string, string>>,
): string {
  const set = Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}`);
  return `
unset ${NOT_PASSED_ON}
${set.join('\n')}
trap : INT
stty -a > "$1/before"
${command.map(quoted).join(' ')} ${redirect}
status=$?
stty -a > "$1/after"
echo $status > "$1/status.new"
mv "$1/status.new" "$1/status"
printf '\\033[m'
trap '' INT
exec sleep 600
`;
}

/** As a shell takes it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
