/** Signers that declare what they can do: it is what they are asked for, or an error says why not. */
import {
  type ConnectionOptions,
  Credential,
  createSecureContext,
  type SignatureScheme,
} from '../../lib/index';
import {
  type AnyError,
  credentialOf,
  dial,
  expectIdentity,
  expectNothingRevealed,
  failure,
  hangUp,
  type Protocol,
  secured,
  withSServer,
} from '../support/client';
import { type Identity, loadPki } from '../support/pki';
import { expectPrinted } from '../support/printed-scheme';
import type { SServerOptions } from '../support/s-server';
import { lateSigner, signedBy, signerOf } from '../support/signers';

const pki = loadPki();
const { rsa, ec256, ec384 } = pki.clients;
const PKCS1: SignatureScheme[] = ['rsa_pkcs1_sha256', 'rsa_pkcs1_sha384', 'rsa_pkcs1_sha512'];
const PSS: SignatureScheme[] = [
  'rsa_pss_rsae_sha256',
  'rsa_pss_rsae_sha384',
  'rsa_pss_rsae_sha512',
];
const offering = (schemes: string) => ['-client_sigalgs', schemes];
const required = { requestCert: 'required', clientCa: pki.clientCasPath } as const;
const UNUSABLE = 'ERR_CREDENTIAL_UNUSABLE';

type Source = 'from the callback' | 'set in advance';
const SOURCES: Source[] = ['from the callback', 'set in advance'];

/** Has the server see this identity, by a signer that declares these, under one of them. */
async function expectSigned(
  server: Partial<SServerOptions>,
  identity: Identity,
  schemes: readonly SignatureScheme[],
  source: Source,
  scheme: SignatureScheme,
  more: ConnectionOptions = {},
): Promise<void> {
  await withSServer({ ...required, ...server }, async (running) => {
    const key = lateSigner(identity, 5, schemes);
    const answer = signedBy(identity, key);
    const options = source === 'set in advance' ? answer : { clientCertCallback: () => answer };
    const socket = await secured(dial(running, { ...options, ...more }));
    await expectIdentity(running, identity);
    expect(key.asked.map((asked) => asked.scheme)).toEqual([scheme]);
    expect(socket.clientAuth).toMatchObject({ status: 'sent', signatureScheme: scheme });
    await expectPrinted(running, scheme);
    await hangUp(socket);
  });
}

/** That it is refused, as `supports()` says beforehand where there is a callback; nobody signs. */
async function refusalOf(
  server: Partial<SServerOptions>,
  identity: Identity,
  schemes: readonly SignatureScheme[],
  source: Source,
  more: ConnectionOptions = {},
): Promise<{ error: AnyError; foretold: unknown }> {
  let seen: { error: AnyError; foretold: unknown } | undefined;
  await withSServer(server, async (running) => {
    const key = signerOf(identity, schemes);
    const credential = new Credential(signedBy(identity, key));
    let foretold: unknown;
    const socket = dial(running, {
      ...(source === 'set in advance'
        ? signedBy(identity, key)
        : {
            clientCertCallback: (request) => {
              foretold = request.supports(credential);
              return credential;
            },
          }),
      ...more,
    });
    const error = await failure(socket);
    expect(error.code).toBe(UNUSABLE);
    expect(error.message).toContain(identity.subject);
    expect(socket.clientAuth).toMatchObject({ status: 'failed', sent: false, error });
    expect(key.asked).toEqual([]);
    await expectNothingRevealed(running);
    seen = { error, foretold };
  });
  return seen as NonNullable<typeof seen>;
}

