/**
 * Whether processes run. One that is dead runs no more, though a signal still finds it until its
 * parent, or init, has buried it: which may take seconds, or for ever.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { later } from './client';

const WAIT_MS = 8_000;

export function isRunning(pid: number): boolean {
  if (!isFound(pid)) return false;
  return !existsSync('/proc/self/stat') || stat(String(pid)).running;
}

/** Whether any process of this group runs. */
export function groupIsRunning(leader: number): boolean {
  if (!isFound(-leader)) return false;
  if (!existsSync('/proc/self/stat')) return true;
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(stat).some(({ running, group }) => running && group === leader);
}

/** Resolves when nothing runs, or when it has been waited for long enough. */
export async function notRunning(running: () => boolean): Promise<void> {
  const end = performance.now() + WAIT_MS;
  while (running() && performance.now() < end) await later(undefined);
}

function isFound(pid: number): boolean {
  // A signal to process 0 goes to our own group.
  if (pid === 0) throw new Error('that is no process');
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** proc(5): `pid (name) state parent group …`, where the name may hold anything. */
function stat(pid: string): { running: boolean; group?: number } {
  try {
    const [, , state = '', , group] =
      /^(\d+) \(.*\) (\S) (\d+) (\d+) /s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
    return { running: !'ZX'.includes(state), group: Number(group) };
  } catch {
    // It has gone meanwhile.
    return { running: false };
  }
}
