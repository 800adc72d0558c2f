/** How the program ends. */
import { ExitCode } from './exit-codes';

/**
 * Ends it once all output has left, whatever is still open. What a thread is at that cannot be called off, such as the
 * look-up of a name, keeps the process until it is done; Ctrl-C ends it at once.
 */
export function finish(code: number): Promise<never> {
  process.exitCode = code;
  return new Promise(() => {
    process.stdout.write('', (error) => {
      if (error) onLostOutput(error);
      process.stderr.write('', () => leave(code));
    });
  });
}

function leave(code: NodeJS.Process['exitCode']): never {
  // process.exit() waits for libuv's threads and for workers, and nobody would hear a signal meanwhile: this is the
  // system's own way.
  process.removeAllListeners('SIGINT');
  const isHeldUp = process.getActiveResourcesInfo().some((name) => BY_THREADS.test(name));
  // A shell calls that 130, too.
  if (code === ExitCode.interrupted && isHeldUp) process.kill(process.pid, 'SIGINT');
  process.exit(code);
}

/**
 * Node's names of what libuv's threads do for it, look-ups of names and files, and of the way to a worker that is waited
 * for: that of a PKCS#11 module, which cannot be ended inside one of the module's functions.
 */
const BY_THREADS = /^(GetAddrInfo|GetNameInfo|FSReq|MessagePort$)/;

/** Minds that output can get lost: without that it would look as if all were well. */
export function mindOutput(): void {
  process.stdout.on('error', onLostOutput);
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    // Of any other, there is nowhere to tell.
    if (error.code === 'EPIPE') leave(process.exitCode);
  });
}

/** Somebody who reads no more of our output (`| head`) ends us, without a word; a disk that is full, with one. */
function onLostOutput({ code, message }: NodeJS.ErrnoException): void {
  if (code === 'EPIPE') leave(process.exitCode);
  process.stderr.write(`tls-client-cert: The output cannot be written: ${message}.\n`, () =>
    leave(ExitCode.internal),
  );
}