describe('RSA by PKCS#1 v1.5 only', () => {
  test('from the callback on TLS 1.3: told, as request.supports() had, and what would help', async () => {
    const { error, foretold } = await refusalOf({}, rsa, PKCS1, 'from the callback');
    expect(error.reason).toBe('no-common-scheme');
    expect(error.message).toContain("maxVersion: 'TLSv1.2'");
    expect(error.message).toContain('rsa_pkcs1_sha256');
    expect((foretold as Error).message).toBe(error.message);
  });

  test.each(SOURCES)('%s, with that maxVersion, it signs', async (source) => {
    const more = { maxVersion: 'TLSv1.2' } as const;
    // s_server prefers RSA-PSS.
    await expectSigned({}, rsa, PKCS1, source, 'rsa_pkcs1_sha256', more);
  });

  test('set in advance, it has the connection speak TLS 1.2', async () => {
    await withSServer(required, async (server) => {
      const key = signerOf(rsa, PKCS1);
      const socket = await secured(dial(server, { cert: rsa.cert, key }));
      expect(socket.getProtocol()).toBe('TLSv1.2');
      await expectIdentity(server, rsa);
      expect(key.asked[0]?.scheme).toBe('rsa_pkcs1_sha256');
      await hangUp(socket);
    });
  });

  test('set in advance, with a server that speaks TLS 1.3 alone: an error says why not', async () => {
    await withSServer({ protocol: 'TLSv1.3', requestCert: 'no' }, async (server) => {
      const key = signerOf(rsa, PKCS1);
      const error = await failure(dial(server, { cert: rsa.cert, key }));
      expect(error.alert).toBe('protocol_version');
      expect(error.message).toContain('TLS 1.3 was not offered, because no signer');
      // Whoever chose the version has nothing to learn of signers.
      const other = await failure(dial(server, { cert: rsa.cert, key, maxVersion: 'TLSv1.2' }));
      expect(other.alert).toBe('protocol_version');
      expect(other.message).not.toContain('signer');
    });
  });

  test.each([
    { maxVersion: 'TLSv1.3' },
    { minVersion: 'TLSv1.3' },
    { ciphers: 'TLS_AES_128_GCM_SHA256' },
  ] as const)(
    'set in advance with %p: an error when it is asked, and none when it is not',
    async (more) => {
      const { error } = await refusalOf({}, rsa, PKCS1, 'set in advance', more);
      expect(error.reason).toBe('no-common-scheme');
      expect(error.message).toContain("maxVersion: 'TLSv1.2'");
      await withSServer({ requestCert: 'no' }, async (server) => {
        const key = signerOf(rsa, PKCS1);
        const socket = await secured(dial(server, { cert: rsa.cert, key, ...more }));
        expect(socket.getProtocol()).toBe('TLSv1.3');
        await hangUp(socket);
      });
    },
  );

  test('a minVersion of TLS 1.2 is no obstacle', async () => {
    const more = { minVersion: 'TLSv1.2' } as const;
    await expectSigned({}, rsa, PKCS1, 'set in advance', 'rsa_pkcs1_sha256', more);
  });

  test.each<[string, () => ConnectionOptions]>([
    [
      'a key in memory',
      () => ({ cert: [rsa.cert, ec256.cert], key: [signerOf(rsa, PKCS1), ec256.key] }),
    ],
    [
      'a signer that declares nothing',
      () => ({ cert: [rsa.cert, ec256.cert], key: [signerOf(rsa, PKCS1), signerOf(ec256)] }),
    ],
    [
      'a signer that declares more',
      () => ({
        cert: [rsa.cert, ec256.cert],
        key: [signerOf(rsa, PKCS1), signerOf(ec256, ['ecdsa_secp256r1_sha256'])],
      }),
    ],
  ])('beside %s it stays TLS 1.3, and that is sent', async (_what, options) => {
    await withSServer(required, async (server) => {
      const socket = await secured(dial(server, options()));
      expect(socket.getProtocol()).toBe('TLSv1.3');
      await expectIdentity(server, ec256);
      await hangUp(socket);
    });
  });

  test('beside another of its kind it is TLS 1.2, and the first is sent', async () => {
    await withSServer(required, async (server) => {
      const other = pki.otherRsaClient;
      const socket = await secured(
        dial(server, {
          cert: [rsa.cert, other.cert],
          key: [signerOf(rsa, PKCS1), signerOf(other, PKCS1)],
        }),
      );
      expect(socket.getProtocol()).toBe('TLSv1.2');
      await expectIdentity(server, rsa);
      await hangUp(socket);
    });
  });
});

describe('RSA by RSA-PSS only, TLS 1.2', () => {
  const prefersPkcs1 = {
    protocol: 'TLSv1.2',
    args: offering('RSA+SHA256:RSA-PSS+SHA256'),
  } as const;

  test('set in advance, OpenSSL is told, and passes over what the server prefers', async () => {
    await expectSigned(prefersPkcs1, rsa, PSS, 'set in advance', 'rsa_pss_rsae_sha256');
  });

  test('from the callback, it cannot be told: an error says which scheme, and what helps', async () => {
    const { error, foretold } = await refusalOf(prefersPkcs1, rsa, PSS, 'from the callback');
    expect(error.reason).toBe('scheme-not-declared');
    expect((foretold as Error).message).toBe(error.message);
    for (const words of ['rsa_pkcs1_sha256', 'in advance', 'sigalgs']) {
      expect(error.message).toContain(words);
    }
  });

  test('from the callback, with sigalgs that leave the other out, it signs', async () => {
    const more = { sigalgs: 'rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256' };
    await expectSigned(prefersPkcs1, rsa, PSS, 'from the callback', 'rsa_pss_rsae_sha256', more);
  });

  test.each(SOURCES)('%s, a server that takes PKCS#1 alone: an error', async (source) => {
    const server = { protocol: 'TLSv1.2', args: offering('RSA+SHA256') } as const;
    const { error, foretold } = await refusalOf(server, rsa, PSS, source);
    expect(error.reason).toBe('no-common-scheme');
    expect(error.message).toContain('a signer that can do more');
    expect(error.message).not.toContain('maxVersion');
    if (source === 'from the callback') expect((foretold as Error).message).toBe(error.message);
  });
});

