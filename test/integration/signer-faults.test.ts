/** A signer that fails, or gives no signature, or a wrong one: an error says so, and nothing leaves. */
import { constants, createHash, sign } from 'node:crypto';
import { inspect } from 'node:util';
import { Credential, type SignatureScheme } from '../../lib/index';
import {
  dial,
  expectNothingRevealed,
  failure,
  later,
  PROTOCOLS,
  withSServer,
} from '../support/client';
import { type ClientKind, loadPki } from '../support/pki';
import { type Asked, signedBy, signer, signWith } from '../support/signers';

const pki = loadPki();
const { ec256 } = pki.clients;
const cause = new Error('the card was pulled');

const throwing = (thrown: unknown) => () => {
  throw thrown;
};
const thenable = (then: () => unknown) => Object.defineProperty({}, 'then', { get: then });

/** What a signer does wrong, what the error's cause is, and what its message says. */
const FAULTS: [string, (asked: Asked) => unknown, unknown, RegExp][] = [
  ['throws', throwing(cause), cause, /threw an error: the card was pulled$/],
  ['throws null', throwing(null), null, /threw what is no Error: null$/],
  ['throws a string', throwing('secret'), 'secret', /threw what is no Error: /],
  [
    'rejects at once',
    () => Promise.reject(cause),
    cause,
    /promise that was rejected with an error: the card was pulled$/,
  ],
  [
    'rejects late',
    () => later(null).then(throwing(cause)),
    cause,
    /promise that was rejected with an error: the card was pulled$/,
  ],
  ['rejects with 7', () => Promise.reject(7), 7, /rejected with what is no Error: /],
  ['returns what has a then that throws', () => thenable(throwing(cause)), cause, /the card/],
  [
    'returns what has a then that throws the second time',
    () => {
      let looked = 0;
      return thenable(() => {
        if (looked++ > 0) throw cause;
        return () => {};
      });
    },
    cause,
    /the card/,
  ],
  ['returns a thenable that throws', () => thenable(() => throwing(cause)), cause, /the card/],
];

/** What is no Uint8Array. */
const NO_BYTES: [string, unknown][] = [
  ['undefined', undefined],
  ['null', null],
  ['a string', 'secret'],
  ['a number', 42],
  ['an ArrayBuffer', new ArrayBuffer(64)],
  ['a DataView', new DataView(new ArrayBuffer(64))],
  ['an Int8Array', new Int8Array(64)],
  ['an array', [1, 2, 3]],
  ['an object that says it is one', Object.create(Uint8Array.prototype)],
  ['a function', () => new Uint8Array(64)],
];

