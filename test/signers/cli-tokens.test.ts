/** `tls-client-cert ls` and `check` with identities on tokens. */
import { execFileSync } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type Cli, type CliOptions, installCli } from '../support/cli';
import { withCliAt } from '../support/cli-terminal';
import { within, withSServer } from '../support/client';
import { type Folder, makeFolder } from '../support/identity-files';
import { loadPki } from '../support/pki';
import { PIN, SOFTHSM, SoftHsm, WRONG_PIN } from '../support/softhsm';

const pki = loadPki();
const { clients, clientB, deepClient, intermediateA2 } = pki;

let cli: Cli;
let softHsm: SoftHsm;
/** Where nothing else is found. */
let folder: Folder;

beforeAll(async () => {
  cli = installCli();
  folder = makeFolder({ pin: `${PIN}\n`, wrong: WRONG_PIN });
  softHsm = await SoftHsm.make({
    tokens: {
      card: [
        { label: 'mine', id: '01', identity: clients.ec256 },
        { label: 'deep', id: '02', identity: deepClient },
        { label: 'A2', id: '03', identity: intermediateA2, parts: ['cert'] },
        { label: 'twin', id: '04', identity: clients.rsa },
        { label: 'twin', id: '05', identity: clients.ec384 },
      ],
      other: [
        { label: 'mine', id: '01', identity: clientB },
        { label: 'lonely', id: '02', identity: clients.ed25519, parts: ['cert'] },
      ],
    },
  });
}, 60_000);
afterAll(async () => {
  cli.remove();
  folder.remove();
  await softHsm.remove();
});

function run(args: readonly string[], options: CliOptions = {}) {
  const env = { ...softHsm.env, HOME: folder.path, ...options.env };
  return cli.run(args, { cwd: folder.path, ...options, env });
}

test('ls lists what is on tokens, and names each so that --identity finds it', async () => {
  const { end, stdout } = await run(['ls', '--pkcs11', SOFTHSM]);
  expect(end).toBe(0);
  const rows = stdout
    .split('\n')
    .slice(2, -1)
    .map((line) => line.replace(/ {2,}/g, ' | '));
  expect(rows.toSorted()).toEqual([
    expect.stringMatching(/^client b, .* \| pkcs11:token=other;object=mine \(PIN\)$/),
    expect.stringMatching(/^client deep, .* \| pkcs11:token=card;object=deep \(PIN\)$/),
    expect.stringMatching(
      /^client ec256, .* \| EC P-256 \| pkcs11:token=card;object=mine \(PIN\)$/,
    ),
    expect.stringMatching(/^client ec384, .* \| EC P-384 \| pkcs11:token=card;id=%05 \(PIN\)$/),
    expect.stringMatching(
      /^client ed25519, .* \| pkcs11:token=other;object=lonely \(PIN, key not seen yet\)$/,
    ),
    expect.stringMatching(/^client rsa, .* \| RSA 2048 \| pkcs11:token=card;id=%04 \(PIN\)$/),
  ]);
  const named = rows.flatMap((row) => /pkcs11:\S+/.exec(row) ?? []);
  const { stdout: again } = await run(['ls', '--pkcs11', SOFTHSM, ...named, '--json']);
  const { identities } = JSON.parse(again);
  expect(identities).toHaveLength(6);
  const deep = identities.find(({ label }: { label: string }) => label === 'deep');
  expect(deep).toMatchObject({
    kind: 'token',
    device: 'card',
    where: expect.stringMatching(/^pkcs11:token=card;manufacturer=SoftHSM/),
    key: { where: deep.where, needs: 'pin', seen: true },
    chain: [intermediateA2.subject],
  });
});

test.each([
  ['pkcs11:token=nobody', 8, /^No token fits pkcs11:token=nobody\. There are: .*card/],
  ['pkcs11:token=card;object=nothing', 7, /^No certificate fits /],
  ['pkcs11:token=card;object=A2', 7, /no private key/],
])('ls %s finds nothing, and says why', async (uri, code, words) => {
  const { end, stdout, stderr } = await run(['ls', uri, '--pkcs11', SOFTHSM]);
  expect({ end, stdout }).toEqual({ end: code, stdout: '' });
  expect(stderr.split('tls-client-cert: ')[1]).toMatch(words);
});

test('without arguments both look on the tokens that the system knows', async () => {
  await withSServer({ clientCa: pki.clientCasPath }, async ({ port }) => {
    const server = [`localhost:${port}`, '--ca', pki.serverCa.certPath];
    const [ls, check] = await Promise.all([
      run(['ls', '--json']),
      run(['check', ...server, '--json']),
    ]);
    expect([ls.end, check.end]).toEqual([0, 0]);
    const { identities, places } = JSON.parse(ls.stdout);
    expect(places).toEqual([
      'this folder',
      expect.stringMatching(/^the tokens of .*p11-kit-proxy\.so$/),
    ]);
    expect(identities).toHaveLength(6);
    const verdicts = JSON.parse(check.stdout).identities;
    expect(verdicts).toHaveLength(6);
    for (const { identity, sent, chain } of verdicts) {
      // One of the intermediates on its way is on no token.
      const isShort = identity.label === 'deep';
      expect([sent, chain.missingIssuer]).toEqual(
        isShort ? ['no', 'Client Intermediate A'] : ['yes', null],
      );
    }
  });
});

