/** What speaks for and against a credential, one by one; the request is made by hand. */
import { Credential } from '../../lib/index';
import {
  type CredentialSource,
  type Explanation,
  explain,
  firstMatch,
  type ReasonCode,
} from '../../lib/select';
import { credentialOf } from '../support/client';
import { Issuer } from '../support/issue';
import { type Identity, loadPki } from '../support/pki';
import { noEnd, reencoded } from '../support/reencoded';
import { type Asked, requestByHand } from '../support/request-by-hand';

const pki = loadPki();
const { ec256, rsa, ed25519 } = pki.clients;
const { clientB, deepClient } = pki;

const A = issuerOf(pki.clients.ec256);
const B = issuerOf(pki.clientB);

/** The issuer's name, in DER. */
function issuerOf(issued: Identity): Buffer {
  const [name] = Credential.nativeOf(new Credential(credentialOf(issued))).issuers();
  return name as Buffer;
}

const { signal } = new AbortController();
const credential = (identity: Identity) => new Credential(credentialOf(identity));
const codes = (explanations: readonly Explanation[]) =>
  explanations.map(({ reasons }) => reasons.map(({ code }) => code));
const choose = (options: CredentialSource, asked: Asked, now?: () => Date) =>
  firstMatch([options], { now })(requestByHand(asked), { signal });

let issuer: Issuer;
const made: Record<string, Identity> = {};

const EKU = 'extendedKeyUsage = ';
beforeAll(async () => {
  issuer = await Issuer.create();
  const orders: Record<string, Omit<Parameters<Issuer['issue']>[0], 'name' | 'issuer'>> = {
    expired: { to: '20210101000000Z' },
    future: { from: '20480101000000Z' },
    'for-servers': { extensions: [`${EKU}serverAuth`] },
    'for-both': { extensions: [`${EKU}serverAuth, clientAuth`] },
    'for-any': { extensions: [`${EKU}anyExtendedKeyUsage`] },
    'for-encryption': { extensions: ['keyUsage = keyEncipherment, keyAgreement'] },
    'for-signatures': { extensions: ['keyUsage = digitalSignature, keyEncipherment'] },
    'for-anything': {},
  };
  const all = Object.entries(orders).map(async ([name, order]) => {
    made[name] = await issuer.issue({ ...order, name, issuer: pki.clientCaA });
  });
  await Promise.all(all);
  const old = await issuer.issue({
    name: 'old-authority',
    issuer: pki.clientCaA,
    extensions: ['basicConstraints = critical, CA:TRUE'],
    to: '20210101000000Z',
  });
  const under = await issuer.issue({ name: 'under-the-old', issuer: old });
  made['under-the-old'] = { ...under, cert: under.cert + old.cert };
});
afterAll(() => issuer.remove());

const identity = (name: string) => {
  const found = made[name];
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
};

const TABLE: [string, () => Identity, Asked, ReasonCode[], RegExp][] = [
  ['the right authority', () => ec256, { authorities: [B, A] }, [], /suits/],
  ['no authority named', () => ec256, {}, [], /suits/],
  ['an authority above its chain', () => deepClient, { authorities: [A] }, [], /suits/],
  [
    'another authority',
    () => clientB,
    { authorities: [A] },
    ['wrong-authority'],
    /^It was issued by CN=Client CA B,O=.*; the server accepts CN=Client CA A,O=/,
  ],
  [
    'another authority than those of its chain',
    () => deepClient,
    { authorities: [B] },
    ['wrong-authority'],
    /^It was issued by CN=Client Intermediate A2,.*, that by CN=Client Intermediate A,.*, that by CN=Client CA A,/,
  ],
  [
    'many other authorities',
    () => ec256,
    { authorities: Array.from({ length: 9 }, () => B) },
    ['wrong-authority'],
    /and 4 more\.$/,
  ],
  ['a key of a type that is taken', () => rsa, { certificateTypes: [64, 1] }, [], /suits/],
  ['EdDSA, where ECDSA is taken', () => ed25519, { certificateTypes: [64] }, [], /suits/],
  [
    'RSA, where ECDSA is taken',
    () => rsa,
    { certificateTypes: [64] },
    ['certificate-type'],
    /^Its key is one for rsa_sign; the server takes ecdsa_sign\.$/,
  ],
  [
    'EC, where RSA is taken',
    () => ec256,
    { certificateTypes: [1, 2] },
    ['certificate-type'],
    /ecdsa_sign; the server takes rsa_sign; dss_sign\.$/,
  ],
  ...(
    [
      ['no-common-scheme', 'no-common-scheme'],
      ['certificate-scheme-refused', 'certificate-scheme-refused'],
      ['key-too-small', 'key-too-small'],
      ['signature-too-weak', 'signature-too-weak'],
      ['not-sent', 'unusable'],
      ['something new', 'unusable'],
    ] as const
  ).map(([why, code]): [string, () => Identity, Asked, ReasonCode[], RegExp] => [
    `what supports() calls ${why}`,
    () => ec256,
    { against: { 'client ec256': why } },
    [code],
    /^The client certificate CN=client ec256,.* would not be sent: /,
  ]),
  ['a certificate that says nothing', () => identity('for-anything'), {}, [], /suits/],
  ['digitalSignature among others', () => identity('for-signatures'), {}, [], /suits/],
  ['clientAuth among others', () => identity('for-both'), {}, [], /suits/],
  ['anyExtendedKeyUsage', () => identity('for-any'), {}, [], /suits/],
  [
    'no digitalSignature',
    () => identity('for-encryption'),
    {},
    ['key-usage'],
    /^Its key usage is keyEncipherment; keyAgreement, without digitalSignature\.$/,
  ],
  [
    'no clientAuth',
    () => identity('for-servers'),
    {},
    ['extended-key-usage'],
    /^Its extended key usage is 1\.3\.6\.1\.5\.5\.7\.3\.1, without clientAuth/,
  ],
  ['expired', () => identity('expired'), {}, ['expired'], /^It expired on Jan {2}1 .*2021 GMT\.$/],
  [
    'not valid yet',
    () => identity('future'),
    {},
    ['not-yet-valid'],
    /^It is not valid before Jan {2}1 .*2048 GMT\.$/,
  ],
  [
    'an end that is no date',
    () => ({ ...ec256, cert: reencoded(ec256.cert, 'validity', noEnd) }),
    {},
    ['validity-unreadable'],
    /^It is valid from ".* GMT" to "Bad time value", which are not both dates\.$/,
  ],
  [
    'an expired chain',
    () => identity('under-the-old'),
    {},
    ['expired'],
    /^Certificate 1 of its chain expired/,
  ],
  [
    'several at once',
    () => identity('expired'),
    { authorities: [B], certificateTypes: [1] },
    ['wrong-authority', 'certificate-type', 'expired'],
    /^It was issued by/,
  ],
];

