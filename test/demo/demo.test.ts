/** Runs the demo as `npm run demo` does, with nobody at a terminal. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plainEnvironment } from '../support/environment';

const root = join(__dirname, '../..');
const scripts: Record<string, string> = require('../../package.json').scripts;

interface Ended {
  readonly status: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-demo-test-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function startDemo(environment: NodeJS.ProcessEnv = {}) {
  const [program, ...args] = (scripts.demo ?? '').split(' ');
  expect(program).toBe('node');
  const env = { ...plainEnvironment(), TMPDIR: folder, FORCE_COLOR: '1', ...environment };
  let print = (_text: string) => {};
  let child: ReturnType<typeof execFile> | undefined;
  const ended = new Promise<Ended>((resolve) => {
    child = execFile(process.execPath, args, { cwd: root, env }, (error, stdout, stderr) => {
      resolve({ status: error?.code ?? 0, stdout, stderr });
    });
  });
  child?.stdout?.on('data', (text: string) => print(text));
  const printed = (what: string) =>
    new Promise<void>((resolve, reject) => {
      let seen = '';
      print = (text) => {
        seen += text;
        if (seen.includes(what)) resolve();
      };
      void ended.then((how) => reject(new Error(`ended before "${what}": ${how.stderr}`)));
    });
  return { child, ended, printed };
}

test('suspends, picks the first certificate that fits, and shows what the server saw', async () => {
  const started = Date.now();
  const { status, stdout, stderr } = await startDemo().ended;
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(stdout).toContain('accepted CAs  CN=Staff CA,O=Example\n                CN=Partner CA,');
  expect(stdout).toMatch(/Carol .* does not fit: its CA is not accepted\n/);
  expect(stdout).toMatch(/Dave .* does not fit: key too small\n/);
  const seconds = [...stdout.matchAll(/suspended … (\d+\.\d) s\n/g)].map(([, s]) => Number(s));
  const [first = 0, last = 0] = [seconds[0], seconds.at(-1)];
  expect(last).toBeGreaterThanOrEqual(1.5);
  expect(first).toBeLessThan(last);
  expect(Date.now() - started).toBeGreaterThan(1_500);
  expect(stdout).toMatch(/sent +CN=Alice,O=Example\n/);
  expect(stdout).toContain('| subject=CN=Alice,O=Example\n  | issuer=CN=Staff CA,O=Example\n');
  expect(stdout).toContain('| Hello! I know who you are.\n');
});

test('prints no escape sequence where no terminal is', async () => {
  const { stdout } = await startDemo().ended;
  expect(stdout).not.toContain('\x1b');
  expect(stdout).not.toContain('\r');
});

test('an interrupt while suspended ends it with status 130 and leaves nothing behind', async () => {
  const { child, ended, printed } = startDemo();
  await printed('handshake suspended');
  child?.kill('SIGINT');
  const { status, stdout, stderr } = await ended;
  expect({ status, stderr }).toEqual({ status: 130, stderr: '' });
  expect(stdout).not.toContain('resumed');
  expect(readdirSync(folder)).toEqual([]);
});

test('says what to install where openssl is missing', async () => {
  const { status, stderr } = await startDemo({ TCC_OPENSSL: join(folder, 'none') }).ended;
  expect(status).toBe(1);
  expect(stderr).toMatch(/^The demo failed: .*apt-get install openssl.*\n$/);
});
