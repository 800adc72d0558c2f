import { interrupted, usageError } from '../cli-error';
import type { Terminal } from '../terminal';
import { onContinued } from './continued';
import { type Inquirer, inquirer } from './inquirer';
import { endSilence, staySilent } from './silence';
import { WaitingLine } from './waiting-line';

/** What all prompts are told. */
export interface PromptOptions {
  readonly terminal: Terminal;
  /** Aborts when no answer is of use any more: the prompt takes itself off the screen. */
  readonly signal: AbortSignal;
  /** Whether a server waits meanwhile, so that the time counts. Default: `true`. */
  readonly serverWaits?: boolean;
  /** Whether the answer is tried at once, and another prompt comes if it is wrong: the terminal shows nothing in between. */
  readonly isTried?: boolean;
  /** Called when a prompt takes stdin and the screen; what it returns, when it has left them. */
  readonly opened?: () => (answered: boolean) => void;
}

/** What ends a program from outside; Ctrl-C and its like are keys while a prompt is there. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
const SHOW_CURSOR = '\x1b[?25h';

/**
 * Runs a prompt when whoever else has stdin and the screen has left them to it. Whatever ends the program
 * meanwhile, the terminal is put back as it was.
 */
export async function exclusively<T>(
  { terminal, opened, isTried = false }: PromptOptions,
  ask: () => Promise<T>,
): Promise<T> {
  endSilence();
  const closed = opened?.();
  const restore = (signal: NodeJS.Signals) => {
    leave();
    if (process.stdin.isRaw) process.stdin.setRawMode(false);
    if (!terminal.plain) process.stderr.write(`${SHOW_CURSOR}\n`);
    // That of Ctrl-C is the session's to end with.
    if (signal !== 'SIGINT') process.kill(process.pid, signal);
  };
  const leave = () => {
    for (const signal of ENDING) process.off(signal, restore);
  };
  for (const signal of ENDING) process.prependListener(signal, restore);
  let answered = false;
  try {
    const answer = await ask();
    answered = true;
    return answer;
  } finally {
    const end = () => {
      leave();
      closed?.(answered);
    };
    if (answered && isTried) staySilent(end);
    else end();
  }
}

/** What a prompt of `@inquirer/prompts` takes beside its question. */
export interface PromptContext {
  readonly input: NodeJS.ReadStream;
  readonly output: NodeJS.WritableStream;
  readonly signal: AbortSignal;
  /** Read when the prompt ends. */
  clearPromptOnDone: boolean;
}

/** @throws CliError of the kind `usage` that names what to say on the command line, where nobody can be asked. */
export function checkInteractive(terminal: Terminal, what: string, instead: string): void {
  const { obstacle } = terminal;
  if (obstacle === undefined) return;
  throw usageError(`${what}, and nobody can be asked: ${obstacle}. Use ${instead}.`);
}

/**
 * Runs one prompt below a line that counts the seconds.
 *
 * @throws CliError of the kind `interrupted` on Ctrl-C and Ctrl-D; the signal's reason when that aborts.
 */
export async function prompted<T>(
  options: PromptOptions,
  ask: (prompts: Inquirer, context: PromptContext) => Promise<T>,
): Promise<T> {
  const prompts = await inquirer();
  options.signal.throwIfAborted();
  return exclusively(options, () => onScreen(options, (context) => ask(prompts, context)));
}

async function onScreen<T>(
  { terminal, signal, serverWaits = true, isTried = false }: PromptOptions,
  ask: (context: PromptContext) => Promise<T>,
): Promise<T> {
  const output = new WaitingLine(process.stderr, terminal, serverWaits);
  const over = new AbortController();
  const context: PromptContext = {
    input: process.stdin,
    output,
    signal: over.signal,
    clearPromptOnDone: false,
  };
  const close = (reason: unknown) => {
    context.clearPromptOnDone = true;
    over.abort(reason);
  };
  const onAbort = () => close(signal.reason);
  // Of Ctrl-D, the end of the input, the prompts take no notice.
  const onKey = (_text: string, key: { ctrl?: boolean; name?: string } | undefined) => {
    if (key?.ctrl !== true) return;
    if (key.name === 'd' || key.name === 'c') close(interrupted());
    // The shell has the screen next.
    if (key.name === 'z') process.stderr.write(SHOW_CURSOR);
  };
  const onEnd = () => close(interrupted());
  signal.addEventListener('abort', onAbort);
  process.stdin.on('keypress', onKey);
  process.stdin.once('end', onEnd);
  const leave = onContinued(() => output.again());
  try {
    const answer = await ask(context);
    // Before anybody can see that it is there.
    if (isTried) process.stdin.setRawMode(true);
    output.finish('answered');
    return answer;
  } catch (error) {
    output.finish(context.clearPromptOnDone ? 'closed' : 'answered');
    if (signal.aborted) throw signal.reason;
    const { name } = error as Error;
    // By their names: the classes are not exported.
    if (name === 'ExitPromptError' || name === 'AbortPromptError') throw interrupted();
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    process.stdin.off('keypress', onKey);
    process.stdin.off('end', onEnd);
    leave();
  }
}
