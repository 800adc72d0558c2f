/** What the tests of the command see with: it has to tell what is from what is not. */
import { isRunning, notRunning } from '../support/processes';
import { openTerminal, type TerminalOptions, withTerminal } from '../support/terminal';

const sh = (script: string) => ['/bin/sh', '-c', script];
const run = (
  script: string,
  use: Parameters<typeof withTerminal>[2],
  options: TerminalOptions = {},
) => withTerminal(sh(script), options, use);

test('what is typed, shown and returned', () =>
  run('read -r name; echo "hello, $name"; exit 7', async (terminal) => {
    await terminal.type('O\'Brien; $x "é');
    await terminal.press('Enter');
    await terminal.shows('hello, O\'Brien; $x "é');
    expect(await terminal.ended()).toEqual({ status: 7, restored: true, cursorVisible: true });
  }));

test('a terminal left without echo and cursor', () =>
  run(`stty -echo; printf '\\033[?25l'`, async (terminal) => {
    expect(await terminal.ended()).toEqual({ status: 0, restored: false, cursorVisible: false });
  }));

test('Ctrl-C is a signal', () =>
  run('echo ready; exec cat', async (terminal) => {
    await terminal.shows('ready');
    await terminal.press('C-c');
    expect(await terminal.ended()).toMatchObject({ status: 130, restored: true });
  }));

test('sizes, and what has scrolled away', () =>
  run(
    'stty size; i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; done; read -r _; stty size',
    async (terminal) => {
      await terminal.shows('line 40');
      expect(await terminal.screen()).not.toMatch(/line 1$/m);
      expect(await terminal.everything()).toMatch(/^10 40\nline 1\n/);
      await terminal.resize(60, 12);
      await terminal.press('Enter');
      await terminal.shows(/^12 60$/m);
    },
    { columns: 40, rows: 10 },
  ));

test('environment and redirection', () =>
  run(
    'echo "[$CI][$NAME]"; echo hidden >&3',
    async (terminal) => {
      await terminal.shows("[][it's]");
      await terminal.ended();
      expect(await terminal.everything()).not.toContain('hidden');
    },
    { env: { NAME: "it's" }, redirect: '3>/dev/null' },
  ));

test('a wait in vain says what the terminal shows', () =>
  run('echo something else; exec cat', async (terminal) => {
    await terminal.shows('something');
    await expect(terminal.shows('what never comes', 50)).rejects.toThrow(
      /what never comes.*in \d+ ms.*something else/s,
    );
  }));

test('nothing of it is left', async () => {
  const terminal = await openTerminal(sh('echo "pid $$ in $1"; exec cat'));
  const [, text] = /pid (\d+)/.exec(await terminal.shows(/pid \d+ in/)) ?? [];
  const pid = Number(text);
  expect(isRunning(pid)).toBe(true);
  await terminal.stop();
  await terminal.stop();
  // The hangup has been sent to it; to die of that it has to be given a turn.
  await notRunning(() => isRunning(pid));
  expect(isRunning(pid)).toBe(false);
});
