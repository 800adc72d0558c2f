/** Certificates that OpenSSL takes and nobody would issue: they may be told of as odd, and stand in nobody's way. */
import { X509Certificate } from 'node:crypto';
import { certificateNames } from '../../lib/cli/certificate-names';
import { type Cli, installCli } from '../support/cli';
import { withCliAt } from '../support/cli-terminal';
import { withSServer } from '../support/client';
import { type Folder, makeFolder } from '../support/identity-files';
import { startNodeServer } from '../support/node-server';
import { type Identity, loadPki } from '../support/pki';
import {
  type Encoding,
  endless,
  endlessWithin,
  longWinded,
  noEnd,
  reencoded,
} from '../support/reencoded';

const pki = loadPki();
const { ec256 } = pki.clients;

let cli: Cli;
let folder: Folder;

const odd = (identity: Identity): Identity => ({
  ...identity,
  cert: reencoded(identity.cert, 'validity', noEnd),
});

beforeAll(() => {
  cli = installCli();
  folder = makeFolder({
    'a-odd.pem': odd(ec256).cert + ec256.key,
    'b-good.pem': ec256.cert + ec256.key,
  });
});
afterAll(() => {
  cli.remove();
  folder.remove();
});

test.each<[Parameters<typeof reencoded>[1], string, Encoding]>([
  ['serialNumber', 'of eight digits', longWinded],
  ['signature', 'of eight digits', longWinded],
  ['issuer', 'of eight digits', longWinded],
  ['validity', 'of eight digits', longWinded],
  ['subject', 'of eight digits', longWinded],
  ['signature', 'left out', endless],
  ['issuer', 'left out', endless],
  ['validity', 'left out', endless],
  ['subject', 'left out', endless],
  ['issuer', 'left out, within as well', endlessWithin],
  ['subject', 'left out, within as well', endlessWithin],
])('the names of one whose %s has a length %s', (field, _how, encode) => {
  const { raw, subject } = new X509Certificate(reencoded(ec256.cert, field, encode));
  expect(subject).toContain('CN=client ec256');
  const issuer = 'CN=Client CA A,O=tls-client-cert tests';
  expect(certificateNames({ raw })).toEqual({ subject: ec256.subject, issuer });
});

test('ls lists one whose end is no date, and says so', async () => {
  const { end, stdout } = await cli.run(['ls', '.'], { cwd: folder.path });
  expect(end).toBe(0);
  expect(stdout).toMatch(/ unreadable: \d{4}-\d\d-\d\d to no date .* a-odd\.pem\n/);
  expect(stdout).toMatch(/ \d{4}-\d\d-\d\d .* b-good\.pem\n/);
  const json = await cli.run(['ls', '.', '--json'], { cwd: folder.path });
  const certificate = { validFrom: expect.stringMatching(/Z$/), validTo: null };
  expect(JSON.parse(json.stdout).identities[0]).toMatchObject({
    status: 'unreadable',
    certificate,
  });
});

test('check says that it would not be sent, --auto takes the next, and the list shows both', () =>
  withSServer({ requestCert: 'required', clientCa: pki.clientCaA.certPath }, async ({ port }) => {
    const at = [`localhost:${port}`, '--ca', pki.serverCa.certPath, '-i', folder.path];
    const { stdout } = await cli.run(['check', ...at, '--json']);
    expect(JSON.parse(stdout).identities).toMatchObject([
      {
        sent: 'no',
        reasons: [
          {
            code: 'validity-unreadable',
            message: expect.stringMatching(/^It is valid from ".* GMT" to "Bad time value", which/),
          },
        ],
      },
      { sent: 'yes', reasons: [] },
    ]);
    expect(await cli.run(['connect', ...at, '--auto'])).toMatchObject({
      end: 0,
      stderr: expect.stringContaining(`Certificate sent: ${ec256.subject}`),
    });
    const args = ['connect', `localhost:${port}`, '-i', folder.path];
    await withCliAt(cli, args, async (terminal) => {
      await terminal.shows('These do not fit:\n- client ec256');
      await terminal.press('Down', 'Down');
      await terminal.shows(/Valid +unreadable: \d{4}-\d\d-\d\d to no date/);
      await terminal.press('C-c');
      expect((await terminal.ended()).status).toBe(130);
    });
  }));

test('probe tells of a server with one', async () => {
  const server = await startNodeServer({ identity: odd(pki.server) });
  const args = ['probe', `localhost:${server.port}`, '--ca', pki.serverCa.certPath];
  const { end, stdout } = await cli.run([...args, '--tls-min', '1.3']);
  await server.close();
  expect(end).toBe(0);
  expect(stdout).toMatch(/^valid +\d{4}-\d\d-\d\d to no date, so it is never valid$/m);
});
