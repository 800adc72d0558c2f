/** What files and folders are taken for: in process, because there are many. */
import { execFileSync } from 'node:child_process';
import type { X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { findIdentities, type Identity } from '../../lib/cli/identities';
import { commonName, holderOf } from '../../lib/cli/identities/describe';
import { identityRecord, subjectCell } from '../../lib/cli/identities/summary';
import { plainText } from '../../lib/cli/terminal';
import { type Contents, type Folder, makeFolder } from '../support/identity-files';
import { loadPki } from '../support/pki';

const pki = loadPki();
const { clients, clientB, clientCaA, deepClient, encodings, intermediateA, intermediateA2 } = pki;
const { ec256 } = clients;

let folder: Folder;

beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => folder.remove());

/** What is found, as `CN (needs): where/key`, file names alone. */
async function found(...sources: string[]) {
  const { identities, problems, close } = await findIdentities(sources);
  await close();
  const local = (path: string) => path.replace(`${folder.path}/`, '');
  return {
    identities: identities.map(
      ({ certificate, needs, where, keyWhere }) =>
        `${certificate ? commonName(certificate.subject) : 'locked'} (${needs}): ${local(where)} ${local(keyWhere)}`,
    ),
    problems: problems.map(({ source, error }) => `${local(source)}: ${error.reason}`),
  };
}

function one(identities: readonly Identity[]): Identity {
  expect(identities).toHaveLength(1);
  return identities[0] as Identity;
}

const both = ec256.cert + ec256.key;
const crlf = (text: string) => text.replaceAll('\n', '\r\n');
const BOM = '\ufeff';

test.each<[string, Contents]>([
  ['certificate and key', both],
  ['key and certificate', ec256.key + ec256.cert],
  [
    'text around them',
    `Bag Attributes\n  friendlyName: me\n${ec256.cert}\nKey Attributes\n${ec256.key}`,
  ],
  ['line breaks of Windows', crlf(both)],
  ['a byte order mark', BOM + both],
  ['UTF-16 as of Windows', Buffer.from(BOM + crlf(both), 'utf16le')],
  [
    'other things beside',
    `${both}-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n`,
  ],
  ['a key of somebody else as well', both + clientB.key],
  ['much text before them', `${'x'.repeat(60_000)}\n${both}`],
  ['much text behind them', `${both}${'x'.repeat(200_000)}`],
])('PEM with %s', async (_, contents) => {
  expect(await found(folder.write({ 'me.pem': contents }))).toEqual({
    identities: ['client ec256 (nothing): me.pem me.pem'],
    problems: [],
  });
});

describe('a key beside its certificate', () => {
  test.each<[string, Record<string, Contents>]>([
    ['of the same name', { 'me.crt': ec256.cert, 'me.key': ec256.key }],
    ['of another name', { 'me.crt': ec256.cert, 'zzz.key': ec256.key, 'aaa.key': clientB.key }],
    ['in DER', { 'me.cer': encodings.certDer, 'me.der': encodings.keyDer }],
    ['without an ending', { 'me.crt': ec256.cert, me: ec256.key }],
  ])('%s is found by its public key', async (_, files) => {
    const { identities, problems } = await found(folder.write(files));
    expect(identities).toEqual([expect.stringMatching(/^client ec256 \(nothing\): me\.ce?rt? /)]);
    expect(problems).toEqual([]);
  });

  test('is found from each file that has the certificate', async () => {
    folder.write({ 'a-copy.crt': ec256.cert, 'me.crt': ec256.cert, 'me.key': ec256.key });
    expect(await found(folder.file('a-copy.crt'))).toEqual({
      identities: ['client ec256 (nothing): a-copy.crt me.key'],
      problems: [],
    });
    expect(await found(folder.path)).toEqual({
      identities: ['client ec256 (nothing): me.crt me.key'],
      problems: [],
    });
    folder.write({ 'z.pem': both });
    expect((await found(folder.file('a-copy.crt'))).identities).toEqual([
      expect.stringContaining('a-copy.crt'),
    ]);
    expect((await found(folder.path)).identities).toEqual(['client ec256 (nothing): z.pem z.pem']);
  });

  test('is found from the key as well', async () => {
    folder.write({ 'me.crt': ec256.cert, 'other.crt': clientB.cert, 'private.key': ec256.key });
    expect(await found(folder.file('private.key'))).toEqual({
      identities: ['client ec256 (nothing): me.crt private.key'],
      problems: [],
    });
  });

  test.each([
    ['both are in it', both, ['client ec256 (nothing): pipe pipe'], []],
    ['the key is not', ec256.cert, [], ['pipe: key-not-found']],
  ])('is not looked for beside a pipe: %s', async (_, contents, identities, problems) => {
    folder.write({ 'pipe.key': ec256.key });
    const pipe = folder.file('pipe');
    execFileSync('mkfifo', [pipe]);
    const [result] = await Promise.all([found(pipe), writeFile(pipe, contents)]);
    expect(result).toEqual({ identities, problems });
  });
});