test.each(TABLE)('%s', async (_what, of, asked, against, message) => {
  const options = credentialOf(of());
  const [explanation, ...more] = await explain(requestByHand(asked), [options]);
  const taken = against.length === 0;
  expect(more).toEqual([]);
  expect(explanation).toMatchObject({ subject: of().subject, taken });
  expect(codes([explanation as Explanation])).toEqual([taken ? ['first-match'] : against]);
  expect(explanation?.reasons[0]?.message).toMatch(message);
  const found = await choose(options, asked);
  expect(found === null).toBe(!taken);
});

test('by a clock of the caller', async () => {
  const at = (text: string) => ({ now: () => new Date(text) });
  const options = credentialOf(identity('expired'));
  const ask = async (text: string) =>
    codes(await explain(requestByHand(), [options], at(text))).flat()[0];
  expect(await ask('2019-12-31T23:59:59Z')).toBe('not-yet-valid');
  expect(await ask('2020-01-01T00:00:00Z')).toBe('first-match');
  expect(await ask('2021-01-01T00:00:00Z')).toBe('first-match');
  expect(await ask('2021-01-01T00:00:01Z')).toBe('expired');
  const clock = at('2020-06-01T00:00:00Z');
  expect(await choose(options, {}, clock.now)).toBeInstanceOf(Credential);
});

test('tells of all sources in order, and which firstMatch takes', async () => {
  const sources = [credential(clientB), async () => [credential(ec256), credentialOf(rsa)]];
  const explanations = await explain(requestByHand({ authorities: [A] }), sources);
  expect(explanations.map(({ subject, taken }) => [subject, taken])).toEqual([
    [clientB.subject, false],
    [ec256.subject, true],
    [rsa.subject, false],
  ]);
  expect(codes(explanations)).toEqual([['wrong-authority'], ['first-match'], ['later-match']]);
  expect(explanations[2]?.reasons[0]?.message).toContain(ec256.subject);
  expect(explanations[0]?.credential).toBe(sources[0]);
});

test('passes a signal on, and rejects with what a source throws', async () => {
  const controller = new AbortController();
  const heard: AbortSignal[] = [];
  const source: CredentialSource = (_request, { signal: given }) => {
    heard.push(given);
    throw new Error('no reader');
  };
  const told = explain(requestByHand(), [source], { signal: controller.signal });
  await expect(told).rejects.toThrow('no reader');
  expect(heard).toHaveLength(1);
  expect(heard[0]).toBe(controller.signal);
  await expect(explain(requestByHand(), 'all' as never)).rejects.toMatchObject({
    code: 'ERR_INVALID_ARG_TYPE',
  });
  await expect(explain(requestByHand(), [], { signal })).resolves.toEqual([]);
});

test('shows no key', async () => {
  const explanations = await explain(requestByHand(), [credentialOf(ec256)]);
  expect(JSON.stringify(explanations)).not.toContain('PRIVATE');
});
