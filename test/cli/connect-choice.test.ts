/** `connect` at a terminal: choosing whom to be. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Cli, installCli } from '../support/cli';
import { folderOf, PROMPT, withCliAt, withCliInShell } from '../support/cli-terminal';
import { withSServer } from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import type { Terminal } from '../support/terminal';

const pki = loadPki();
const { clients, clientB } = pki;
const required = { requestCert: 'required', clientCa: pki.clientCaA.certPath } as const;
const QUESTION = 'Which certificate does the server get?';
const CTRL_C = 'tls-client-cert: Interrupted.';

let cli: Cli;
let folder: string;

beforeAll(() => {
  cli = installCli();
  const identities = [clients.ec256, clients.rsa, clientB];
  const files = identities.flatMap(({ certPath, keyPath }) => [certPath, keyPath]);
  folder = folderOf(cli, 'identities', files);
});

afterAll(() => cli.remove());

/** Sends a line, ends stdin, and expects that all went well. */
async function finish(terminal: Terminal, waitFor: (text: string) => Promise<unknown>) {
  await terminal.shows('Certificate');
  await terminal.type('a line');
  await terminal.press('Enter');
  await waitFor('a line');
  await terminal.press('C-d');
  expect(await terminal.ended()).toEqual({ status: 0, restored: true, cursorVisible: true });
}

test.each(['TLSv1.2', 'TLSv1.3'] as const)('by arrow keys, on %s', (protocol) =>
  withSServer({ ...required, protocol }, (server) =>
    withCliAt(cli, ['connect', `127.0.0.1:${server.port}`, '-i', folder], async (terminal) => {
      const list = await terminal.shows(/❯ client ec256 .*navigate/s);
      expect(list).toMatch(/^The server waits for the answer: \d+ s\n\? Which certificate/);
      expect(list).toMatch(/client rsa +from Client CA A +until 20\d\d-\d\d-\d\d +RSA 2048/);
      expect(list).toMatch(/These do not fit:\n- client b +from Client CA B .*\(wrong authority\)/);
      expect(list).toContain('Subject CN=client ec256,O=tls-client-cert tests');
      expect(list).toMatch(/Valid +until 20\d\d-\d\d-\d\d \(\d+ days\)/);
      await terminal.press('Down');
      expect(await terminal.shows(/❯ client rsa/)).toContain('Type    RSA 2048');
      await terminal.press('Enter');
      await terminal.shows(`✔ ${QUESTION} client rsa\n`);
      expect((await server.sawClient()).subject).toBe(clients.rsa.subject);
      await terminal.shows(/Connected to 127.0.0.1:\d+: TLSv1.\d, [A-Z0-9_-]+, trusted\n/);
      await terminal.shows(`Certificate sent: ${clients.rsa.subject} (rsa_pss_rsae_sha256)`);
      await finish(terminal, (text) => server.waitFor(text));
      expect(await terminal.everything()).not.toContain('do not fit');
    }),
  ),
);

test('one that does not fit cannot be chosen, and says why', () =>
  withSServer(required, (server) =>
    withCliAt(cli, ['connect', `127.0.0.1:${server.port}`, '-i', folder], async (terminal) => {
      await terminal.shows(QUESTION);
      await terminal.press('Down', 'Down', 'Down');
      const why = 'It was issued by CN=Client CA B,O=tls-client-cert tests; the server accepts';
      await terminal.shows(why);
      await terminal.press('Enter');
      await terminal.shows('This one does not fit what the server asks for.');
      await terminal.press('C-c');
      await terminal.shows(CTRL_C);
      expect((await terminal.ended()).status).toBe(130);
    }),
  ));

test('none is a choice', () =>
  withSServer({ ...required, requestCert: 'optional' }, (server) =>
    withCliAt(cli, ['connect', `127.0.0.1:${server.port}`, '-i', folder], async (terminal) => {
      await terminal.shows(QUESTION);
      await terminal.press('Down', 'Down');
      await terminal.shows('No certificate is sent; the server decides.');
      await terminal.press('Enter');
      await terminal.shows('Certificate: asked for, none sent');
      expect(await server.clientChain()).toEqual([]);
      await finish(terminal, (text) => server.waitFor(text));
    }),
  ));

test('where none fits, there is a way on without', () =>
  withSServer({ ...required, requestCert: 'optional' }, (server) => {
    const args = ['-i', clientB.certPath, '-i', clientB.keyPath];
    const at = `127.0.0.1:${server.port}`;
    return withCliAt(cli, ['connect', at, ...args], async (terminal) => {
      await terminal.shows(/No certificate fits. Go on without\?\n❯ none/);
      await terminal.press('Enter');
      await terminal.shows('Certificate: asked for, none sent');
    });
  }));

