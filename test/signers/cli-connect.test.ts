/** `tls-client-cert connect` with keys on a token: the PIN, typed in and not. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cli, installCli } from '../support/cli';
import { withCliAt } from '../support/cli-terminal';
import { withSServer } from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { PIN, SOFTHSM, SoftHsm, WRONG_PIN } from '../support/softhsm';

const pki = loadPki();
const { clients } = pki;
const required = { requestCert: 'required', clientCa: pki.clientCaA.certPath } as const;
let cli: Cli;
let softHsm: SoftHsm;

beforeAll(() => {
  cli = installCli();
});

afterAll(() => cli.remove());

beforeEach(async () => {
  softHsm = await SoftHsm.make({
    tokens: { card: [{ label: 'mine', id: '01', identity: clients.ec256 }] },
  });
}, 60_000);

afterEach(() => softHsm.remove());

const connect = (port: number, ...args: string[]) => [
  ...['connect', `127.0.0.1:${port}`, '--pkcs11', SOFTHSM],
  ...args,
];

describe.each([
  ['with cursor movement', [], 'PIN of card (nothing is shown)'],
  ['plain', ['--plain'], 'PIN of card:'],
] as const)('%s', (name, flags, prompt) => {
  const isPlain = name === 'plain';

  test('choice and PIN, which nothing shows', () =>
    withSServer(required, (server) =>
      withCliAt(
        cli,
        connect(server.port, ...flags),
        async (terminal) => {
          const list = await terminal.shows(isPlain ? 'Number from 0 to 1:' : 'navigate');
          expect(list).toContain('client ec256 on card');
          expect(list).toMatch(/mine on card, needs the PIN/);
          if (isPlain) await terminal.type('1');
          await terminal.press('Enter');
          await terminal.shows(prompt);
          await terminal.type(`${PIN}9`);
          await terminal.press('BSpace', 'Enter');
          await terminal.shows(`Certificate sent: ${clients.ec256.subject}`);
          expect((await server.sawClient()).subject).toBe(clients.ec256.subject);
          await terminal.type('data');
          await terminal.press('Enter');
          await server.waitFor('data');
          await terminal.press('C-d');
          expect(await terminal.ended()).toEqual({
            status: 0,
            restored: true,
            cursorVisible: true,
          });
          // The port may have digits of the PIN.
          const all = (await terminal.everything()).replaceAll(`:${server.port}`, '');
          for (let i = 0; i + 3 <= PIN.length; i++) expect(all).not.toContain(PIN.slice(i, i + 3));
          expect(all).not.toMatch(/\*\*/);
        },
        { env: softHsm.env },
      ),
    ));

  test('a wrong PIN is told in one line; the next prompt says that few tries are left', () =>
    withSServer(required, async (server) => {
      const args = connect(server.port, '--auto', ...flags);
      const env = softHsm.env;
      await withCliAt(
        cli,
        args,
        async (terminal) => {
          await terminal.shows(prompt);
          await terminal.type(WRONG_PIN);
          await terminal.press('Enter');
          expect(await terminal.ended()).toEqual({
            status: 8,
            restored: true,
            cursorVisible: true,
          });
          const all = await terminal.everything();
          expect(all).toMatch(/\ntls-client-cert: [^\n]*PIN[^\n]*$/);
          expect(all).not.toContain(WRONG_PIN);
        },
        { env },
      );
      await withCliAt(
        cli,
        args,
        async (terminal) => {
          await terminal.shows('PIN of card (a wrong one was given before: few tries are left)');
          await terminal.type(PIN);
          await terminal.press('Enter');
          await terminal.shows('Certificate sent');
        },
        { env },
      );
    }));

  test.each(['C-c', 'C-d'] as const)('%s at the PIN', (key) =>
    withSServer(required, (server) =>
      withCliAt(
        cli,
        connect(server.port, '--auto', ...flags),
        async (terminal) => {
          await terminal.shows(prompt);
          await terminal.type('27');
          await terminal.press(key);
          // Behind something typed Ctrl-D ends nothing in a line editor, but here.
          expect(await terminal.ended()).toEqual({
            status: 130,
            restored: true,
            cursorVisible: true,
          });
          const all = await terminal.everything();
          expect(all.match(/tls-client-cert: .*/g)).toEqual(['tls-client-cert: Interrupted.']);
        },
        { env: softHsm.env },
      ),
    ),
  );

  test('the prompt closes itself when the server gives up', async () => {
    const server = await startNodeServer({ identity: pki.server });
    await withCliAt(
      cli,
      connect(server.port, '--auto', ...flags),
      async (terminal) => {
        await terminal.shows(prompt);
        server.hangUp();
        expect(await terminal.ended()).toEqual({ status: 3, restored: true, cursorVisible: true });
        const all = await terminal.everything();
        expect(all).toMatch(
          /(^|\n)tls-client-cert: 127\.0\.0\.1:\d+ did not wait for the answer: [^\n]+$/,
        );
        if (!isPlain) expect(all).not.toContain('PIN of card');
      },
      { env: softHsm.env },
    );
    await server.close();
  });
});

