/** Questions and answers one line at a time, without moving the cursor: for screen readers and dumb terminals. */
import { createInterface } from 'node:readline';
import { interrupted } from '../cli-error';
import { onContinued } from './continued';

const ENTER = new Set([0x0a, 0x0d]);
const ERASE = new Set([0x08, 0x7f]);
const CTRL_C = 0x03;
const CTRL_D = 0x04;
const CTRL_U = 0x15;
const ESCAPE = 0x1b;
const BRACKET = 0x5b;
/** `[` and `O`. */
const INTRODUCERS = new Set([BRACKET, 0x4f]);
/** Below are control characters, which are part of no secret. */
const BLANK = 0x20;
/** From here on. */
const FINAL = 0x40;

/**
 * Asks for a line, which the terminal itself lets be edited. Ctrl-C is a signal here, and aborts the session's.
 *
 * @throws CliError of the kind `interrupted` on Ctrl-D; the signal's reason.
 */
export function askLine(question: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const lines = createInterface({ input: process.stdin, terminal: false });
    const leave = onContinued(() => process.stderr.write(question));
    const end = (settle: () => void) => {
      leave();
      signal.removeEventListener('abort', onAbort);
      lines.removeAllListeners('close');
      lines.close();
      settle();
    };
    const newLine = () => process.stderr.write('\n');
    const giveUp = (error: unknown) => {
      newLine();
      end(() => reject(error));
    };
    const onAbort = () => giveUp(signal.reason);
    signal.addEventListener('abort', onAbort);
    lines.once('line', (line) => end(() => resolve(line)));
    lines.once('close', () => giveUp(interrupted()));
    process.stderr.write(question);
  });
}

/**
 * The same for a secret: nothing of it is shown. Who gives none is told so and asked again, and the terminal
 * shows nothing in between either: whoever is told to type may do so at once.
 *
 * @throws CliError of the kind `interrupted` on Ctrl-C and Ctrl-D; the signal's reason.
 */
export function askHidden(question: string, empty: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const { stdin } = process;
    let typed: number[] = [];
    const withoutKeys = keyFilter();
    const leave = onContinued(() => process.stderr.write(question));
    const end = (settle: () => void) => {
      leave();
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      signal.removeEventListener('abort', onAbort);
      stdin.setRawMode(false);
      stdin.pause();
      process.stderr.write('\n');
      settle();
      typed.fill(0);
    };
    const onAbort = () => end(() => reject(signal.reason));
    const onEnd = () => end(() => reject(interrupted()));
    const onData = (bytes: Buffer) => {
      for (const byte of withoutKeys(bytes)) {
        if (ENTER.has(byte)) {
          if (typed.length === 0) {
            process.stderr.write(`\n${empty}\n${question}`);
            continue;
          }
          const answer = Buffer.from(typed);
          end(() => resolve(answer.toString()));
          answer.fill(0);
          return;
        }
        if (byte === CTRL_C || byte === CTRL_D) {
          onEnd();
          return;
        }
        if (byte === CTRL_U) typed = [];
        else if (ERASE.has(byte)) typed = withoutLast(typed);
        else if (byte >= BLANK) typed.push(byte);
      }
    };
    stdin.setRawMode(true);
    stdin.on('data', onData);
    stdin.once('end', onEnd);
    stdin.resume();
    signal.addEventListener('abort', onAbort);
    process.stderr.write(question);
  });
}

/**
 * Leaves away what arrows and their like send, in whatever pieces that comes: ESC [ or ESC O, parameters, and one that
 * ends it (ECMA-48, CSI; SS3). The Linux console has a second [ in those of F1 to F5, which is no end.
 */
function keyFilter(): (bytes: Buffer) => Generator<number> {
  let state: 'text' | 'escape' | 'introduced' | 'key' = 'text';
  return function* (bytes) {
    for (const byte of bytes) {
      if (state === 'escape' && INTRODUCERS.has(byte)) {
        state = 'introduced';
      } else if (state === 'introduced' && byte === BRACKET) {
        state = 'key';
      } else if ((state === 'introduced' || state === 'key') && byte >= BLANK) {
        state = byte >= FINAL ? 'text' : 'key';
      } else {
        state = byte === ESCAPE ? 'escape' : 'text';
        yield byte;
      }
    }
  };
}

/** Without its last character, which may be of several bytes (UTF-8). */
function withoutLast(typed: readonly number[]): number[] {
  const start = typed.findLastIndex((byte) => (byte & 0xc0) !== 0x80);
  return typed.slice(0, Math.max(0, start));
}