describe('what is named and is no identity', () => {
  test.each<[string, Record<string, Contents>, string]>([
    [
      'a certificate without its key',
      { 'me.pem': ec256.cert, 'b.key': clientB.key },
      'key-not-found',
    ],
    [
      'a key without its certificate',
      { 'me.pem': ec256.key, 'b.crt': clientB.cert },
      'certificate-not-found',
    ],
    ['a pair that does not fit', { 'me.pem': ec256.cert + clientB.key }, 'mismatch'],
    [
      'a key of the same name that does not fit',
      { 'me.crt': ec256.cert, 'me.key': clientB.key },
      'mismatch',
    ],
    ['an empty file', { 'me.pem': '' }, 'empty'],
    ['garbage', { 'me.pem': 'hello' }, 'nothing'],
    [
      'garbage that begins as DER does',
      { 'me.der': Buffer.from('308204ffdeadbeef', 'hex') },
      'nothing',
    ],
    ['a revocation list', { 'me.crl': pki.crl }, 'nothing'],
    ['a certificate that is cut short', { 'me.pem': ec256.cert.slice(0, 300) }, 'damaged'],
    ['a certificate that is damaged', { 'me.pem': ec256.cert.replace('MII', 'AAA') }, 'damaged'],
    ['a key that is damaged', { 'me.pem': ec256.key.replace('MIG', 'AAA') }, 'damaged'],
    ['a file too large to be one', { 'me.pem': ec256.cert + 'x'.repeat(1024 * 1024) }, 'too-large'],
    ['a large file of something else', { 'me.pem': 'x'.repeat(1024 * 1024) + both }, 'nothing'],
    ['a PFX that is damaged', { 'me.p12': cut(encodings.pfx) }, 'pfx-unreadable'],
  ])('%s', async (_, files, reason) => {
    const file = folder.write(files);
    const { identities, problems } = await findIdentities([file]);
    expect(identities).toEqual([]);
    expect(problems).toMatchObject([{ source: file, named: true, error: { reason } }]);
    expect(problems[0]?.error.message).toContain(file);
    expect(problems[0]?.error.message).toMatch(/\.$/);
  });

  test('a certificate with a key of a kind that nobody knows', async () => {
    const strange = Buffer.from(encodings.certDer);
    // id-ecPublicKey, with another last number.
    const oid = strange.indexOf(Buffer.from('2a8648ce3d0201', 'hex'));
    strange[oid + 6] = 0x7f;
    const pem = `-----BEGIN CERTIFICATE-----\n${strange.toString('base64')}\n-----END CERTIFICATE-----\n`;
    expect(await found(folder.write({ 'me.pem': pem + ec256.key }))).toEqual({
      identities: [],
      problems: ['me.pem: damaged', 'me.pem: certificate-not-found'],
    });
  });

  test('a PFX without a key', async () => {
    const args = ['pkcs12', '-export', '-nokeys', '-in', ec256.certPath, '-passout', 'pass:'];
    const file = folder.write({ 'trust.p12': execFileSync('openssl', args) });
    expect(await found(file)).toEqual({
      identities: [],
      problems: ['trust.p12: pfx-incomplete'],
    });
  });

  test.each([
    ['is not there', 'nothing.pem', 'ENOENT'],
    ['leads through a file', 'me.pem/other.pem', 'ENOTDIR'],
    ['is a link to itself', 'loop.pem', 'ELOOP'],
  ])('a file that %s', async (_, name, reason) => {
    folder.write({ 'me.pem': both });
    symlinkSync('loop.pem', folder.file('loop.pem'));
    expect(await found(folder.file(name))).toEqual({
      identities: [],
      problems: [`${name}: ${reason}`],
    });
  });
});

test.each([
  ['a folder', ''],
  ['a file', 'me.pem'],
])('%s that may not be read is told of', async (_, name) => {
  folder.write({ 'me.pem': both });
  chmodSync(folder.file(name), 0);
  const result = await withoutRights(() => found(folder.file(name)));
  expect(result).toEqual({
    identities: [],
    problems: [`${folder.file(name).replace(`${folder.path}/`, '')}: EACCES`],
  });
});

test('a file that may not be read does not keep the others of its folder from being found', async () => {
  folder.write({ 'a.pem': both, 'b.pem': clientB.cert + clientB.key, 'secret.txt': 'x' });
  for (const name of ['a.pem', 'secret.txt']) chmodSync(folder.file(name), 0);
  chmodSync(folder.path, 0o755);
  expect(await withoutRights(() => found(folder.path))).toEqual({
    identities: ['client b (nothing): b.pem b.pem'],
    problems: ['a.pem: EACCES'],
  });
});

/** Root may read everything. */
async function withoutRights<T>(use: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return use();
  process.seteuid?.(NOBODY);
  try {
    return await use();
  } finally {
    process.seteuid?.(0);
  }
}

const NOBODY = 65534;

