/** What holds for the program as a whole. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { type Cli, installCli } from '../support/cli';

const { version } = require('../../package.json') as { version: string };

let cli: Cli;

beforeAll(() => {
  cli = installCli();
});

afterAll(() => cli.remove());

const longest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

test('--version prints the version of the package', async () => {
  expect(await cli.run(['--version'])).toEqual({ end: 0, stdout: `${version}\n`, stderr: '' });
});

test('--help lists commands, examples and exit codes', async () => {
  const { end, stdout, stderr } = await cli.run(['--help']);
  expect({ end, stderr }).toEqual({ end: 0, stderr: '' });
  expect(stdout).toMatch(/^Usage: tls-client-cert /);
  expect(stdout).toContain('  probe ');
  expect(stdout).toContain('$ tls-client-cert probe example.com:443\n');
  expect(stdout).toContain('130 interrupted.\n');
  expect(longest(stdout)).toBeLessThanOrEqual(80);
});

test('the help of every command fits into a narrow terminal', async () => {
  const narrow = { env: { COLUMNS: '40' } };
  const { stdout } = await cli.run(['--help'], narrow);
  const commands = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
  expect(commands).toContain('probe');
  const helps = commands.map((name) => cli.run(['help', name], narrow));
  for (const help of [stdout, ...(await Promise.all(helps)).map(({ stdout }) => stdout)]) {
    // What is to be copied is not broken.
    expect(longest(help.replace(/^( *\$ |Usage: ).*$/gm, ''))).toBeLessThanOrEqual(40);
  }
});

test.each([
  [['probe', '--nonsense', 'localhost'], "Unknown option '--nonsense'"],
  [['probe', '--inscure', 'localhost'], "Unknown option '--inscure' (Did you mean --insecure?)"],
  [['porbe', 'localhost'], "Unknown command 'porbe' (Did you mean probe?). See"],
  [['probe'], "Missing required argument 'target'."],
  [['probe', 'localhost', '--tls-min', '2'], "argument '2' is invalid"],
  [['probe', 'localhost', '--timeout', 'soon'], '"soon" is no time'],
  [[], 'Say what to do'],
])('%j is told in one line, and ends with 2', async (args, words) => {
  const { end, stdout, stderr } = await cli.run(args);
  expect({ end, stdout }).toEqual({ end: 2, stdout: '' });
  expect(stderr).toMatch(/^tls-client-cert: [^\n]+\n$/);
  expect(stderr).toContain(words);
});

test('with --json a usage error is an object on stdout', async () => {
  const { end, stdout, stderr } = await cli.run(['probe', '--json', 'localhost:0']);
  expect({ end, stderr }).toEqual({ end: 2, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({
    error: { code: 'CLI_USAGE', message: expect.stringContaining('"0"'), exitCode: 2 },
  });
});

test('says what to install where commander is missing', async () => {
  const bare = installCli([]);
  const { end, stdout, stderr } = await bare.run(['--version']);
  bare.remove();
  expect({ end, stdout }).toEqual({ end: 1, stdout: '' });
  expect(stderr).toMatch(/^tls-client-cert: .*npm install commander @inquirer\/prompts\n$/);
});

describe('while a thread is kept from going on', () => {
  let fifo: string;

  beforeAll(() => {
    fifo = join(cli.folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
  });

  test('Ctrl-C ends it', async () => {
    const running = cli.start(['ls', fifo]);
    await running.printed.waitFor('Looking for identities');
    running.kill('SIGINT');
    const { end, stderr } = await running.result;
    expect(stderr).toContain('tls-client-cert: Interrupted.');
    expect(end).toBe('SIGINT');
  });

  test('Ctrl-C ends it where nobody reads what it says', async () => {
    const child = spawn(process.execPath, [cli.main, 'ls', fifo], {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: 15_000,
    });
    const ended = once(child, 'exit');
    // That it looks for identities.
    await once(child.stderr, 'data');
    await once(child.stderr.destroy(), 'close');
    child.kill('SIGINT');
    expect(await ended).toEqual([null, 'SIGINT']);
  });

  /** As behind a look-up that takes longer than `--timeout`. */
  test('Ctrl-C ends it when it has ended otherwise', async () => {
    const script = `
      process.once('SIGINT', () => {});
      process.once('exit', () => fs.writeSync(1, 'ended'));
      fs.readFile(${JSON.stringify(fifo)}, () => {});
      void require(${JSON.stringify(join(dirname(cli.main), 'finish.js'))}).finish(3);
    `;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    const patience = setTimeout(() => child.kill('SIGKILL'), 3_000);
    expect(await ended).toEqual([null, 'SIGINT']);
    clearTimeout(patience);
  });
});
