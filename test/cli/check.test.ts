/** `tls-client-cert check`, the program, against real servers. */
import { type Cli, type CliOptions, installCli } from '../support/cli';
import { withCliAt } from '../support/cli-terminal';
import { withSServer } from '../support/client';
import { type Folder, makeFolder } from '../support/identity-files';
import { Issuer } from '../support/issue';
import { type NodeServer, type NodeServerOptions, startNodeServer } from '../support/node-server';
import { type Identity, loadPki } from '../support/pki';
import type { SServer, SServerOptions } from '../support/s-server';

const pki = loadPki();
const { clients, clientB, clientCaA, deepClient, encodings, rsa512Client, server } = pki;
const { ec256 } = clients;

let cli: Cli;
let folder: Folder;

const pair = ({ cert, key }: Pick<Identity, 'cert' | 'key'>) => cert + key;

beforeAll(async () => {
  cli = installCli();
  const issuer = await Issuer.create();
  const old = await issuer.issue({ name: 'old', issuer: clientCaA, to: '20210101000000Z' });
  await issuer.remove();
  folder = makeFolder({
    'alone/deep.pem': pair(deepClient),
    'b.pem': pair(clientB),
    'deep.pem': pair(deepClient) + deepClient.chain,
    'locked.p12': encodings.pfx,
    'me.pem': pair(ec256),
    'old.pem': pair(old),
    'of-a-server.pem': pair(server),
    'weak.pem': pair(rsa512Client),
  });
});
afterAll(() => {
  cli.remove();
  folder.remove();
});

interface Listening {
  readonly port: number;
}

function check({ port }: Listening, args: readonly string[], options: CliOptions = {}) {
  return cli.run(checkArgs(port, args), { cwd: folder.path, ...options });
}

function checkArgs(port: number, args: readonly string[]): string[] {
  const target = args.some((arg) => arg.includes('://')) ? [] : [`localhost:${port}`];
  return ['check', ...target, '--ca', pki.serverCa.certPath, ...args];
}

const identities = (...names: string[]) => names.flatMap((name) => ['--identity', name]);

/** The records of a run with `--json`, by the identity's place. */
async function records(server: Listening, args: readonly string[]) {
  const { end, stdout } = await check(server, [...args, '--json']);
  const report = JSON.parse(stdout);
  const byPlace = new Map<string, Record<string, unknown>>();
  for (const one of report.identities ?? []) byPlace.set(one.identity.where, one);
  return { end, report, byPlace };
}

const required: Omit<SServerOptions, 'identity'> = {
  requestCert: 'required',
  clientCa: clientCaA.certPath,
};

