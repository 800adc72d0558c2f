/** What keeps servers from outliving the tests. */
import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * A shell that kills a process when this process's end of a pipe closes: however a jest worker
 * ends, killed included, no server outlives it. A negative number stands for a whole process group.
 * `folder`, where given, is removed with it.
 */
export function startWatchdog(pid: number | undefined, folder = '') {
  if (pid === undefined) return undefined;
  const script = 'read -r _; kill -9 "$1"; [ -z "$2" ] || rm -rf "$2"';
  const watchdog = spawn('/bin/sh', ['-c', script, 'sh', String(pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // In a group of its own: the Ctrl-C that ends jest must not end its watchdogs first.
    detached: true,
  });
  watchdog.on('error', () => {});
  watchdog.stdin.on('error', () => {});
  watchdog.unref();
  // The pipe alone must not keep this process alive. Node's types do not know that it is a socket.
  (watchdog.stdin as Socket).unref();
  return watchdog;
}
