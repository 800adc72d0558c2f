/** `tls-client-cert ls`, the program. */
import { X509Certificate } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { type Cli, type CliOptions, installCli } from '../support/cli';
import { type Folder, makeFolder } from '../support/identity-files';
import { Issuer } from '../support/issue';
import { loadPki } from '../support/pki';

const pki = loadPki();
const { clients, clientB, clientCaA, encodings } = pki;
const { ec256 } = clients;

let cli: Cli;
let folder: Folder;

beforeAll(async () => {
  cli = installCli();
  folder = makeFolder({
    'b.pem': clientB.cert + clientB.key,
    'locked.p12': encodings.pfx,
    'me.crt': ec256.cert,
    'me.key': encodings.encryptedPkcs8Pem,
    'old.pem': '',
    'rsa.pfx': encodings.pfxWithoutPassphrase,
    'too-early.pem': '',
    'trash.pem': 'trash',
  });
  const issuer = await Issuer.create();
  const old = await issuer.issue({ name: 'old', issuer: clientCaA, to: '20210101000000Z' });
  const early = await issuer.issue({
    name: 'too-early',
    issuer: clientCaA,
    from: '20480101000000Z',
  });
  await issuer.remove();
  folder.write({ 'old.pem': old.cert + old.key, 'too-early.pem': early.cert + early.key });
  mkdirSync(folder.file('home'));
});
afterAll(() => {
  cli.remove();
  folder.remove();
});

/** In a home and a folder that hold what the test put there. */
function ls(args: readonly string[], options: CliOptions = {}) {
  const env = { HOME: folder.file('home'), ...options.env };
  return cli.run(['ls', ...args], { cwd: folder.path, ...options, env });
}

test('a folder, as a table: what is wrong is said beside it', async () => {
  const { end, stdout, stderr } = await ls(['.']);
  expect(end).toBe(0);
  expect(stdout.split('\n').map((line) => line.replace(/ {2,}/g, ' | ').trimEnd())).toEqual([
    'Subject | Issuer | Valid until | Key | Where',
    expect.stringMatching(/^─+/),
    `client b, O=tls-client-cert tests | Client CA B | ${day(clientB.cert)} | EC P-256 | b.pem`,
    'not known: passphrase needed | locked.p12 (passphrase)',
    `client ec256, O=tls-client-cert tests | Client CA A | ${day(ec256.cert)} | EC P-256 | me.crt (key in me.key, passphrase)`,
    'old, O=tls-client-cert tests | Client CA A | 2021-01-01 expired | EC P-256 | old.pem',
    `client rsa, O=tls-client-cert tests | Client CA A | ${day(clients.rsa.cert)} | RSA 2048 | rsa.pfx`,
    'too early, O=tls-client-cert tests | Client CA A | not valid before 2048-01-01 | EC P-256 | too-early.pem',
    '',
  ]);
  expect(stderr).toMatch(
    /Note: trash\.pem holds neither a certificate nor a key \(PEM, DER or PFX\)\.\n$/,
  );
});

function day(pem: string): string {
  return new Date(new X509Certificate(pem).validTo).toISOString().slice(0, 10);
}

test('the same for machines', async () => {
  const { end, stdout } = await ls(['me.crt', 'locked.p12', 'old.pem', 'nothing.pem', '--json']);
  // What was named and is not there gives its code, though others were found.
  expect(end).toBe(8);
  expect(JSON.parse(stdout)).toEqual({
    format: 1,
    identities: [
      {
        kind: 'file',
        where: 'me.crt',
        label: 'me.crt',
        device: null,
        key: { where: 'me.key', needs: 'passphrase', seen: true },
        status: 'valid',
        certificate: {
          subject: ec256.subject,
          issuer: 'CN=Client CA A,O=tls-client-cert tests',
          subjectAltNames: [],
          serialNumber: expect.stringMatching(/^[0-9A-F]+$/),
          validFrom: expect.stringMatching(/^\d{4}-.*Z$/),
          validTo: expect.stringMatching(/^\d{4}-.*Z$/),
          key: 'EC P-256',
          fingerprint256: new X509Certificate(ec256.cert).fingerprint256,
        },
        chain: [],
      },
      {
        kind: 'pfx',
        where: 'locked.p12',
        label: 'locked.p12',
        device: null,
        key: { where: 'locked.p12', needs: 'passphrase', seen: true },
        status: 'locked',
        certificate: null,
        chain: [],
      },
      expect.objectContaining({ where: 'old.pem', status: 'expired' }),
    ],
    problems: [
      {
        source: 'nothing.pem',
        code: 'ERR_CREDENTIAL_INVALID',
        reason: 'ENOENT',
        message: 'nothing.pem cannot be read: there is no such file.',
      },
    ],
    places: ['me.crt', 'locked.p12', 'old.pem', 'nothing.pem'],
  });
});