test('more than the timeout of the network may pass before the PIN is there', () =>
  withSServer(required, (server) =>
    withCliAt(
      cli,
      connect(server.port, '--auto', '--timeout', '1.5'),
      async (terminal) => {
        await terminal.shows(/waits for the answer: ([2-9]|\d\d+) s/);
        await terminal.type(PIN);
        await terminal.press('Enter');
        await terminal.shows('Certificate sent');
      },
      { env: softHsm.env },
    ),
  ));

test('an answer to the PIN has its limit by --wait', () =>
  withSServer(required, (server) =>
    withCliAt(
      cli,
      connect(server.port, '--auto', '--wait', '0.5'),
      async (terminal) => {
        expect(await terminal.ended()).toEqual({ status: 7, restored: true, cursorVisible: true });
        expect(await terminal.everything()).toMatch(
          /^tls-client-cert: Nobody answered within 0\.5 s \(--wait\)/,
        );
      },
      { env: softHsm.env },
    ),
  ));

test('a PIN that is typed before its prompt is there does not go to the server', () =>
  withSServer({ ...required, requestCert: 'no', protocol: 'TLSv1.3' }, (server) =>
    withCliAt(
      cli,
      connect(server.port, '--plain'),
      async (terminal) => {
        await terminal.shows('Certificate: not asked for');
        server.type('c');
        await terminal.shows('Number from 0 to 1:');
        await terminal.type(`1\r${PIN}\r`);
        await server.waitFor(/<<< .*, CertificateVerify/);
        await terminal.type('a line\r');
        await server.waitFor('a line');
        expect(server.output).not.toContain(PIN);
      },
      { env: softHsm.env },
    ),
  ));

describe('without a terminal', () => {
  const run = (port: number, args: readonly string[], env: Record<string, string> = {}) =>
    cli.run([...connect(port, '--auto', '--ca', pki.serverCa.certPath), ...args], {
      env: { ...softHsm.env, ...env },
    });

  test('--pin-file and --pin-env', () =>
    withSServer(required, async (server) => {
      const file = join(cli.folder, 'pin');
      writeFileSync(file, `${PIN}\n`);
      for (const args of [
        ['--pin-file', file],
        ['--pin-env', 'THE_PIN'],
      ]) {
        const { end, stderr } = await run(server.port, args, { THE_PIN: PIN });
        expect(stderr).toContain(`Certificate sent: ${clients.ec256.subject}`);
        expect(end).toBe(0);
      }
    }));

  test('a wrong PIN', () =>
    withSServer(required, async (server) => {
      const { end, stderr } = await run(server.port, ['--pin-env', 'THE_PIN'], {
        THE_PIN: WRONG_PIN,
      });
      expect(end).toBe(8);
      expect(stderr).toMatch(/(^|\n)tls-client-cert: [^\n]*PIN[^\n]*\n$/);
      expect(stderr).not.toContain(WRONG_PIN);
    }));

  test('no PIN at all: the error names the flags', () =>
    withSServer(required, async (server) => {
      const { end, stderr } = await run(server.port, []);
      expect(end).toBe(2);
      expect(stderr).toMatch(
        /(^|\n)tls-client-cert: The PIN of card is wanted, and nobody can be asked: [^\n]* Use --pin-file or --pin-env\.\n$/,
      );
    }));
});
