/** Identities that want a passphrase, and what becomes of it. */
import { execFileSync } from 'node:child_process';
import { inspect } from 'node:util';
import { findIdentities, type Identity, type PassphraseRequest } from '../../lib/cli/identities';
import { type Contents, type Folder, makeFolder } from '../support/identity-files';
import { loadPki } from '../support/pki';

const pki = loadPki();
const { clients, clientB, clientCaA, deepClient, encodings } = pki;
const { ec256, rsa } = clients;
const { passphrase } = encodings;

let folder: Folder;

beforeEach(() => {
  folder = makeFolder();
});
afterEach(() => folder.remove());

function one(identities: readonly Identity[]): Identity {
  expect(identities).toHaveLength(1);
  return identities[0] as Identity;
}

describe('an encrypted key', () => {
  const { encryptedPkcs8Pem, encryptedPkcs8Der, encryptedTraditionalPem } = encodings;

  test.each<[string, Record<string, Contents>]>([
    ['in the same file', { 'me.pem': ec256.cert + encryptedPkcs8Pem }],
    ['in the traditional form', { 'me.pem': ec256.cert + encryptedTraditionalPem }],
    ['of the same name', { 'me.crt': ec256.cert, 'me.key': encryptedPkcs8Pem }],
    ['in DER', { 'me.crt': ec256.cert, 'me.p8': encryptedPkcs8Der }],
    ['that is just called key.pem', { 'me.crt': ec256.cert, 'key.pem': encryptedPkcs8Pem }],
  ])('%s is asked for when it is needed, and once', async (_, files) => {
    const requests: PassphraseRequest[] = [];
    const ask = (request: PassphraseRequest) => {
      requests.push(request);
      return passphrase;
    };
    const { identities, problems } = await findIdentities([folder.write(files)], {
      passphrase: ask,
    });
    const identity = one(identities);
    expect(problems).toEqual([]);
    expect(identity.needs).toBe('passphrase');
    expect(identity.preview()?.subject).toBe(ec256.subject);
    expect(requests).toEqual([]);
    const [first, second] = await Promise.all([identity.credential(), identity.credential()]);
    expect(first).toBe(second);
    expect(await identity.credential()).toBe(first);
    expect(first.subject).toBe(ec256.subject);
    expect(requests).toMatchObject([{ file: identity.keyWhere, kind: 'key', attempt: 1 }]);
  });

  test('is asked for three times, and then anew', async () => {
    const file = folder.write({ 'me.pem': ec256.cert + encryptedPkcs8Pem });
    const attempts: number[] = [];
    let answer: string | undefined = 'wrong';
    const ask = ({ attempt, attempts: most }: PassphraseRequest) => {
      attempts.push(attempt, most);
      return answer;
    };
    const { identities } = await findIdentities([file], { passphrase: ask });
    const wrong = { code: 'ERR_CREDENTIAL_PASSPHRASE', reason: 'wrong' };
    await expect(one(identities).credential()).rejects.toMatchObject(wrong);
    expect(attempts).toEqual([1, 3, 2, 3, 3, 3]);
    answer = undefined;
    await expect(one(identities).credential()).rejects.toMatchObject({ reason: 'cancelled' });
    answer = passphrase;
    expect((await one(identities).credential()).subject).toBe(ec256.subject);
  });

  test('whose only passphrase is wrong is not said to have got none', async () => {
    const file = folder.write({ 'me.pem': ec256.cert + encryptedPkcs8Pem });
    const ask = ({ attempt }: PassphraseRequest) => (attempt === 1 ? 'wrong' : undefined);
    const { identities } = await findIdentities([file], { passphrase: ask });
    await expect(one(identities).credential()).rejects.toMatchObject({ reason: 'wrong' });
  });

  test('that belongs to another certificate is told of once it is open', async () => {
    const file = folder.write({ 'me.pem': clientB.cert + encryptedPkcs8Pem });
    const { identities } = await findIdentities([file], { passphrase: () => passphrase });
    await expect(one(identities).credential()).rejects.toMatchObject({
      code: 'ERR_CREDENTIAL_MISMATCH',
    });
  });

  test('fails where nobody can be asked, and where nobody waits any more', async () => {
    const file = folder.write({ 'me.pem': ec256.cert + encryptedPkcs8Pem });
    const alone = one((await findIdentities([file])).identities);
    await expect(alone.credential()).rejects.toMatchObject({ reason: 'missing' });
    const never = () => new Promise<string>(() => {});
    const asked = one((await findIdentities([file], { passphrase: never })).identities);
    const gone = new Error('gone');
    await expect(asked.credential({ signal: AbortSignal.abort(gone) })).rejects.toBe(gone);
  });

  test('does not make an identity of an authority beside it', async () => {
    folder.write({ 'ca.pem': clientCaA.cert, 'me.crt': ec256.cert, 'key.pem': encryptedPkcs8Pem });
    const { identities } = await findIdentities([folder.path]);
    expect(one(identities)).toMatchObject({
      where: folder.file('me.crt'),
      keyWhere: folder.file('key.pem'),
    });
  });
});

