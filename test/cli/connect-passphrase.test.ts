/** `connect` at a terminal, with keys that want a passphrase. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cli, installCli } from '../support/cli';
import { PROMPT, withCliAt, withCliInShell } from '../support/cli-terminal';
import { withSServer } from '../support/client';
import { loadPki } from '../support/pki';
import type { SServer } from '../support/s-server';
import type { Terminal } from '../support/terminal';

const pki = loadPki();
const { passphrase, pfx } = pki.encodings;
const required = { requestCert: 'required', clientCa: pki.clientCaA.certPath } as const;
let cli: Cli;

beforeAll(() => {
  cli = installCli();
  writeFileSync(join(cli.folder, 'me.p12'), pfx);
});

afterAll(() => cli.remove());

/** At the passphrase of `me.p12`, which was chosen. */
function atPassphrase(flags: readonly string[], use: (terminal: Terminal) => Promise<void>) {
  return withSServer(required, (server) => {
    const args = ['connect', `127.0.0.1:${server.port}`, '-i', 'me.p12', ...flags];
    return withCliAt(cli, args, async (terminal) => {
      if (flags.includes('--plain')) {
        await terminal.shows(/1: me\.p12\. File: me\.p12; Key: me\.p12, needs its passphrase/);
        await terminal.type('1');
      } else {
        await terminal.shows(/❯ me\.p12 +not opened yet, needs a passphrase/);
      }
      await terminal.press('Enter');
      await use(terminal);
    });
  });
}

async function typeIn(terminal: Terminal, text: string) {
  await terminal.type(text);
  await terminal.press('Enter');
}

describe.each([
  ['with cursor movement', []],
  ['plain', ['--plain']],
] as const)('%s', (_name, flags) => {
  const at = (question: string) =>
    flags.length > 0 ? `${question}:` : `${question} (nothing is shown)`;

  test('a wrong one, nothing, and the right one, none of which is shown', () =>
    atPassphrase(flags, async (terminal) => {
      await terminal.shows(at('Passphrase of me.p12'));
      await typeIn(terminal, 'wrong one');
      await terminal.shows(at('Passphrase of me.p12 (wrong, 2 tries left)'));
      await terminal.press('Enter');
      await terminal.shows('Type the passphrase, or Ctrl-C to give up.');
      await typeIn(terminal, passphrase);
      await terminal.shows(`Certificate sent: ${pki.deepClient.subject}`);
      const all = await terminal.everything();
      expect(all).not.toContain('wrong one');
      expect(all).not.toContain(passphrase);
    }));

  test('three wrong ones are told in one line', () =>
    atPassphrase(flags, async (terminal) => {
      await terminal.shows(at('Passphrase of me.p12'));
      await typeIn(terminal, 'one');
      await terminal.shows(at('Passphrase of me.p12 (wrong, 2 tries left)'));
      await typeIn(terminal, 'two');
      await terminal.shows(at('Passphrase of me.p12 (wrong, the last try)'));
      await typeIn(terminal, 'three');
      expect(await terminal.ended()).toEqual({ status: 8, restored: true, cursorVisible: true });
      expect(await terminal.everything()).toMatch(
        /\ntls-client-cert: [^\n]*passphrase is wrong\.$/,
      );
    }));

  test.each(['C-c', 'C-d'] as const)('%s', (key) =>
    atPassphrase(flags, async (terminal) => {
      await terminal.shows(at('Passphrase of me.p12'));
      await terminal.press(key);
      expect(await terminal.ended()).toEqual({ status: 130, restored: true, cursorVisible: true });
      const all = await terminal.everything();
      expect(all.match(/tls-client-cert: .*/g)).toEqual(['tls-client-cert: Interrupted.']);
    }),
  );
});