test('the list closes itself when the server gives up, and one line says so', async () => {
  const server = await startNodeServer({ identity: pki.server, ca: pki.clientCaA.cert });
  await withCliAt(cli, ['connect', `127.0.0.1:${server.port}`, '-i', folder], async (terminal) => {
    await terminal.shows(QUESTION);
    await terminal.shows(/waits for the answer: [1-9]\d* s/);
    server.hangUp();
    expect(await terminal.ended()).toEqual({ status: 3, restored: true, cursorVisible: true });
    expect(await terminal.everything()).toMatch(
      /^tls-client-cert: 127.0.0.1:\d+ did not wait for the answer: it closed the connection after \d+ s\. [^\n]+$/,
    );
  });
  await server.close();
});

test('the list closes itself when --wait is over', () =>
  withSServer(required, (server) => {
    const args = ['connect', `127.0.0.1:${server.port}`, '-i', folder, '--wait', '2'];
    return withCliAt(cli, args, async (terminal) => {
      await terminal.shows(QUESTION);
      expect(await terminal.ended()).toEqual({ status: 7, restored: true, cursorVisible: true });
      expect(await terminal.everything()).toMatch(
        /^tls-client-cert: Nobody answered within 2 s \(--wait\), [^\n]+$/,
      );
    });
  }));

describe.each([
  ['the list', [], QUESTION],
  ['the plain list', ['--plain'], 'Number from 0 to 2: '],
] as const)('%s', (_name, flags, shown) => {
  test.each(['C-c', 'C-d'] as const)('and %s', (key) =>
    withSServer(required, (server) => {
      const args = ['connect', `127.0.0.1:${server.port}`, '-i', folder, ...flags];
      return withCliAt(cli, args, async (terminal) => {
        await terminal.shows(shown.trim());
        await terminal.press(key);
        expect(await terminal.ended()).toEqual({
          status: 130,
          restored: true,
          cursorVisible: true,
        });
        const all = await terminal.everything();
        expect(all.split('\n').at(-1)).toBe(CTRL_C);
        expect(all.match(/Interrupted/g)).toHaveLength(1);
        if (flags.length === 0) expect(all).toBe(CTRL_C);
      });
    }),
  );
});

test.each([
  ['SIGTERM', 143, []],
  ['SIGINT', 130, []],
  ['SIGTERM', 143, ['--plain']],
] as const)('%s from outside leaves the terminal as it was: %d %j', (signal, status, flags) =>
  withSServer(required, (server) => {
    const args = ['connect', `127.0.0.1:${server.port}`, '-i', folder, ...flags];
    return withCliAt(cli, args, async (terminal) => {
      await terminal.shows(QUESTION);
      await terminal.kill(signal);
      expect(await terminal.ended()).toEqual({ status, restored: true, cursorVisible: true });
    });
  }),
);

/** At the list, stopped by Ctrl-Z and continued. */
function continued(use: (terminal: Terminal) => Promise<void>) {
  return withSServer(required, (server) =>
    withCliInShell(cli, ['connect', `127.0.0.1:${server.port}`, '-i', folder], async (terminal) => {
      await terminal.shows(/❯ client ec256 .*navigate/s);
      await terminal.press('C-z');
      await terminal.shows(new RegExp(`Stopped.*${PROMPT}`, 's'));
      expect(await terminal.cursorVisible()).toBe(true);
      await terminal.type('fg');
      await terminal.press('Enter');
      await terminal.shows(/: fg\n.*connect.*\nThe server waits .*❯ client ec256 .*navigate/s);
      await use(terminal);
    }),
  );
}

test('Ctrl-Z and fg: the list goes on', () =>
  continued(async (terminal) => {
    await terminal.press('Down');
    await terminal.shows(/❯ client rsa/);
    await terminal.press('Enter');
    await terminal.shows(`Certificate sent: ${clients.rsa.subject}`);
  }));

test('Ctrl-Z, fg and Ctrl-C', () =>
  continued(async (terminal) => {
    await terminal.press('C-c');
    await terminal.shows(new RegExp(`^${CTRL_C}\n${PROMPT}$`, 'm'));
    expect(await terminal.cursorVisible()).toBe(true);
  }));

test('a narrow terminal', () =>
  withSServer(required, (server) => {
    const args = ['connect', `127.0.0.1:${server.port}`, '-i', folder];
    return withCliAt(
      cli,
      args,
      async (terminal) => {
        const list = await terminal.shows(/❯ client ec256\n.*navigate/s);
        for (const line of list.split('\n')) expect(line.length).toBeLessThanOrEqual(40);
        expect(list).toContain('Subject CN=client ec256,\n        O=tls-client-cert tests\n');
        await terminal.shows(/waits for the answer: [1-9]\d* s/);
        await terminal.press('Down');
        await terminal.shows('❯ client rsa');
        await terminal.press('Enter');
        await terminal.shows('Certificate sent: ');
        const all = await terminal.everything();
        expect(all).toMatch(/^The server waited: \d+ s\n✔ Which certificate/);
        expect(all.match(/The server wait/g)).toHaveLength(1);
      },
      { columns: 40, rows: 20 },
    );
  }));