describe('without --try', () => {
  const all = [
    'me.pem',
    'b.pem',
    'deep.pem',
    'alone/deep.pem',
    'old.pem',
    'weak.pem',
    'locked.p12',
  ];

  test('says of each whether it would be sent, why, and how far its chain reaches', async () => {
    await withSServer(required, async (sServer) => {
      const { end, report, byPlace } = await records(
        sServer,
        identities(...all, 'of-a-server.pem'),
      );
      expect(end).toBe(0);
      expect(report).toMatchObject({
        format: 1,
        target: `localhost:${sServer.port}`,
        asked: { phase: 'handshake', protocol: 'TLSv1.3', authorities: [clientCaA.subject] },
        problems: [],
      });
      const verdicts = [...byPlace].map(([place, { sent, listed, reasons }]) => {
        const codes = (reasons as { code: string }[]).map(({ code }) => code);
        return [place, sent, listed, ...codes];
      });
      expect(verdicts).toEqual([
        ['me.pem', 'yes', true],
        ['b.pem', 'no', false, 'wrong-authority'],
        ['deep.pem', 'yes', true],
        ['alone/deep.pem', 'no', false, 'wrong-authority'],
        ['old.pem', 'no', true, 'expired'],
        ['weak.pem', 'impossible', true, 'key-too-small'],
        ['locked.p12', 'unknown', null, 'locked'],
        ['of-a-server.pem', 'no', false, 'wrong-authority', 'extended-key-usage'],
      ]);
      expect(byPlace.get('deep.pem')?.chain).toEqual({
        is: 'complete',
        path: ['client deep', 'Client Intermediate A2', 'Client Intermediate A'],
        authority: 'Client CA A',
        missingIssuer: null,
      });
      expect(byPlace.get('alone/deep.pem')?.chain).toEqual({
        is: 'incomplete',
        path: ['client deep'],
        authority: null,
        missingIssuer: 'Client Intermediate A2',
      });
      // Nothing was sent, not even that there is none.
      expect(sServer.clientCertificateMessageCount).toBe(0);
    });
  });

  test('the same for people, a line each', async () => {
    await withSServer({ ...required, protocol: 'TLSv1.2' }, async (sServer) => {
      const { end, stdout } = await check(sServer, identities(...all));
      expect(end).toBe(0);
      expect(stdout.split('\n').map((line) => line.replace(/ {2,}/g, ' | ').trimEnd())).toEqual([
        `server | localhost:${sServer.port}`,
        'asks | for a client certificate in the handshake (TLSv1.2)',
        `accepts | ${clientCaA.subject}`,
        '',
        'Identity | Verdict | Why | Chain',
        expect.stringMatching(/^─+/),
        'client ec256 (me.pem) | would be sent | It suits, and the server lists its authority. | complete: client ec256 < Client CA A (listed)',
        'client b (b.pem) | would not be sent | It was issued by Client CA B, which the server does not list. If a listed authority stands behind Client CA B, the certificate of Client CA B is missing here. | client b < Client CA B (not listed)',
        'client deep (deep.pem) | would be sent | It suits, and the server lists its authority. | complete: client deep < Client Intermediate A2 < Client Intermediate A < Client CA A (listed)',
        expect.stringMatching(
          /^client deep \(alone\/deep\.pem\) \| would not be sent \| .* the certificate of Client Intermediate A2 is missing here\. \| client deep < Client Intermediate A2 \(not listed\)$/,
        ),
        expect.stringMatching(
          /^old \(old\.pem\) \| would not be sent \| It expired on Jan .* 2021 GMT\. \| complete/,
        ),
        expect.stringMatching(
          /^client rsa512 \(weak\.pem\) \| cannot be sent \| Its certificate has a public key of 56 bits .* \| complete/,
        ),
        expect.stringMatching(
          /^locked\.p12 \(locked\.p12\) \| not known \| The passphrase of locked\.p12 is wanted, and nobody can be asked: .* --passphrase-file/,
        ),
        '',
      ]);
    });
  });

  test('a server that lists nobody may take anybody', async () => {
    await withSServer({ requestCert: 'optional' }, async (sServer) => {
      const { end, byPlace } = await records(sServer, identities('b.pem', 'old.pem'));
      expect(end).toBe(0);
      expect(byPlace.get('b.pem')).toMatchObject({
        sent: 'yes',
        listed: null,
        chain: { is: 'open', missingIssuer: 'Client CA B' },
      });
      expect(byPlace.get('old.pem')).toMatchObject({ sent: 'no' });
    });
  });

  test('none that suits, and one that cannot be opened, have codes of their own', async () => {
    await withSServer(required, async (sServer) => {
      const wrong = ['--passphrase-env', 'WRONG'];
      const [none, locked] = await Promise.all([
        check(sServer, identities('b.pem', 'locked.p12')),
        check(sServer, [...identities('locked.p12'), ...wrong], { env: { WRONG: 'hush' } }),
      ]);
      expect([none.end, locked.end]).toEqual([7, 8]);
      expect(locked.stdout).toMatch(/ not known .* the passphrase is wrong\./);
      expect(locked.stdout).not.toContain('hush');
    });
  });

  test('a server that never asks is said to be one', async () => {
    await withSServer({ requestCert: 'no' }, async (sServer) => {
      expect(await check(sServer, identities('me.pem'))).toMatchObject({
        end: 0,
        stdout: expect.stringMatching(
          /^localhost:\d+ did not ask for a client certificate, so .*\n$/,
        ),
      });
      const { end, stdout } = await check(sServer, [...identities('me.pem'), '--json']);
      expect({ end, ...JSON.parse(stdout) }).toEqual({
        end: 0,
        format: 1,
        target: `localhost:${sServer.port}`,
        asked: null,
        identities: [],
        problems: [],
        places: [expect.stringContaining('me.pem')],
      });
    });
  });
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('--try on %s', (protocol) => {
  test('tells what the server said to each, and what to do about it', async () => {
    await withSServer({ ...required, protocol }, async (sServer) => {
      const names = ['me.pem', 'deep.pem', 'b.pem', 'alone/deep.pem', 'old.pem', 'weak.pem'];
      const { end, byPlace } = await records(sServer, [...identities(...names), '--try', '--all']);
      expect(end).toBe(0);
      const tried = [...byPlace].map(([place, one]) => {
        const {
          outcome = null,
          alert = null,
          next = null,
        } = (one.tried ?? {}) as Record<string, string>;
        return [place, outcome, alert, next];
      });
      expect(tried).toEqual([
        ['me.pem', 'accepted', null, null],
        ['deep.pem', 'accepted', null, null],
        [
          'b.pem',
          'refused',
          'unknown_ca',
          expect.stringMatching(/^Ask its administrator to trust Client CA B\. .* CN=Client CA A,/),
        ],
        [
          'alone/deep.pem',
          'refused',
          'unknown_ca',
          expect.stringContaining(
            'put the certificate of Client Intermediate A2 behind the own in alone/deep.pem',
          ),
        ],
        [
          'old.pem',
          'refused',
          'certificate_expired',
          expect.stringMatching(/^Have Client CA A issue a new one/),
        ],
        ['weak.pem', null, null, null],
      ]);
      expect(byPlace.get('b.pem')?.tried).toMatchObject({
        message: 'refused: it does not trust who issued the certificate (alert unknown_ca)',
      });
    });
  });
});

test('--try shows only those that would be sent', async () => {
  await withSServer(required, async (sServer) => {
    const sources = identities('b.pem', 'me.pem', 'old.pem', 'nothing.pem');
    const { end, stdout, stderr } = await check(sServer, [...sources, '--try']);
    expect(end).toBe(8);
    expect(stdout).toMatch(/\n\nas client ec256 \(me\.pem\)\nresult {2}accepted\n$/);
    expect(stderr).toMatch(/Note: nothing\.pem cannot be read: .*\n$/);
    await sServer.sawClient(1);
    expect(sServer.clientCertificateMessageCount).toBe(1);
  });
});

async function withNodeServer(
  options: Omit<NodeServerOptions, 'identity'>,
  use: (server: NodeServer) => Promise<void>,
): Promise<void> {
  const nodeServer = await startNodeServer({ identity: server, ...options });
  try {
    await use(nodeServer);
  } finally {
    await nodeServer.close();
  }
}

test('--try with a URL tells how the server answered for its path', async () => {
  const onConnection: NodeServerOptions['onConnection'] = (socket) =>
    void socket.once('data', () => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
  await withNodeServer({ ca: clientCaA.cert, onConnection }, async (nodeServer) => {
    const url = `https://localhost:${nodeServer.port}/members`;
    const { end, stdout } = await check(nodeServer, [url, ...identities('me.pem'), '--try']);
    expect(end).toBe(6);
    expect(stdout).toMatch(
      /\n\nas client ec256 \(me\.pem\)\nresult {2}denied: HTTP 403\. The certificate was taken, .*\nnext {4}Ask the administrator to give client ec256 access to this path\.\n$/,
    );
  });
});

describe('a passphrase', () => {
  const target = ({ port }: Listening) => ['check', `localhost:${port}`];

  test('comes from a file or the environment', async () => {
    folder.write({ 'passphrase.txt': `${encodings.passphrase}\n` });
    await withSServer(required, async (sServer) => {
      const args = [...identities('locked.p12'), '--passphrase-file', 'passphrase.txt'];
      const { end, byPlace } = await records(sServer, args);
      expect(end).toBe(0);
      expect(byPlace.get('locked.p12')).toMatchObject({
        identity: { status: 'valid', certificate: { subject: deepClient.subject } },
        sent: 'yes',
        chain: { is: 'complete', path: expect.arrayContaining(['Client Intermediate A']) },
      });
    });
  });

  test('is asked for at a terminal; Ctrl-C ends it there', async () => {
    await withSServer(required, async (sServer) => {
      const args = [...target(sServer), '--try', '-i', folder.file('locked.p12')];
      await withCliAt(cli, args, async (terminal) => {
        await terminal.shows('Passphrase of');
        await terminal.type(encodings.passphrase);
        await terminal.press('Enter');
        expect(await terminal.ended()).toMatchObject({ status: 0, restored: true });
        expect(await terminal.everything()).toContain('accepted');
      });
      await withCliAt(cli, args, async (terminal) => {
        await terminal.shows('Passphrase of');
        await terminal.press('C-c');
        const ended = { status: 130, restored: true, cursorVisible: true };
        expect(await terminal.ended()).toEqual(ended);
        const said = (await terminal.everything()).match(/tls-client-cert: .*/g);
        expect(said).toEqual(['tls-client-cert: Interrupted.']);
      });
    });
  });
});

describe('what stands in the way is one line, and a code', () => {
  test('an unreachable server, one that is not trusted, a wrong command line', async () => {
    await withSServer(required, async (sServer: SServer) => {
      const runs = await Promise.all([
        cli.run(['check', 'localhost:1', '--identity', 'me.pem'], { cwd: folder.path }),
        cli.run(['check', `localhost:${sServer.port}`, '--identity', 'me.pem'], {
          cwd: folder.path,
        }),
        check(sServer, [...identities('me.pem'), '--path', 'members']),
      ]);
      expect(runs.map(({ end }) => end)).toEqual([3, 5, 2]);
      for (const { stdout, stderr } of runs) {
        expect(stdout).toBe('');
        expect(stderr).toMatch(/(^|\n)tls-client-cert: [^\n]+\n$/);
      }
    });
  });
});
