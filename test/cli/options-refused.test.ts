/** What cannot be meant is refused in one line, with exit code 2. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cli, installCli } from '../support/cli';
import { loadPki } from '../support/pki';
import { startSServer } from '../support/s-server';

const pki = loadPki();
// Nobody listens there, and nobody is to be asked.
const NOWHERE = 'https://127.0.0.1:1/';

let cli: Cli;
let folder: string;

beforeAll(() => {
  cli = installCli();
  folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-refused-'));
  writeFileSync(join(folder, 'empty'), '\nhush\n');
});

afterAll(() => {
  cli.remove();
  rmSync(folder, { recursive: true });
});

test.each([
  [['connect', NOWHERE, '--method', 'get it'], '"get it" is no method that can be used here.'],
  [['connect', NOWHERE, '--method', 'CONNECT'], '"CONNECT" is no method that can be used here.'],
  [['probe', NOWHERE, '--alpn', 'h2,,http/1.1'], '--alpn h2,,http/1.1 is no list of protocol'],
  [['connect', NOWHERE, '--servername', 'a b'], '--servername "a b" is no name of a server'],
  [['probe', NOWHERE, '--servername', 'a,b'], '--servername "a,b" is no name of a server'],
  [['check', NOWHERE, '--path', '/x', '--alpn', 'http/1.1, h2'], 'Leave h2 out of --alpn.'],
  [['connect', NOWHERE, '--pin-file', 'empty'], '--pin-file empty is empty, or its first line is.'],
  [
    ['check', NOWHERE, '--passphrase-file', 'empty'],
    '--passphrase-file empty is empty, or its first line',
  ],
])('%j', async (args, words) => {
  const identity = args[0] === 'check' ? ['--identity', pki.clientB.certPath] : [];
  const { end, stdout, stderr } = await cli.run([...args, ...identity], { cwd: folder });
  expect([end, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^tls-client-cert: [^\n]+\n$/);
  expect(stderr).toContain(words);
  expect(stderr).not.toContain('hush');
});

test('versions of which Node itself was told to leave none', async () => {
  const server = await startSServer({ identity: pki.server });
  const { end, stderr } = await cli.run(['probe', `127.0.0.1:${server.port}`, '--tls-min', '1.3'], {
    env: { NODE_OPTIONS: '--tls-max-v1.2' },
  });
  await server.stop();
  expect(end).toBe(2);
  expect(stderr).toContain('--tls-min and --tls-max leave no version that is known here.');
});