/** A paste; and whoever types that fast meets no moment in which the terminal shows it. */
test('plain: nothing and the right one, in one piece', () =>
  atPassphrase(['--plain'], async (terminal) => {
    await terminal.shows('Passphrase of me.p12:');
    await terminal.type(`\r${passphrase}\r`);
    await terminal.shows(`Certificate sent: ${pki.deepClient.subject}`);
    const all = await terminal.everything();
    expect(all).toContain('Type the passphrase, or Ctrl-C to give up.');
    expect(all).not.toContain(passphrase);
  }));

test('plain: keys that are no characters are no part of it', () =>
  atPassphrase(['--plain'], async (terminal) => {
    await terminal.shows('Passphrase of me.p12:');
    const [first, second] = [passphrase.slice(0, 4), passphrase.slice(4)];
    const keys = '\t\x01\x1a\x1b[A\x1bOB\x1b[3~\x1b[1;5C\x1b[[A\x1b\x00';
    await terminal.type(`${keys}${first}${keys}${second}${keys}\r`);
    await terminal.shows(`Certificate sent: ${pki.deepClient.subject}`);
  }));

test('plain: a key may come in pieces', () =>
  atPassphrase(['--plain'], async (terminal) => {
    await terminal.shows('Passphrase of me.p12:');
    await terminal.type('\r\x1b');
    await terminal.shows('Type the passphrase');
    await terminal.type(`[A${passphrase}\r`);
    await terminal.shows(`Certificate sent: ${pki.deepClient.subject}`);
  }));

describe('while one is tried', () => {
  /** It takes about a second. */
  beforeAll(() => {
    const { certPath, keyPath } = pki.clients.ec256;
    const args = ['-export', '-in', certPath, '-inkey', keyPath, '-out', 'slow.p12'];
    const slow = ['-iter', '2000000', '-passout', `pass:${passphrase}`];
    execFileSync('openssl', ['pkcs12', ...args, ...slow], { cwd: cli.folder });
  });

  const typedMeanwhile = (
    first: string,
    keys: string,
    use: (terminal: Terminal, server: SServer) => Promise<void>,
  ) =>
    withSServer(required, (server) => {
      const args = ['connect', `127.0.0.1:${server.port}`, '-i', 'slow.p12', '--auto'];
      return withCliAt(cli, args, async (terminal) => {
        await terminal.shows('Passphrase of slow.p12 (nothing is shown)');
        await typeIn(terminal, first);
        // Written when the prompt has left the terminal.
        await terminal.shows('The server waited');
        await terminal.type(keys);
        await use(terminal, server);
      });
    });

  test('the next may be typed already, and is not shown', () =>
    typedMeanwhile('wrong', `${passphrase}\r`, async (terminal) => {
      await terminal.shows(`Certificate sent: ${pki.clients.ec256.subject}`);
      expect(await terminal.everything()).not.toContain(passphrase);
    }));

  test('Ctrl-C counts', () =>
    typedMeanwhile(passphrase, '\x03', async (terminal) => {
      expect(await terminal.ended()).toEqual({ status: 130, restored: true, cursorVisible: true });
    }));

  test('what is meant for the server gets there', () =>
    typedMeanwhile(passphrase, 'a line\r', async (_, server) => {
      await server.waitFor(/^a line\n/m);
    }));

  test.each(['\x04', '\x7f', '\x1b[A'])(
    'nothing with a key in it that is no character: %j',
    (key) =>
      typedMeanwhile(passphrase, `lost${key}\r`, async (terminal, server) => {
        server.type('go on');
        // Passed on by whoever has stdin by then.
        await terminal.shows('go on');
        await typeIn(terminal, 'a line');
        await server.waitFor(/^a line\n/m);
        expect(server.output).not.toContain('lost');
        expect(server.output).not.toContain(key);
      }),
  );
});