function cut(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.length - 10);
}

describe('a folder', () => {
  test('gives all that fits, and says what is wrong with what should', async () => {
    folder.write({
      'a.crt': ec256.cert,
      'b.pem': clientB.cert + clientB.key,
      'broken.p12': cut(encodings.pfx),
      'ca.pem': clientCaA.cert,
      'garbage.pem': 'nothing',
      id_ed25519: '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n',
      'keys.pem': ec256.key,
      'notes.txt': 'buy milk',
      'picture.png': Buffer.from('89504e470d0a1a0a', 'hex'),
      'rsa.pfx': encodings.pfxWithoutPassphrase,
      'sub/c.pem': deepClient.cert + deepClient.key,
      'z-same.crt': ec256.cert,
    });
    mkdirSync(folder.file('empty.pem'));
    symlinkSync('nowhere', folder.file('dangling.pem'));
    expect(await found(folder.path)).toEqual({
      identities: [
        'client ec256 (nothing): a.crt keys.pem',
        'client b (nothing): b.pem b.pem',
        'client rsa (nothing): rsa.pfx rsa.pfx',
      ],
      problems: [
        'dangling.pem: ENOENT',
        'broken.p12: pfx-unreadable',
        'garbage.pem: nothing',
        'id_ed25519: damaged',
      ],
    });
  });

  test('with nothing in it gives nothing', async () => {
    expect(await found(folder.path)).toEqual({ identities: [], problems: [] });
  });

  test('named twice, and by its files, gives each identity once', async () => {
    const file = folder.write({ 'me.pem': both });
    expect((await found(folder.path, file, folder.path)).identities).toHaveLength(1);
  });
});

describe('the chain', () => {
  test('is put in order, without the root, from one file', async () => {
    const chain = [deepClient.key, clientCaA.cert, intermediateA.cert, deepClient.cert];
    const file = folder.write({ 'me.pem': [...chain, intermediateA2.cert].join('') });
    const { identities } = await findIdentities([file]);
    expect(one(identities).certificate?.raw).toEqual(pemToDer(deepClient.cert));
    expect(one(identities).chain.map(({ subject }) => commonName(subject))).toEqual([
      'Client Intermediate A2',
      'Client Intermediate A',
    ]);
  });

  test('is made of what lies beside, as far as that reaches', async () => {
    const files = { 'me.pem': deepClient.cert + deepClient.key, 'a2.pem': intermediateA2.cert };
    const { identities } = await findIdentities([folder.write(files)]);
    expect(one(identities).chain.map(({ subject }) => commonName(subject))).toEqual([
      'Client Intermediate A2',
    ]);
  });
});

function pemToDer(pem: string): Buffer {
  return Buffer.from(pem.replace(/-----.*-----|\s/g, ''), 'base64');
}

test.each([
  ['/', ['-addext', 'subjectAltName=critical,email:a@example'], 'email:a@example', ''],
  ['/', [], '(no name)', ''],
  ['/C=DE/O=X+CN=several/serialNumber=5', [], 'several', 'serialNumber=5,CN=several+O=X,C=DE'],
  [
    '/O=Example/CN=first/CN=second/emailAddress=a@b',
    [],
    'second',
    'emailAddress=a@b,CN=second,CN=first,O=Example',
  ],
])('a certificate for %j is called %s %s', async (subject, args, holder, full) => {
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'];
  const key = folder.file('me.key');
  const cert = execFileSync('openssl', [...made, '-keyout', key, '-subj', subject, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { identities } = await findIdentities([folder.write({ 'me.pem': cert })]);
  const identity = one(identities);
  expect(holderOf(identity.certificate as X509Certificate)).toBe(holder);
  expect(identityRecord(identity).certificate).toMatchObject({ subject: full, issuer: full });
  expect(plainText(subjectCell(identity))).toContain(holder);
  expect(identity.preview()?.subject).toBe(full);
});

test('whatever bytes a file holds, they give identities or problems, and no fault', async () => {
  const pieces = fc.array(
    fc.oneof(
      fc
        .constantFrom(ec256.cert, ec256.key, clientB.cert, encodings.encryptedPkcs8Pem)
        .map(Buffer.from),
      fc
        .constantFrom('-----BEGIN CERTIFICATE-----', '-----END PRIVATE KEY-----\n')
        .map(Buffer.from),
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
      fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from([0x30, ...bytes])),
      fc.nat(300).map((length) => encodings.pfx.subarray(0, length)),
    ),
    { maxLength: 5 },
  );
  await fc.assert(
    fc.asyncProperty(pieces, async (parts) => {
      const file = folder.write({ 'me.pem': Buffer.concat(parts) });
      const { identities, problems } = await findIdentities([file]);
      expect(identities.length + problems.length).toBeGreaterThan(0);
      for (const identity of identities) identity.preview();
      for (const { error } of problems) expect(error.reason).toMatch(/^[a-z-]+$/);
    }),
    { numRuns: 80 },
  );
});
