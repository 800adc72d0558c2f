const CTRL_C = 0x03;
const [CR, LF, TAB] = [0x0d, 0x0a, 0x09];
const [BLANK, DELETE] = [0x20, 0x7f];

/** Ends what {@link staySilent} began, with the terminal as it is. */
let leaveAsIs: (() => void) | undefined;
let over: Promise<void> = Promise.resolve();

/**
 * Keeps the terminal from showing what is typed until the passphrase that was given has been tried, for which the
 * loop stands still: whoever knows it to be wrong may type the next already.
 *
 * @param ended - Called then, or before another prompt.
 */
export function staySilent(ended: () => void): void {
  const { stdin } = process;
  const typed: Buffer[] = [];
  const onData = (bytes: Buffer) => void typed.push(bytes);
  let resolve = () => {};
  over = new Promise((done) => {
    resolve = done;
  });
  const end = () => {
    leaveAsIs = undefined;
    clearImmediate(turn);
    stdin.off('data', onData);
    ended();
    resolve();
  };
  const handBack = () => {
    stdin.pause().setRawMode(false);
    const bytes = Buffer.concat(typed);
    // No key has been a signal meanwhile, nor Enter the end of a line.
    if (bytes.includes(CTRL_C)) process.kill(process.pid, 'SIGINT');
    else if (bytes.length > 0 && bytes.every(isText)) {
      stdin.unshift(bytes.map((byte) => (byte === CR ? LF : byte)));
    }
    end();
  };
  stdin.setRawMode(true);
  // It was right, or nobody is asked again; what was typed comes with the next turn.
  let turn = setImmediate(() => {
    stdin.on('data', onData).resume();
    turn = setImmediate(handBack);
  });
  leaveAsIs = end;
}

/**
 * Other keys edit a line or end the input, which the terminal does when it shows them. Nobody saw what they did to what
 * is typed here, so that all of it is dropped.
 */
function isText(byte: number): boolean {
  return (byte >= BLANK && byte !== DELETE) || byte === CR || byte === LF || byte === TAB;
}

/** Another prompt takes the terminal, and what was typed. */
export function endSilence(): void {
  leaveAsIs?.();
}

/** When stdin can be read by others. */
export function silenceOver(): Promise<void> {
  return over;
}