describe('a PFX', () => {
  test('with a passphrase shows what is in it once that is known', async () => {
    const file = folder.write({ 'me.p12': encodings.pfx });
    const answers = ['wrong', passphrase];
    const ask = () => answers.shift();
    const { identities } = await findIdentities([file], { passphrase: ask });
    const identity = one(identities);
    expect(identity).toMatchObject({ certificate: undefined, chain: [], needs: 'passphrase' });
    expect(identity.preview()).toBeUndefined();
    await identity.credential();
    expect(identity.preview()?.subject).toBe(deepClient.subject);
    expect(identity).toMatchObject({ needs: 'nothing', label: 'me.p12' });
    expect(identity.chain).toHaveLength(2);
  });

  test('without one is open at once', async () => {
    const file = folder.write({ 'me.p12': encodings.pfxWithoutPassphrase });
    const { identities } = await findIdentities([file]);
    expect(one(identities).preview()?.subject).toBe(rsa.subject);
    expect((await one(identities).credential()).subject).toBe(rsa.subject);
  });

  test('of old Windows is told of as one, once it is open', async () => {
    const files = ['-inkey', ec256.keyPath, '-in', ec256.certPath];
    const args = ['pkcs12', '-export', '-legacy', ...files, '-passout', `pass:${passphrase}`];
    const file = folder.write({ 'me.p12': execFileSync('openssl', args) });
    const { identities } = await findIdentities([file], { passphrase: () => passphrase });
    await expect(one(identities).credential()).rejects.toMatchObject({
      code: 'ERR_CREDENTIAL_INVALID',
      reason: 'pfx-unsupported',
      message: expect.stringContaining('openssl pkcs12 -legacy'),
    });
  });

  test('gives up when the passphrase is wrong', async () => {
    const file = folder.write({ 'me.p12': encodings.pfx });
    const { identities } = await findIdentities([file], { passphrase: () => 'wrong' });
    await expect(one(identities).credential()).rejects.toMatchObject({ reason: 'wrong' });
  });
});

test('nothing secret is in what is found or in what is wrong', async () => {
  folder.write({
    'a.pem': ec256.cert + ec256.key,
    'b.pem': ec256.cert + encodings.encryptedPkcs8Pem,
    'c.pem': ec256.cert + clientB.key,
    'd.pem': rsa.key.replace('MII', 'AAA'),
  });
  const { identities, problems } = await findIdentities([folder.path], {
    passphrase: () => 'hush',
  });
  for (const identity of identities) await identity.credential().catch(() => {});
  const shown = inspect([identities, problems], { depth: 10, showHidden: true });
  const secrets = [ec256, clientB, rsa].flatMap(({ key }) => key.split('\n').slice(1, 3));
  for (const secret of [...secrets, 'hush']) expect(shown).not.toContain(secret);
});
