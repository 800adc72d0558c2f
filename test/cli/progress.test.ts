/** What a terminal sees of a wait: in a pseudo-terminal of script(1). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { type Cli, installCli } from '../support/cli';
import { registerLeftover } from '../support/leftovers';
import { loadPki } from '../support/pki';
import { Printed } from '../support/printed';
import { startSServer } from '../support/s-server';

const pki = loadPki();

let cli: Cli;
let silent: Server;
const sockets = new Set<Socket>();

beforeAll(async () => {
  cli = installCli();
  silent = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
  });
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
});

afterAll(() => {
  for (const socket of sockets) socket.destroy();
  silent.close();
  cli.remove();
});

/**
 * Runs the program with a terminal of so many columns; what it prints are the terminal's bytes. Ctrl-C
 * goes to the shell around it as well, which some shells would not survive: the trap keeps it.
 */
function inTerminal(args: readonly string[], columns = 80) {
  const words = [process.execPath, cli.main, ...args].map((word) => `'${word}'`).join(' ');
  const end = `echo "END:$?:$(stty -a | grep -o -- ' -\\?echo ')"`;
  const command = `trap : INT; stty cols ${columns}; ${words}; ${end}`;
  const child = spawn('script', ['-qfc', command, '/dev/null'], {
    stdio: 'pipe',
    env: { ...process.env, SHELL: '/bin/sh', NO_COLOR: '1', TERM: 'xterm' },
    timeout: 15_000,
  });
  const forget = registerLeftover(async () => void child.kill('SIGKILL'));
  const printed = new Printed('script', child);
  void printed.ended.then(forget);
  return { printed, type: (text: string) => child.stdin.write(text) };
}

/** What clears a line. */
const CLEAR = '\r\x1b[K';
const FRAME = /^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] (.* … \d+\.\d s)$/;

test('a wait is a line that moves, and leaves no trace', async () => {
  const server = await startSServer({ identity: pki.server, requestCert: 'required' });
  const { port } = server;
  const trust = ['--ca', pki.serverCa.certPath, '--tls-min', '1.3'];
  const { printed } = inTerminal(['probe', `localhost:${port}`, '--hold', '1.2', ...trust]);
  await printed.waitFor('END:0: echo');
  await server.stop();
  const frames = printed.stdout.split(CLEAR);
  const shown = frames.flatMap((frame) => FRAME.exec(frame)?.[1] ?? []);
  expect(shown.length).toBeGreaterThan(3);
  expect(new Set(shown).size).toBeGreaterThan(3);
  // Not before half a second; on a busy machine later.
  expect(shown[0]).toMatch(/ … (0\.[5-9]|[1-9]\.\d) s$/);
  expect(shown.at(-1)).toMatch(/^Leaving the request of localhost:\d+ open … [1-9]\.\d s$/);
  expect(frames.at(-1)).toMatch(/^localhost:\d+\r\n/);
});

test('a terminal that says that it has no columns gets the line all the same', async () => {
  const { port } = silent.address() as AddressInfo;
  const { printed } = inTerminal(['probe', `127.0.0.1:${port}`, '--timeout', '1.2'], 0);
  await printed.waitFor('END:3: echo');
  const shown = printed.stdout.split(CLEAR).filter((frame) => FRAME.test(frame));
  expect(shown.length).toBeGreaterThan(0);
});

test('nor does the line above a prompt lose anything there', async () => {
  const server = await startSServer({ identity: pki.server, requestCert: 'required' });
  const { certPath, keyPath } = pki.clients.ec256;
  const trust = ['--ca', pki.serverCa.certPath];
  const args = ['connect', `localhost:${server.port}`, '-i', certPath, '-i', keyPath, ...trust];
  const { printed, type } = inTerminal(args, 0);
  await printed.waitFor(/The server waits for the answer: \d+ s\r?\n/);
  await printed.waitFor('client ec256');
  type('\x03');
  await printed.waitFor('END:130: echo');
  await server.stop();
});

test('in plain mode it is one line that stays', async () => {
  const { port } = silent.address() as AddressInfo;
  const args = ['probe', `127.0.0.1:${port}`, '--timeout', '1.2', '--plain'];
  const { printed } = inTerminal(args);
  await printed.waitFor('END:3: echo');
  expect(printed.stdout).not.toContain('\x1b');
  expect(printed.stdout.match(/Connecting to/g)).toHaveLength(1);
});

test('Ctrl-C clears the line, says so, and leaves the terminal as it was', async () => {
  const { port } = silent.address() as AddressInfo;
  const { printed, type } = inTerminal(['probe', `127.0.0.1:${port}`, '--timeout', '60']);
  await printed.waitFor(/ … \d+\.\d s/);
  type('\x03');
  await printed.waitFor('END:130: echo');
  expect(printed.stdout).toContain(`${CLEAR}tls-client-cert: Interrupted.\r\n`);
});