describe.each(SOURCES)('%s', (source) => {
  test.each<[string, Protocol, Identity, string, SignatureScheme[], SignatureScheme]>([
    [
      'the one hash it declares',
      'TLSv1.3',
      rsa,
      'rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512',
      ['rsa_pss_rsae_sha384'],
      'rsa_pss_rsae_sha384',
    ],
    [
      'the one hash it declares',
      'TLSv1.2',
      rsa,
      'RSA+SHA256:RSA+SHA384',
      ['rsa_pkcs1_sha384'],
      'rsa_pkcs1_sha384',
    ],
    [
      'the one hash it declares',
      'TLSv1.2',
      ec256,
      'ECDSA+SHA256:ECDSA+SHA384',
      ['ecdsa_secp384r1_sha384'],
      'ecdsa_secp384r1_sha384',
    ],
    [
      'what suits TLS 1.3, of a mixed list',
      'TLSv1.3',
      rsa,
      'RSA+SHA256:RSA-PSS+SHA256',
      [...PKCS1, 'rsa_pss_rsae_sha256'],
      'rsa_pss_rsae_sha256',
    ],
    [
      'what the server prefers, not what is first in its list',
      'TLSv1.2',
      rsa,
      'RSA+SHA512:RSA+SHA256',
      ['rsa_pkcs1_sha256', 'rsa_pkcs1_sha512'],
      'rsa_pkcs1_sha512',
    ],
    [
      'what its key can do, of schemes for others',
      'TLSv1.3',
      ec384,
      'ECDSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA256',
      ['rsa_pss_rsae_sha256', 'ecdsa_secp256r1_sha256', 'ecdsa_secp384r1_sha384'],
      'ecdsa_secp384r1_sha384',
    ],
  ])('it signs under %s (%s)', async (_what, protocol, identity, offers, declared, scheme) => {
    const server = { protocol, args: offering(offers) };
    await expectSigned(server, identity, declared, source, scheme);
  });

  test("TLS 1.3: a scheme for another curve than the key's is no use", async () => {
    const { error } = await refusalOf({}, ec384, ['ecdsa_secp256r1_sha256'], source);
    expect(error.reason).toBe('no-common-scheme');
    expect(error.message).toContain('declares ecdsa_secp256r1_sha256, and none of these');
  });

  test('sigalgs and what is declared have to meet', async () => {
    const more = { sigalgs: 'rsa_pss_rsae_sha512:ecdsa_secp256r1_sha256' };
    const both: SignatureScheme[] = ['rsa_pss_rsae_sha256', 'rsa_pss_rsae_sha512'];
    await expectSigned({}, rsa, both, source, 'rsa_pss_rsae_sha512', more);
    const { error } = await refusalOf({}, rsa, ['rsa_pss_rsae_sha256'], source, more);
    expect(error.reason).toBe('no-common-scheme');
    expect(error.message).toContain('sigalgs');
  });

  test('a list that changes after it was declared changes nothing', async () => {
    await withSServer({ ...required, args: offering('RSA-PSS+SHA256') }, async (server) => {
      const schemes: SignatureScheme[] = ['rsa_pss_rsae_sha256'];
      const key = { ...signerOf(rsa), schemes };
      const credential = new Credential(signedBy(rsa, key));
      const secureContext = createSecureContext({
        ca: pki.serverCa.cert,
        ...(source === 'set in advance' && signedBy(rsa, key)),
      });
      schemes[0] = 'rsa_pss_rsae_sha512';
      schemes.push('ed25519');
      const clientCertCallback = () => credential;
      const socket = await secured(
        dial(server, {
          secureContext,
          ...(source === 'from the callback' && { clientCertCallback }),
        }),
      );
      await expectIdentity(server, rsa);
      await hangUp(socket);
    });
  });
});

describe('TLS 1.1', () => {
  const old = {
    args: ['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'],
  } as const;
  const client = { minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' } as const;

  test.each(SOURCES)('a signer %s is of no use, and the error says so', async (source) => {
    await withSServer(old, async (server) => {
      const key = signerOf(rsa);
      const answer = signedBy(rsa, key);
      const options = source === 'set in advance' ? answer : { clientCertCallback: () => answer };
      const socket = dial(server, { ...client, ...options });
      const error = await failure(socket);
      expect(error).toMatchObject({ code: UNUSABLE, reason: 'no-common-scheme' });
      expect(error.message).toMatch(/TLS 1\.2 and 1\.3; this server speaks TLSv1\.1/);
      expect(error.message).toContain("minVersion: 'TLSv1.2'");
      expect(key.asked).toEqual([]);
      await expectNothingRevealed(server);
    });
  });

  test('a key in memory is of use', async () => {
    await withSServer(old, async (server) => {
      const answer = credentialOf(rsa);
      const socket = await secured(dial(server, { ...client, clientCertCallback: () => answer }));
      expect(socket.getProtocol()).toBe('TLSv1.1');
      await expectIdentity(server, rsa);
      await hangUp(socket);
    });
  });
});