test.each([
  ['on a narrow terminal', [], { COLUMNS: '40' }],
  ['for screen readers', ['--plain', '--color', 'always'], { NO_COLOR: '1' }],
])('%s each identity is a few lines', async (_, args, env) => {
  const { end, stdout } = await ls(['b.pem', 'old.pem', ...args], { env });
  expect(end).toBe(0);
  expect(stdout.replaceAll('\x1b[31m', '<red>')).toMatch(
    /^\S*Subject: .*client b.*,\s+O=tls-client-cert\s+tests\n\S*Issuer: .*Client CA B\n[\s\S]*\n\n\S*Subject: .*old/,
  );
  expect(stdout).toContain('2021-01-01 expired');
  expect(stdout.includes('\x1b[31m2021-01-01 expired\x1b[39m')).toBe(args.length > 0);
  if (args.length > 0) return;
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(40);
});

test.each([
  [
    ['trash.pem', 'nothing.pem'],
    8,
    /^trash\.pem holds .* nothing\.pem cannot be read: there is no .*$/,
  ],
  [['home'], 7, /^No identity was found\. Looked at: home\. Name a file, .*$/],
  [['pkcs11:nonsense=1'], 2, /^In the pkcs11: URI, "nonsense" is .*$/],
  [['--pkcs11', '/nothing.so'], 8, /^There is no file \/nothing\.so\. .*$/],
])('%j gives no identity: one line, and %i', async (args, code, words) => {
  const { end, stdout, stderr } = await ls(args);
  expect({ end, stdout }).toEqual({ end: code, stdout: '' });
  // Above it may stand what was waited for.
  expect(stderr).toMatch(/(^|\n)tls-client-cert: [^\n]*\n$/);
  expect(stderr.trimEnd().split('tls-client-cert: ')[1]).toMatch(words);
});

test('with --json that is an object', async () => {
  const { end, stdout } = await ls(['home', '--json']);
  expect(end).toBe(7);
  expect(JSON.parse(stdout)).toEqual({
    error: { code: 'CLI_NO_IDENTITY', message: expect.any(String), exitCode: 7 },
  });
});

test('without arguments it looks here, where libpq and grid tools have theirs, and on tokens', async () => {
  const home = makeFolder({
    '.postgresql/postgresql.crt': ec256.cert,
    '.postgresql/postgresql.key': ec256.key,
    '.globus/usercert.pem': clientB.cert,
    '.globus/userkey.pem': clientB.key,
  });
  const { end, stdout } = await ls(['--json'], {
    cwd: folder.file('home'),
    env: { HOME: home.path },
  });
  home.remove();
  expect(end).toBe(0);
  const { identities, places } = JSON.parse(stdout);
  const where = identities.map((one: { where: string }) => one.where.replace(`${home.path}/`, ''));
  expect(where).toEqual(
    expect.arrayContaining(['.postgresql/postgresql.crt', '.globus/usercert.pem']),
  );
  expect(places.slice(0, 3)).toEqual(['this folder', '~/.postgresql', '~/.globus']);
});

test('says what to install where tokens are wanted and pkcs11js is missing', async () => {
  const bare = installCli(['commander']);
  const { end, stdout, stderr } = await bare.run(['ls', '--pkcs11', '/bin/true']);
  const { end: unasked } = await bare.run(['ls'], { cwd: folder.path });
  bare.remove();
  expect({ end, stdout }).toEqual({ end: 8, stdout: '' });
  expect(unasked).toBe(0);
  expect(stderr).toMatch(/tls-client-cert: .* Run: npm install pkcs11js \(with npx: .*\n$/);
});
