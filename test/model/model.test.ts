/** Random scenarios, here always the same ones, hold the model's invariants. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { REGISTER } from '../lifecycle/run-child';
import { registerLeftover } from '../support/leftovers';

/**
 * A process of its own: jest's has timers and descriptors of its own, and keeps what is uncaught to itself.
 * Milliseconds: a guard against what hangs.
 */
const PATIENCE = 120_000;

function run(...args: string[]): Promise<{ code: number | null; output: string }> {
  const child = spawn(
    process.execPath,
    ['--expose-gc', '--require', REGISTER, join(__dirname, 'main.ts'), ...args],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const forget = registerLeftover(async () => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      forget();
      resolve({ code, output });
    });
  });
}

test(
  'nothing is lost, asked twice, revealed or left behind, whatever comes in whatever order',
  async () => {
    const { code, output } = await run('--runs', '150', '--seed', '7');
    expect({ code, output }).toEqual({ code: 0, output: expect.stringContaining('all good') });
  },
  PATIENCE,
);