describe.each(PROTOCOLS)('%s', (protocol) => {
  describe.each(['from the callback', 'set in advance'])('a signer %s', (source) => {
    /** How a connection ends whose signer does this; nothing has reached the server then. */
    async function fail(how: (asked: Asked) => unknown) {
      let seen: { error: Awaited<ReturnType<typeof failure>>; signal: AbortSignal } | undefined;
      await withSServer({ protocol }, async (server) => {
        const key = signer(how as never);
        const answer = signedBy(ec256, key);
        const socket = dial(
          server,
          source === 'set in advance' ? answer : { clientCertCallback: () => answer },
        );
        const error = await failure(socket);
        expect(socket.clientAuth).toMatchObject({ status: 'failed', sent: false, error });
        await expectNothingRevealed(server);
        expect(key.asked).toHaveLength(1);
        const { signal } = key.asked[0] as Asked;
        seen = { error, signal };
      });
      return seen as NonNullable<typeof seen>;
    }

    test.each(FAULTS)('that %s', async (_what, how, expected, says) => {
      const { error, signal } = await fail(how);
      expect(error.code).toBe('ERR_SIGNER_FAILED');
      expect(error.cause).toBe(expected);
      expect(error.message).toMatch(says);
      expect(error.message).toContain(ec256.subject);
      expect(error.message).not.toContain('secret');
      expect(signal.reason).toBe(error);
    });

    test.each(NO_BYTES)('that gives %s', async (_what, value) => {
      for (const how of [() => value, () => later(value)]) {
        const { error, signal } = await fail(how);
        expect(error.code).toBe('ERR_SIGNER_FAILED');
        expect(error.message).toMatch(/in place of a signature.* must return a Uint8Array/);
        expect(error.message).not.toContain('secret');
        expect(error.cause).toBeUndefined();
        expect(signal.reason).toBe(error);
      }
    });
  });

  /** What `identity`'s signer gives in place of a signature, and how that ends. */
  async function giveWrong(kind: ClientKind, wrong: (asked: Asked) => Uint8Array) {
    let seen: { error: Awaited<ReturnType<typeof failure>>; asked: Asked } | undefined;
    await withSServer({ protocol }, async (server) => {
      const identity = pki.clients[kind];
      const key = signer((asked) => later(wrong(asked)));
      const socket = dial(server, { clientCertCallback: () => signedBy(identity, key) });
      const error = await failure(socket);
      expect(socket.clientAuth).toMatchObject({ status: 'failed', sent: false, error });
      await expectNothingRevealed(server);
      expect(key.asked).toHaveLength(1);
      seen = { error, asked: key.asked[0] as Asked };
    });
    return seen as NonNullable<typeof seen>;
  }

  const good = (kind: ClientKind, { data, scheme }: Asked) =>
    signWith(pki.clients[kind].key, data, scheme);
  const otherKey = {
    rsa: pki.otherRsaClient.key,
    ec256: pki.otherEcClient.key,
  } as const;

  type Wrong = [string, ClientKind, (asked: Asked) => Uint8Array];
  const WRONG: Wrong[] = [
    ...(['rsa', 'rsa-pss', 'ec256', 'ec521', 'ed25519', 'ed448'] as const).flatMap(
      (kind): Wrong[] => [
        [
          'that of other data',
          kind,
          ({ data, scheme }) => signWith(pki.clients[kind].key, data.subarray(1), scheme),
        ],
        ['the right one and a byte', kind, (it) => Buffer.concat([good(kind, it), Buffer.of(0)])],
        ['the right one less a byte', kind, (it) => good(kind, it).subarray(0, -1)],
        ['nothing', kind, () => new Uint8Array(0)],
        ['a megabyte', kind, () => new Uint8Array(1024 * 1024)],
      ],
    ),
    ...(['rsa', 'ec256'] as const).map(
      (kind): Wrong => [
        "another key's",
        kind,
        ({ data, scheme }) => signWith(otherKey[kind], data, scheme),
      ],
    ),
    [
      'that of a hash of the data',
      'ec256',
      ({ data, scheme }) => signWith(ec256.key, createHash('sha256').update(data).digest(), scheme),
    ],
    ...(['rsa', 'rsa-pss'] as const).map(
      (kind): Wrong => [
        'one with another length of salt',
        kind,
        ({ data }) =>
          sign('sha256', data, {
            key: pki.clients[kind].key,
            padding: constants.RSA_PKCS1_PSS_PADDING,
            saltLength: constants.RSA_PSS_SALTLEN_MAX_SIGN,
          }),
      ],
    ),
    [
      'one under another hash',
      'rsa',
      ({ data, scheme }) =>
        signWith(pki.clients.rsa.key, data, scheme.replace('256', '512') as SignatureScheme),
    ],
    [
      'one with the other padding',
      'rsa',
      ({ data, scheme }) =>
        signWith(
          pki.clients.rsa.key,
          data,
          scheme.startsWith('rsa_pss') ? 'rsa_pkcs1_sha256' : 'rsa_pss_rsae_sha256',
        ),
    ],
  ];

  test.each(WRONG)('a wrong signature: %s (%s)', async (what, kind, wrong) => {
    const { error, asked } = await giveWrong(kind, wrong);
    expect(error).toMatchObject({ code: 'ERR_SIGNATURE_INVALID', reason: 'signature-wrong' });
    expect(error.message).toContain(pki.clients[kind].subject);
    expect(error.message).toContain(asked.scheme);
    // And what is wrong with it, of which test/unit/wrong-signature.test.ts has more.
    expect(error.message).toMatch(/Nothing was sent\. [A-Z]/);
    if (what === 'that of a hash of the data') expect(error.message).toContain('hash of the hash');
    if (what === 'nothing') expect(error.message).toContain('It is empty');
    // It gave what it was asked for: no one is kept waiting by then.
    expect(asked.signal.aborted).toBe(false);
  });

  test('a wrong signature: r and s as they are, as WebCrypto and PKCS#11 have them', async () => {
    const { error } = await giveWrong('ec256', ({ data }) =>
      sign('sha256', data, { key: ec256.key, dsaEncoding: 'ieee-p1363' }),
    );
    expect(error.code).toBe('ERR_SIGNATURE_INVALID');
    expect(error.message).toContain('encodeEcdsaSignature()');
  });

  test('what it does with the data, and with its signature afterwards, changes nothing', async () => {
    await withSServer({ protocol, requestCert: 'required' }, async (server) => {
      const key = signer(({ data, scheme }) => {
        const signature = signWith(ec256.key, data, scheme);
        data.fill(0);
        process.nextTick(() => process.nextTick(() => signature.fill(0)));
        return signature;
      });
      const socket = dial(server, { clientCertCallback: () => signedBy(ec256, key) });
      await server.sawClient();
      expect(socket.clientAuth.status).toBe('sent');
      socket.destroy();
    });
  });
});

test('nothing of the signer is shown by its credential, or by the error', async () => {
  class Card {
    readonly pin = 'secret pin';
    readonly #handle = { value: 'secret handle' };
    sign(): never {
      throw new Error(`no card at ${this.#handle.value.length}`);
    }
  }
  const credential = new Credential({ cert: ec256.cert, key: new Card() });
  const shown = [inspect(credential, { depth: 9, showHidden: true }), JSON.stringify(credential)];
  expect(shown[0]).toBe(`Credential <${ec256.subject}, ec by a signer, 0 intermediate(s)>`);
  await withSServer({}, async (server) => {
    const socket = dial(server, { clientCertCallback: () => credential });
    const error = await failure(socket);
    shown.push(inspect(error, { depth: 9 }), inspect(socket.clientAuth, { depth: 9 }));
  });
  expect(shown.join()).not.toContain('secret');
});