/** A connection whose server asks after the handshake, with a request whose body is typed in. */
function withBodyTyped(
  flags: readonly string[],
  use: (terminal: Terminal, server: SServer) => Promise<void>,
) {
  return withSServer({ ...required, requestCert: 'no', protocol: 'TLSv1.3' }, (server) => {
    const target = `127.0.0.1:${server.port}`;
    const request = ['-r', '/x', '-d', '@-'];
    const args = ['connect', target, ...request, '-i', 'me.p12', '--auto', ...flags];
    return withCliAt(cli, args, async (terminal) => {
      await terminal.shows('Certificate: not asked for');
      await typeIn(terminal, 'the beginning');
      await server.waitFor('the beginning');
      await use(terminal, server);
    });
  });
}

test.each([[[]], [['--plain']]])('is no part of a body that is typed in: %j', (flags) =>
  withBodyTyped(flags, async (terminal, server) => {
    server.type('c');
    await terminal.shows('Passphrase of me.p12');
    await typeIn(terminal, passphrase);
    await server.waitFor(/<<< .*, CertificateVerify/);
    await typeIn(terminal, 'the rest');
    await server.waitFor('the rest');
    expect(server.output).not.toContain(passphrase);
    await terminal.press('C-d');
    await server.waitFor(/^0$/m);
    server.type('HTTP/1.0 204 No Content\r\n\r');
    await terminal.shows('HTTP status: 204 No Content');
    expect(await terminal.everything()).not.toContain(passphrase);
  }),
);

test.each([[[]], [['--plain']]])('is not asked for where stdin has ended: %j', (flags) =>
  withBodyTyped(flags, async (terminal, server) => {
    await terminal.press('C-d');
    await server.waitFor(/^0$/m);
    server.type('c');
    expect(await terminal.ended()).toEqual({ status: 2, restored: true, cursorVisible: true });
    expect(await terminal.everything()).toMatch(
      /tls-client-cert: The passphrase of me\.p12 is wanted, and nobody can be asked: stdin has ended\. Use --passphrase-file or --passphrase-env\.$/,
    );
  }),
);

/** The shell has put its own settings in the place of those by which the terminal shows nothing. */
test.each([
  ['C-z', []],
  ['SIGTSTP', []],
  ['SIGTSTP', ['--plain']],
] as const)('is not shown after %s and fg: %j', (by, flags) =>
  withSServer(required, (server) => {
    const args = ['connect', `127.0.0.1:${server.port}`, '-i', 'me.p12', '--auto', ...flags];
    return withCliInShell(cli, args, async (terminal) => {
      await terminal.shows('Passphrase of me.p12');
      if (by === 'C-z') await terminal.press(by);
      else await terminal.kill(by);
      await terminal.shows(new RegExp(`Stopped.*${PROMPT}`, 's'));
      await typeIn(terminal, 'fg');
      await terminal.shows(/: fg\n.*connect.*Passphrase of me/s);
      await typeIn(terminal, passphrase);
      await terminal.shows(`Certificate sent: ${pki.deepClient.subject}`);
      expect(await terminal.everything()).not.toContain(passphrase);
    });
  }),
);

test('one that is not opened moves no column of the others', () =>
  withSServer(required, (server) => {
    const { certPath, keyPath } = pki.clients.ec256;
    const sources = ['-i', 'me.p12', '-i', certPath, '-i', keyPath];
    return withCliAt(cli, ['connect', `127.0.0.1:${server.port}`, ...sources], async (terminal) => {
      await terminal.shows(/client ec256 +from Client CA A {2}until 20/);
      await terminal.press('C-c');
      expect((await terminal.ended()).status).toBe(130);
    });
  }));

test('--auto, and Ctrl-C: none of the others is sent either', () =>
  withSServer(required, (server) => {
    const { certPath, keyPath } = pki.clients.ec256;
    const sources = ['-i', 'me.p12', '-i', certPath, '-i', keyPath, '--auto'];
    return withCliAt(cli, ['connect', `127.0.0.1:${server.port}`, ...sources], async (terminal) => {
      await terminal.shows('Passphrase of me.p12');
      await terminal.press('C-c');
      expect(await terminal.ended()).toEqual({ status: 130, restored: true, cursorVisible: true });
      expect(server.clientCertificateMessageCount).toBe(0);
    });
  }));
