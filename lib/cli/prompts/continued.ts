/**
 * Takes the terminal back when the program goes on after a stop (Ctrl-Z, or a signal, and `fg`), in which the
 * shell gave it settings of its own.
 *
 * @param redraw - Called then: what was on the screen is far above, or gone.
 * @returns What ends that.
 */
export function onContinued(redraw: () => void): () => void {
  const { stdin } = process;
  let later: NodeJS.Immediate | undefined;
  const takeBack = () => {
    if (stdin.isRaw) {
      // libuv does not set what it has set already.
      stdin.setRawMode(false);
      stdin.setRawMode(true);
    }
    // Behind Node's readline, which pauses what it reads from, and leaves it so.
    later = setImmediate(() => {
      stdin.resume();
      redraw();
    });
  };
  process.on('SIGCONT', takeBack);
  return () => {
    process.off('SIGCONT', takeBack);
    clearImmediate(later);
  };
}
