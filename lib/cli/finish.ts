/** How the program ends. */

/** Ends it once all output has left, whatever is still open. */
export function finish(code: number): Promise<never> {
  process.exitCode = code;
  return new Promise(() => {
    process.stdout.write('', () => process.stderr.write('', () => process.exit(code)));
  });
}

/** Somebody who reads no more of our output (`| head`) ends us, without a word. */
export function endQuietlyWithoutReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(process.exitCode);
    });
  }
}
