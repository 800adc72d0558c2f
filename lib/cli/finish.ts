/** How the program ends. */
import { ExitCode } from './exit-codes';

/** Ends it once all output has left, whatever is still open. */
export function finish(code: number): Promise<never> {
  process.exitCode = code;
  return new Promise(() => {
    process.stdout.write('', (error) => {
      if (error) onLostOutput(error);
      process.stderr.write('', () => process.exit(code));
    });
  });
}

/** Minds that output can get lost: without that it would look as if all were well. */
export function mindOutput(): void {
  process.stdout.on('error', onLostOutput);
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    // Of any other, there is nowhere to tell.
    if (error.code === 'EPIPE') process.exit(process.exitCode);
  });
}

/** Somebody who reads no more of our output (`| head`) ends us, without a word; a disk that is full, with one. */
function onLostOutput({ code, message }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE') process.exit(process.exitCode);
  process.stderr.write(`tls-client-cert: The output cannot be written: ${message}.\n`, () =>
    process.exit(ExitCode.internal),
  );
}
