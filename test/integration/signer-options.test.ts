/** Signers in the options: alone and in lists, beside keys in memory, in every shape. */
import { createPrivateKey } from 'node:crypto';
import { inspect } from 'node:util';
import {
  Credential,
  createSecureContext,
  type SecureContextOptions,
  type SignatureScheme,
  type SignContext,
} from '../../lib/index';
import {
  credentialOf,
  dial,
  expectIdentity,
  failure,
  hangUp,
  pemsOf,
  secured,
  withSServer,
} from '../support/client';
import { type Identity, loadPki } from '../support/pki';
import { lateSigner, signedBy, signerOf, signWith } from '../support/signers';

const pki = loadPki();
const { rsa, ec256, ec384 } = pki.clients;
const required = { requestCert: 'required', clientCa: pki.clientCasPath } as const;
const { passphrase, encryptedPkcs8Pem, pfx } = pki.encodings;

describe('lists', () => {
  type Case = [string, () => SecureContextOptions, Identity[]];
  const CASES: Case[] = [
    ['a signer alone, no list', () => ({ cert: rsa.cert, key: signerOf(rsa) }), [rsa]],
    ['a list of one', () => ({ cert: [rsa.cert], key: [signerOf(rsa)] }), [rsa]],
    [
      'signers only',
      () => ({ cert: [rsa.cert, ec256.cert], key: [signerOf(rsa), signerOf(ec256)] }),
      [rsa, ec256],
    ],
    [
      'a signer, then a key in memory',
      () => ({ cert: [rsa.cert, ec256.cert], key: [signerOf(rsa), ec256.key] }),
      [rsa, ec256],
    ],
    [
      'a key in memory, then a signer',
      () => ({ cert: [rsa.cert, ec256.cert], key: [rsa.key, signerOf(ec256)] }),
      [rsa, ec256],
    ],
    [
      'keys in memory in any order around a signer',
      () => ({
        cert: [rsa.cert, ec256.cert, ec384.cert],
        key: [ec384.key, signerOf(ec256), rsa.key],
      }),
      [rsa, ec256, ec384],
    ],
    [
      'more keys than certificates, behind a signer',
      () => ({ cert: [rsa.cert, ec256.cert], key: [signerOf(rsa), ec384.key, ec256.key] }),
      [rsa, ec256],
    ],
    [
      '{ pem, passphrase } beside a signer',
      () => ({
        cert: [rsa.cert, ec256.cert],
        key: [signerOf(rsa), { pem: encryptedPkcs8Pem, passphrase }],
      }),
      [rsa, ec256],
    ],
    [
      'a common passphrase beside a signer',
      () => ({ cert: [rsa.cert, ec256.cert], key: [signerOf(rsa), encryptedPkcs8Pem], passphrase }),
      [rsa, ec256],
    ],
    [
      'a PFX beside a signer',
      () => ({ cert: rsa.cert, key: signerOf(rsa), pfx, passphrase }),
      [rsa, pki.deepClient],
    ],
  ];

  test.each(CASES)('%s', async (_what, options, identities) => {
    const context = createSecureContext(options());
    expect(pemsOf(context.credentials.map((it) => it.certificate))).toEqual(
      identities.map((it) => it.cert),
    );
    const shown = context.credentials.map((it) => inspect(it).includes('by a signer'));
    expect(shown.filter(Boolean).length).toBeGreaterThan(0);
    // Each of them works when it is the one that suits.
    const types = { rsa: 'RSA-PSS+SHA256', ec256: 'ecdsa_secp256r1_sha256' } as const;
    for (const [kind, schemes] of Object.entries(types)) {
      const identity = identities.find((it) => it.name === `client-${kind}`);
      if (identity === undefined) continue;
      await withSServer({ ...required, args: ['-client_sigalgs', schemes] }, async (server) => {
        const socket = await secured(dial(server, options()));
        await expectIdentity(server, identity);
        await hangUp(socket);
      });
    }
  });

  test.each<[string, () => SecureContextOptions, object, RegExp]>([
    [
      'a signer with no certificate at its place',
      () => ({ cert: [rsa.cert], key: [rsa.key, signerOf(ec256)] }),
      { code: 'ERR_INVALID_ARG_VALUE' },
      /options\.key\[1\].*signer without a certificate at its place/,
    ],
    [
      'a signer, and no certificate at all',
      () => ({ key: signerOf(rsa) }),
      { code: 'ERR_INVALID_ARG_VALUE' },
      /options\.cert.*is missing/,
    ],
    [
      'a certificate for which only a signer is left that is not its own',
      () => ({ cert: [rsa.cert, ec256.cert], key: [signerOf(rsa)] }),
      { code: 'ERR_CREDENTIAL_MISMATCH' },
      /options\.cert\[1\]/,
    ],
    [
      'a key in memory that belongs to none',
      () => ({ cert: [rsa.cert, ec256.cert], key: [signerOf(rsa), ec384.key] }),
      { code: 'ERR_CREDENTIAL_MISMATCH', input: 'options.key[1]' },
      /options\.cert\[1\]/,
    ],
    [
      'an unreadable key behind a signer',
      () => ({ cert: [rsa.cert, ec256.cert], key: [signerOf(rsa), 'none here'] }),
      { code: 'ERR_CREDENTIAL_INVALID', input: 'options.key[1]' },
      /private key/,
    ],
    [
      'an unreadable certificate of a signer',
      () => ({ cert: [rsa.cert, 'none here'], key: [rsa.key, signerOf(ec256)] }),
      { code: 'ERR_CREDENTIAL_INVALID', input: 'options.cert[1]' },
      /certificate/,
    ],
    [
      'schemes that are none',
      () => ({
        cert: [rsa.cert, ec256.cert],
        key: [rsa.key, { ...signerOf(ec256), schemes: ['SHA256'] as never }],
      }),
      { code: 'ERR_INVALID_ARG_VALUE' },
      /options\.key\[1\]\.schemes\[0\].*"SHA256"/,
    ],
    [
      'what is neither key nor signer',
      () => ({ cert: rsa.cert, key: { schemes: [] } as never }),
      { code: 'ERR_INVALID_ARG_TYPE' },
      /options\.key\[0\]/,
    ],
  ])('told: %s', (_what, options, expected, says) => {
    for (const make of [() => createSecureContext(options()), () => dial({ port: 1 }, options())]) {
      let error: unknown;
      try {
        make();
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toMatchObject(expected);
      expect((error as Error).message).toMatch(says);
    }
  });
});

describe('what is a signer', () => {
  test('an instance of a class, and sign() finds itself', async () => {
    class Card {
      readonly schemes: readonly SignatureScheme[] = ['ecdsa_secp256r1_sha256'];
      readonly #key: string;
      readonly calls: unknown[][] = [];
      constructor(key: string) {
        this.#key = key;
      }
      sign(...args: [Uint8Array, SignatureScheme, SignContext]): Uint8Array {
        this.calls.push(args);
        return signWith(this.#key, args[0], args[1]);
      }
    }
    class BetterCard extends Card {}
    await withSServer(required, async (server) => {
      const card = new BetterCard(ec256.key);
      const socket = await secured(dial(server, { cert: ec256.cert, key: card }));
      await expectIdentity(server, ec256);
      expect(card.calls).toEqual([
        [expect.any(Uint8Array), 'ecdsa_secp256r1_sha256', expect.any(Object)],
      ]);
      const [data, , context] = card.calls[0] as [Uint8Array, string, SignContext];
      expect(data.length).toBeGreaterThan(60);
      expect(context.signal).toBeInstanceOf(AbortSignal);
      expect(context.signal).toBe(context.signal);
      await hangUp(socket);
    });
  });

  test('sign() may be exchanged later: it is looked up when it is called', async () => {
    await withSServer(required, async (server) => {
      const key = {
        sign(): Uint8Array {
          throw new Error('not yet');
        },
      };
      const credential = new Credential(signedBy(ec256, key));
      key.sign = signerOf(ec256).sign as never;
      const socket = await secured(dial(server, { clientCertCallback: () => credential }));
      await expectIdentity(server, ec256);
      await hangUp(socket);
    });
  });

  test('keys that know how to sign something else are keys', async () => {
    const bytes = Object.assign(Buffer.from(ec256.key), { sign: () => new Uint8Array(0) });
    const parsed = createPrivateKey(ec256.key);
    await withSServer(required, async (server) => {
      for (const [index, key] of [bytes, parsed].entries()) {
        const credential = new Credential({ cert: ec256.cert, key });
        expect(inspect(credential)).not.toContain('signer');
        const socket = await secured(dial(server, { clientCertCallback: () => credential }));
        await expectIdentity(server, ec256, index + 1);
        await hangUp(socket);
      }
    });
  });

  test('one signer in several credentials signs for each', async () => {
    await withSServer(required, async (server) => {
      // The same key under two certificates is an everyday thing at a renewal.
      const key = lateSigner(ec256);
      for (let nth = 1; nth <= 2; nth += 1) {
        const credential = new Credential(signedBy(ec256, key));
        const socket = await secured(dial(server, { clientCertCallback: () => credential }));
        await expectIdentity(server, ec256, nth);
        await hangUp(socket);
      }
      expect(key.asked).toHaveLength(2);
    });
  });

  test('one context, many connections', async () => {
    await withSServer(required, async (server) => {
      const key = lateSigner(ec256);
      const secureContext = createSecureContext({
        ca: pki.serverCa.cert,
        ...signedBy(ec256, key),
      });
      for (let nth = 1; nth <= 3; nth += 1) {
        const socket = await secured(dial(server, { secureContext }));
        await expectIdentity(server, ec256, nth);
        await hangUp(socket);
      }
      expect(key.asked).toHaveLength(3);
    });
  });

  test('the signer of another key is found out when it signs', async () => {
    await withSServer({}, async (server) => {
      const wrong = { cert: ec256.cert, key: signerOf(pki.otherEcClient) };
      const error = await failure(dial(server, { clientCertCallback: () => wrong }));
      expect(error.code).toBe('ERR_SIGNATURE_INVALID');
    });
  });

  test('the callback may change its mind between a signer and a key', async () => {
    await withSServer(required, async (server) => {
      const answers = [signedBy(ec256, lateSigner(ec256)), credentialOf(rsa)];
      const clientCertCallback = () => answers.shift();
      for (const [index, identity] of [ec256, rsa].entries()) {
        const socket = await secured(dial(server, { clientCertCallback }));
        await expectIdentity(server, identity, index + 1);
        await hangUp(socket);
      }
    });
  });
});