test('a terminal too narrow for the names of the details', () =>
  withSServer(required, (server) =>
    withCliAt(
      cli,
      ['connect', `127.0.0.1:${server.port}`, '-i', folder],
      async (terminal) => {
        await terminal.shows(/select$/);
        await terminal.press('C-c');
        expect(await terminal.ended()).toMatchObject({ status: 130, restored: true });
      },
      { columns: 8, rows: 200 },
    ),
  ));

test('a terminal too low for all of it', () =>
  withSServer(required, (server) =>
    withCliAt(
      cli,
      ['connect', `127.0.0.1:${server.port}`, '-i', folder],
      async (terminal) => {
        await terminal.shows('navigate');
        await terminal.press('Down');
        await terminal.shows('❯ client rsa');
        await terminal.press('Enter');
        await terminal.shows(`Certificate sent: ${clients.rsa.subject}`);
      },
      { rows: 10 },
    ),
  ));

test.each([
  ['colours', {}, [], true],
  ['NO_COLOR', { NO_COLOR: '1' }, [], false],
  ['--color never', {}, ['--color', 'never'], false],
])('%s', (_name, env, flags, colored) =>
  withSServer(required, (server) =>
    withCliAt(
      cli,
      ['connect', `127.0.0.1:${server.port}`, '-i', folder, ...flags],
      async (terminal) => {
        await terminal.shows('navigate');
        expect((await terminal.styled()).includes('\u001b[')).toBe(colored);
        await terminal.press('Enter');
        await terminal.shows('Certificate sent');
        expect((await terminal.styled()).includes('\u001b[')).toBe(colored);
      },
      { env },
    ),
  ),
);

test('stdout may be a file; without stderr nobody can be asked', () =>
  withSServer(required, async (server) => {
    const args = ['connect', `127.0.0.1:${server.port}`, '-i', folder];
    const read = (name: string) => readFileSync(join(cli.folder, name), 'utf8');
    await withCliAt(
      cli,
      args,
      async (terminal) => {
        await terminal.shows('navigate');
        await terminal.press('Enter');
        await terminal.shows('Certificate sent');
        await server.clientChain();
        server.type('of the server');
        await finish(terminal, (text) => server.waitFor(text));
        expect(read('out')).toBe('of the server\n');
      },
      { redirect: '> out' },
    );
    await withCliAt(
      cli,
      args,
      async (terminal) => {
        expect((await terminal.ended()).status).toBe(2);
        expect(read('err')).toMatch(/nobody can be asked: stderr is no terminal\. Use --auto/);
      },
      { redirect: '2> err' },
    );
  }));

test('plain: a list with numbers, and a number that is typed', () =>
  withSServer(required, (server) => {
    const args = ['connect', `127.0.0.1:${server.port}`, '-i', folder, '--plain'];
    return withCliAt(cli, args, async (terminal) => {
      const list = await terminal.shows('Number from 0 to 2:');
      expect(list).toContain(`asks for a certificate, and waits. ${QUESTION}\n`);
      expect(list).toMatch(/^Does not fit: client b\. It was issued by CN=Client CA B/m);
      expect(list).toMatch(
        /^0: none, no certificate is sent\n1: client ec256\. Subject: CN=client/m,
      );
      await terminal.type('3');
      await terminal.press('Enter');
      await terminal.shows('"3" is none of the numbers.');
      await terminal.type('2');
      await terminal.press('Enter');
      await terminal.shows(`Certificate sent: ${clients.rsa.subject}`);
      await finish(terminal, (text) => server.waitFor(text));
    });
  }));

test('a request after the handshake takes stdin, and gives it back', () =>
  withSServer({ ...required, requestCert: 'no', protocol: 'TLSv1.3' }, (server) =>
    withCliAt(cli, ['connect', `127.0.0.1:${server.port}`, '-i', folder], async (terminal) => {
      await terminal.shows('Certificate: not asked for');
      await terminal.type('before');
      await terminal.press('Enter');
      await server.waitFor('before');
      server.type('c');
      await terminal.shows(QUESTION);
      await terminal.press('Down');
      await terminal.shows('❯ client rsa');
      await terminal.press('Enter');
      await terminal.shows(`✔ ${QUESTION} client rsa`);
      server.type('thanks');
      await terminal.shows('thanks');
      await terminal.shows(`Certificate sent: ${clients.rsa.subject}`);
      await finish(terminal, (text) => server.waitFor(text));
      expect(server.output).not.toContain('\u001b[B');
    }),
  ));

test('while it is answered, the time for the response stands still', () =>
  withSServer({ ...required, requestCert: 'no', protocol: 'TLSv1.3' }, (server) => {
    const target = `127.0.0.1:${server.port}`;
    const args = ['connect', target, '-i', folder, '-r', '/x', '--timeout', '1.5'];
    return withCliAt(cli, args, async (terminal) => {
      await server.waitFor('GET /x');
      server.type('c');
      await terminal.shows(/waits for the answer: ([2-9]|\d\d+) s/);
      await terminal.press('Enter');
      await terminal.shows(`✔ ${QUESTION} client ec256`);
      server.type('HTTP/1.0 204 No Content\r\n\r');
      await terminal.shows('HTTP status: 204 No Content');
      await server.stop();
    });
  }));
