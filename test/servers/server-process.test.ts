/** The servers' support proves itself: nothing is left of them, and a missing one is a failure. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { promisify } from 'node:util';
import { startApache } from '../support/apache';
import { within } from '../support/client';
import { startGnutlsServ } from '../support/gnutls-serv';
import { startNginx } from '../support/nginx';
import { groupIsRunning, notRunning } from '../support/processes';
import { type ServerRecipe, startServerProcess } from '../support/server-process';

/** A server in one line of JavaScript, which listens on `port`. */
function script(code: string): ServerRecipe {
  return {
    name: 'script',
    program: process.execPath,
    debianPackage: 'nodejs',
    ready: /listening/,
    prepare: (_folder, port) => ['-e', code, String(port)],
  };
}

const LISTEN =
  "require('net').createServer().listen(+process.argv[1], '127.0.0.1', () => console.log('listening'))";

/** Waits until nothing is left. */
async function expectGone({ pid = 0, folder }: { pid?: number | undefined; folder: string }) {
  await notRunning(() => groupIsRunning(pid) || existsSync(folder));
  expect(groupIsRunning(pid)).toBe(false);
  expect(existsSync(folder)).toBe(false);
}

test.each([
  ['Apache', startApache],
  ['nginx', startNginx],
  ['gnutls-serv', startGnutlsServ],
])('%s leaves no process and no folder', async (_name, start) => {
  const server = await start({ protocol: 'TLSv1.3' });
  const { pid = 0, folder } = server;
  expect(groupIsRunning(pid)).toBe(true);
  expect(existsSync(folder)).toBe(true);
  await server.stop();
  await server.stop();
  expect(groupIsRunning(pid)).toBe(false);
  expect(existsSync(folder)).toBe(false);
});

test('a server that does not heed SIGTERM is killed, and its workers with it', async () => {
  const worker =
    "require('child_process').spawn(process.execPath, ['-e', 'setInterval(Date, 1e6)'])";
  const server = await startServerProcess(
    script(`process.on('SIGTERM', () => {}); ${worker}; ${LISTEN}`),
  );
  await server.stop();
  await expectGone(server);
});

test('no server outlives a parent that was killed', async () => {
  const code =
    "require('./test/support/nginx.ts').startNginx({ protocol: 'TLSv1.3' })" +
    '.then(({ pid, folder }) => console.log(JSON.stringify({ pid, folder })))';
  const parent = spawn(
    process.execPath,
    ['--require', './tools/register-typescript.cjs', '-e', code],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = await within('server', once(parent.stdout.setEncoding('utf8'), 'data'));
  const { pid, folder } = JSON.parse(String(line)) as { pid: number; folder: string };
  expect(groupIsRunning(pid)).toBe(true);
  parent.kill('SIGKILL');
  await expectGone({ pid, folder });
});

test('a program that is missing is a failure that says what to install', async () => {
  const started = startServerProcess({
    ...script(''),
    program: 'no-such-server',
    debianPackage: 'some-package',
  });
  await expect(started).rejects.toThrow(
    'The tests of real servers need the program no-such-server ' +
      '(Debian and Ubuntu: apt-get install some-package).',
  );
});

const LACKS: [what: string, more: Partial<ServerRecipe>][] = [
  ['of the program that prepares its folder', { prepare: missingProgram }],
];
// Who is not root does not run it as anybody else.
if (process.getuid?.() === 0) LACKS.push(['of its user', { user: 'no-such-user' }]);

test.each(LACKS)('so is the lack %s', async (_what, more) => {
  await expect(startServerProcess({ ...script(''), ...more })).rejects.toThrow(
    /^The tests of real servers need the program /,
  );
});

async function missingProgram(): Promise<string[]> {
  await promisify(execFile)('no-such-program', []);
  return [];
}

test('a server that ends before it listens is a failure that says what it printed', async () => {
  const started = startServerProcess(script("console.error('no such directive')"));
  await expect(started).rejects.toThrow(/script: ended before.*no such directive/s);
});

test('a port that somebody took meanwhile is given up for another', async () => {
  const ports: number[] = [];
  const thief: Server = createServer();
  const recipe = script(LISTEN);
  const server = await startServerProcess({
    ...recipe,
    prepare: async (folder, port) => {
      if (ports.push(port) === 1) await once(thief.listen(port, '127.0.0.1'), 'listening');
      return recipe.prepare(folder, port);
    },
  });
  expect(ports).toHaveLength(2);
  expect(server.port).toBe(ports[1]);
  expect(server.port).not.toBe(ports[0]);
  await server.stop();
  await once(thief.close(), 'close');
});
