/** Whether a process runs is told apart from whether a signal finds it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { registerLeftover } from '../support/leftovers';
import { groupIsRunning, isRunning, notRunning } from '../support/processes';

/** A process in a group of its own, whose parent never looks whether it has ended. */
async function unburied(command: string): Promise<{ pid: number; parent: ChildProcess }> {
  const script = `set -m; ${command} & echo $!; exec sleep 60`;
  const parent = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  registerLeftover(async () => void parent.kill('SIGKILL'));
  const [text] = await once(parent.stdout.setEncoding('utf8'), 'data');
  return { pid: Number(text), parent };
}

test('one that is dead and not buried does not run, nor does its group', async () => {
  const { pid, parent } = await unburied('sleep 60 >/dev/null');
  expect([isRunning(pid), groupIsRunning(pid)]).toEqual([true, true]);
  process.kill(pid, 'SIGKILL');
  await notRunning(() => isRunning(pid));
  expect([isRunning(pid), groupIsRunning(pid)]).toEqual([false, false]);
  // What is not asked: it is still there.
  expect([process.kill(pid, 0), process.kill(-pid, 0)]).toEqual([true, true]);
  parent.kill('SIGKILL');
});

test('one whose leader is dead is a group that runs', async () => {
  const { pid, parent } = await unburied('(sleep 60 & kill -KILL $BASHPID) >/dev/null');
  await notRunning(() => isRunning(pid));
  expect([isRunning(pid), groupIsRunning(pid)]).toEqual([false, true]);
  process.kill(-pid, 'SIGKILL');
  await notRunning(() => groupIsRunning(pid));
  expect(groupIsRunning(pid)).toBe(false);
  parent.kill('SIGKILL');
});

test('no number of a process is an error, not our own group', () => {
  expect(() => isRunning(0)).toThrow('no process');
  expect(() => groupIsRunning(0)).toThrow('no process');
});