test('Ctrl-C ends it while a module does not answer', async () => {
  const fifo = join(folder.path, 'silent.conf');
  execFileSync('mkfifo', [fifo]);
  const running = cli.start(['ls', '--pkcs11', SOFTHSM], { env: { SOFTHSM2_CONF: fifo } });
  // Opens when the module opens it, which then waits for words that do not come.
  const writer = await within('module', open(fifo, 'w'));
  try {
    running.kill('SIGINT');
    const { end, stderr } = await running.result;
    expect(stderr).toContain('tls-client-cert: Interrupted.');
    expect(end).toBe('SIGINT');
  } finally {
    await writer.close();
  }
});

describe('check --try', () => {
  /** What came of trying the identities that these URIs mean. */
  async function tried(
    uris: readonly string[],
    options: CliOptions = {},
    flags: readonly string[] = [],
  ) {
    let outcome: { end: unknown; results: unknown[] } = { end: undefined, results: [] };
    await withSServer(
      { requestCert: 'required', clientCa: pki.clientCasPath },
      async ({ port }) => {
        const server = [`localhost:${port}`, '--ca', pki.serverCa.certPath];
        const sources = uris.flatMap((uri) => [
          '-i',
          `${uri}${uri.includes('?') ? '&' : '?'}module-path=${SOFTHSM}`,
        ]);
        const { end, stdout } = await run(
          ['check', ...server, ...sources, ...flags, '--try', '--json'],
          options,
        );
        expect(stdout).not.toContain(PIN);
        expect(stdout).not.toContain(WRONG_PIN);
        const { identities } = JSON.parse(stdout);
        const results = identities.map(({ tried }: { tried: unknown }) => tried);
        outcome = { end, results };
      },
    );
    return outcome;
  }

  test('signs with the PIN that a URI brings, or a file that it names', async () => {
    const uris = [
      `pkcs11:token=card;object=mine?pin-value=${PIN}`,
      `pkcs11:token=other;object=mine?pin-source=file:${folder.file('pin')}`,
    ];
    expect(await tried(uris)).toEqual({
      end: 0,
      results: [
        expect.objectContaining({ outcome: 'accepted' }),
        expect.objectContaining({ outcome: 'accepted' }),
      ],
    });
  });

  test('tells a wrong PIN, which is tried once', async () => {
    const uri = `pkcs11:token=card;object=mine?pin-source=${folder.file('wrong')}`;
    const message = expect.stringMatching(/PIN of the token "card".* was wrong/);
    expect(await tried([uri])).toEqual({
      end: 8,
      results: [expect.objectContaining({ outcome: 'failed', message })],
    });
  });

  test('uses the PIN of a URI that means several tokens for none of them', async () => {
    const message = expect.stringMatching(/^The PIN of (card|other) is wanted/);
    const failed = expect.objectContaining({ outcome: 'failed', message });
    expect(await tried([`pkcs11:object=mine?pin-value=${PIN}`])).toEqual({
      end: 2,
      results: [failed, failed],
    });
  });

  test('tells that a PIN is wanted where nobody can be asked', async () => {
    const message = expect.stringMatching(/^The PIN of card is wanted, and nobody can be asked/);
    expect(await tried(['pkcs11:token=card;object=mine'])).toEqual({
      end: 2,
      results: [expect.objectContaining({ outcome: 'failed', message })],
    });
  });

  test('takes the PIN from a file, and asks at a terminal; Ctrl-C ends it there', async () => {
    const uri = 'pkcs11:token=card;object=mine';
    const accepted = { end: 0, results: [expect.objectContaining({ outcome: 'accepted' })] };
    expect(await tried([uri], {}, ['--pin-file', 'pin'])).toEqual(accepted);
    await withSServer(
      { requestCert: 'required', clientCa: pki.clientCasPath },
      async ({ port }) => {
        const args = ['check', `localhost:${port}`, '-i', uri, '--pkcs11', SOFTHSM, '--try'];
        const options = { env: softHsm.env };
        await withCliAt(
          cli,
          args,
          async (terminal) => {
            await terminal.shows('PIN of card');
            await terminal.type(PIN);
            await terminal.press('Enter');
            expect(await terminal.ended()).toMatchObject({ status: 0, restored: true });
            const all = await terminal.everything();
            expect(all).toContain('accepted');
            expect(all).not.toContain(PIN);
          },
          options,
        );
        await withCliAt(
          cli,
          args,
          async (terminal) => {
            await terminal.shows('PIN of card');
            await terminal.press('C-c');
            const ended = { status: 130, restored: true, cursorVisible: true };
            expect(await terminal.ended()).toEqual(ended);
          },
          options,
        );
      },
    );
  });
});
