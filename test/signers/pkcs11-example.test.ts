/** examples/smart-card.ts, as somebody at a terminal would use it. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { withSServer } from '../support/client';
import { registerLeftover } from '../support/leftovers';
import { loadPki } from '../support/pki';
import { Printed } from '../support/printed';
import type { SServer } from '../support/s-server';
import { PIN, SOFTHSM, SoftHsm, WRONG_PIN } from '../support/softhsm';

const root = join(__dirname, '../..');
const pki = loadPki();
const { clients, clientB } = pki;
const required = { requestCert: 'required', args: ['-rev'], messages: false } as const;
let softHsm: SoftHsm;

beforeAll(async () => {
  softHsm = await SoftHsm.make({
    tokens: {
      card: [
        { label: 'mine', id: '01', identity: clients.ec256 },
        { label: 'of another authority', id: '02', identity: clientB },
      ],
    },
  });
}, 60_000);

/** Gives a program a terminal, and passes on what is typed and shown. */
const ON_TERMINAL = ['python3', '-c', 'import pty, sys; pty.spawn(sys.argv[1:])'];

/** What a terminal takes for: erase from here to the end. */
const ERASE = '\u001b[0J';

function start(server: SServer, terminal: readonly string[] = []) {
  const [command = '', ...args] = [...terminal, process.execPath];
  const child = spawn(
    command,
    [
      ...args,
      ...['--require', join(root, 'tools/register-typescript.cjs')],
      join(root, 'examples/smart-card.ts'),
      ...[SOFTHSM, '127.0.0.1', String(server.port), pki.serverCa.certPath],
    ],
    { env: { ...process.env, ...softHsm.env }, stdio: 'pipe' },
  );
  const forget = registerLeftover(async () => void child.kill('SIGKILL'));
  const status = new Promise<number | null>((resolve) => {
    child.once('close', (code) => {
      forget();
      resolve(code);
    });
  });
  return { child, status, printed: new Printed('smart-card', child) };
}

async function withExample(
  use: (example: ReturnType<typeof start>) => Promise<void>,
  terminal?: readonly string[],
) {
  await withSServer({ ...required, clientCa: pki.clientCaA.certPath }, (server) =>
    use(start(server, terminal)),
  );
}

test('asks which certificate and for the PIN, and connects', async () => {
  await withExample(async ({ child, status, printed }) => {
    await printed.waitFor('Which one?');
    expect(printed.output).toContain('1  mine on "card": ');
    expect(printed.output).not.toContain('of another authority');
    child.stdin.write('1\n');
    await printed.waitFor('PIN for card "card": ');
    child.stdin.write(`${PIN}\n`);
    await printed.waitFor('the server: olleh');
    expect(await status).toBe(0);
    expect(printed.output).toContain('connected; certificate: sent');
    expect(printed.output).not.toContain(PIN);
  });
});

test('on a terminal the questions stay to be seen, and the PIN never is', async () => {
  await withExample(async ({ child, status, printed }) => {
    await printed.waitFor('Which one? (nothing: none) ');
    child.stdin.write('1\r');
    await printed.waitFor('PIN for card "card": ');
    child.stdin.write(`${PIN}\r`);
    await printed.waitFor('the server: olleh');
    await status;
    // What erases the line comes before the question, not behind it.
    const [, whichOne = '', pin = ''] = printed.output.split(ERASE);
    expect(whichOne).toContain('Which one? (nothing: none) ');
    expect(pin).toContain('PIN for card "card": ');
    expect(printed.output).not.toContain(PIN);
  }, ON_TERMINAL);
});

test('says that the PIN was wrong', async () => {
  await withExample(async ({ child, status, printed }) => {
    await printed.waitFor('Which one?');
    child.stdin.write('1\n');
    await printed.waitFor('PIN for');
    child.stdin.write(`${WRONG_PIN}\n`);
    expect(await status).toBe(1);
    expect(printed.output).toMatch(/^ERR_SIGNER_FAILED: The PIN of the token "card".*was wrong/m);
    expect(printed.output).not.toContain(WRONG_PIN);
  });
});

test('closes its question when the server goes away, and ends', async () => {
  await withSServer({ ...required, clientCa: pki.clientCaA.certPath }, async (server) => {
    const { status, printed } = start(server);
    await printed.waitFor('Which one?');
    await server.stop();
    expect(await status).toBe(1);
    expect(printed.output).toMatch(/^E[A-Z_]+: /m);
  });
});

test('ends when nobody answers the question for the PIN', async () => {
  await withExample(async ({ child, status, printed }) => {
    await printed.waitFor('Which one?');
    child.stdin.write('1\n');
    await printed.waitFor('PIN for');
    child.stdin.end();
    expect(await status).toBe(1);
    expect(printed.output).toContain('nobody is there to answer');
  });
});
