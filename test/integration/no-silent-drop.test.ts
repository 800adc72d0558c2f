/** Where OpenSSL would quietly send an empty Certificate, the connection fails and says why. */
import { type ConnectionOptions, Credential, type TLSClientCertError } from '../../lib/index';
import {
  credentialOf,
  dial,
  expectIdentity,
  expectNothingRevealed,
  failure,
  hangUp,
  later,
  PROTOCOLS,
  secured,
  withSServer,
} from '../support/client';
import { type Identity, loadPki } from '../support/pki';

const pki = loadPki();
const { rsa, ec256, ed25519 } = pki.clients;
const pss = pki.clients['rsa-pss'];

/** Node's default list, at a security level of its own choosing (SSL_CTX_set_security_level(3)). */
const level = (number: number) => ({
  ciphers: `DEFAULT:TLS_AES_128_GCM_SHA256:@SECLEVEL=${number}`,
});
const offering = (schemes: string) => ['-client_sigalgs', schemes];

interface Misfit {
  readonly identity: Identity & { readonly chain?: string };
  readonly reason: string;
  readonly says: RegExp;
  readonly client?: ConnectionOptions;
  readonly serverArgs?: readonly string[];
}

const MISFITS: [string, Misfit][] = [
  [
    'RSA 1024 at level 2',
    {
      identity: pki.rsa1024Client,
      reason: 'key-too-small',
      says: /80 bits.*112.*level 2/,
      client: level(2),
    },
  ],
  [
    'RSA 512 at level 1',
    {
      identity: pki.rsa512Client,
      reason: 'key-too-small',
      says: /below the 80 /,
      client: level(1),
    },
  ],
  [
    'a SHA-1 certificate at level 1',
    { identity: pki.sha1Client, reason: 'signature-too-weak', says: /SHA-256/, client: level(1) },
  ],
  [
    'RSA 2048 at level 3',
    { identity: rsa, reason: 'key-too-small', says: /112 bits.*128/, client: level(3) },
  ],
  [
    'a small key in the chain',
    {
      identity: { ...ec256, chain: pki.rsa1024Client.cert },
      reason: 'key-too-small',
      says: /certificate 1 of its chain/,
      client: level(2),
    },
  ],
  [
    'RSA for a server that takes ECDSA only',
    {
      identity: rsa,
      reason: 'no-common-scheme',
      says: /signature schemes/,
      serverArgs: offering('ECDSA+SHA256'),
    },
  ],
  [
    'EC for a server that takes RSA only',
    {
      identity: ec256,
      reason: 'no-common-scheme',
      says: /signature schemes/,
      serverArgs: offering('RSA-PSS+SHA256:RSA+SHA256'),
    },
  ],
  [
    'Ed25519 for a server that knows nothing of it',
    {
      identity: ed25519,
      reason: 'no-common-scheme',
      says: /signature schemes/,
      serverArgs: offering('ECDSA+SHA256:RSA-PSS+SHA256'),
    },
  ],
  [
    'an RSA-PSS key for a server that takes PSS from plain RSA keys only',
    {
      identity: pss,
      reason: 'no-common-scheme',
      says: /signature schemes/,
      serverArgs: offering('rsa_pss_rsae_sha256:ECDSA+SHA256'),
    },
  ],
  [
    'RSA with a client that has ruled its schemes out',
    {
      identity: rsa,
      reason: 'no-common-scheme',
      says: /sigalgs/,
      client: { sigalgs: 'ECDSA+SHA256' },
    },
  ],
];

const TLS13_MISFITS: [string, Misfit][] = [
  [
    'RSA 512 at level 0, too short for PSS',
    {
      identity: pki.rsa512Client,
      reason: 'no-common-scheme',
      says: /signature schemes/,
      client: level(0),
    },
  ],
  [
    'RSA for a server that takes PKCS#1 v1.5 only',
    {
      identity: rsa,
      reason: 'no-common-scheme',
      says: /signature schemes/,
      serverArgs: offering('RSA+SHA256:ECDSA+SHA256'),
    },
  ],
  [
    'a P-384 key for a server that takes P-256 only',
    {
      identity: pki.clients.ec384,
      reason: 'no-common-scheme',
      says: /signature schemes/,
      serverArgs: offering('ecdsa_secp256r1_sha256'),
    },
  ],
];

describe.each(PROTOCOLS)('%s', (protocol) => {
  const misfits = protocol === 'TLSv1.3' ? [...MISFITS, ...TLS13_MISFITS] : MISFITS;
  describe.each(misfits)('%s', (_what, { identity, reason, says, client, serverArgs = [] }) => {
    const credential = new Credential(credentialOf(identity));
    const server = { protocol, args: ['-cipher', 'ALL:@SECLEVEL=0', ...serverArgs] };

    const expectRefusal = (error: Partial<TLSClientCertError> & Error) => {
      expect(error).toMatchObject({ code: 'ERR_CREDENTIAL_UNUSABLE', reason });
      expect(error.message).toMatch(says);
      // It names the certificate.
      expect(error.message).toContain(`CN=${identity.name.replaceAll('-', ' ')}`);
    };

    test.each(['at once', 'late'])('answered %s: told, as request.supports() had', async (when) => {
      await withSServer(server, async (running) => {
        let foretold: unknown;
        const socket = dial(running, {
          ...client,
          clientCertCallback: (request) => {
            foretold = request.supports(credential);
            return when === 'late' ? later(credential) : credential;
          },
        });
        const error = await failure(socket);
        expectRefusal(error);
        expectRefusal(foretold as Error);
        expect((foretold as Error).message).toBe(error.message);
        expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
        await expectNothingRevealed(running);
      });
    });

    test('set in advance: told', async () => {
      const { cert, key, chain = '' } = identity;
      await withSServer(server, async (running) => {
        const socket = dial(running, { ...client, cert: cert + chain, key });
        const error = await failure(socket);
        expectRefusal(error);
        expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
        await expectNothingRevealed(running);
      });
    });
  });

  const tls12: [string, Identity, ConnectionOptions, readonly string[]][] = [
    ['RSA 512 at level 0', pki.rsa512Client, level(0), []],
    ['a P-384 key under a P-256 name', pki.clients.ec384, {}, offering('ECDSA+SHA256')],
  ];
  test.each<[string, Identity, ConnectionOptions, readonly string[]]>([
    ...(protocol === 'TLSv1.2' ? tls12 : []),
    ['RSA 1024 at level 1', pki.rsa1024Client, level(1), []],
    ['a SHA-1 certificate at level 0', pki.sha1Client, level(0), []],
    ['EC at level 2', ec256, level(2), offering('ECDSA+SHA256')],
    ['RSA where PSS is offered', rsa, { sigalgs: 'RSA-PSS+SHA256:ECDSA+SHA256' }, []],
  ])('what fits is sent: %s', async (_what, identity, client, args) => {
    const credential = new Credential(credentialOf(identity));
    const server = { protocol, args: ['-cipher', 'ALL:@SECLEVEL=0', ...args] };
    await withSServer(server, async (running) => {
      let foretold: unknown;
      const clientCertCallback = (request: { supports(it: Credential): unknown }) => {
        foretold = request.supports(credential);
        return credential;
      };
      const { cert, key } = identity;
      for (const [index, answer] of [{ clientCertCallback }, { cert, key }].entries()) {
        const socket = await secured(dial(running, { ...client, ...answer }));
        await expectIdentity(running, identity, index + 1);
        await hangUp(socket);
      }
      expect(foretold).toBe(true);
    });
  });

  test.each<[string, { cert: string; key: string }]>([
    ['another key of the same type (RSA)', { cert: rsa.cert, key: pki.otherRsaClient.key }],
    ['another key of the same type (EC)', { cert: ec256.cert, key: pki.otherEcClient.key }],
    ['a key of another type', { cert: rsa.cert, key: ec256.key }],
    ['a key of another curve', { cert: ec256.cert, key: pki.clients.ec384.key }],
    ['an RSA key with an RSA-PSS certificate', { cert: pss.cert, key: rsa.key }],
  ])('%s is told before anything is sent', async (_what, pair) => {
    const mismatch = { code: 'ERR_CREDENTIAL_MISMATCH', reason: 'key-mismatch' };
    await withSServer({ protocol }, async (server) => {
      let foretold: unknown;
      const socket = dial(server, {
        clientCertCallback: (request) => {
          try {
            request.supports(pair);
          } catch (error) {
            foretold = error;
          }
          return pair;
        },
      });
      expect(await failure(socket)).toMatchObject({ ...mismatch, input: 'key' });
      expect(foretold).toMatchObject({ ...mismatch, input: 'key' });
      await expectNothingRevealed(server);
    });
    expect(() => dial({ port: 1 }, pair)).toThrow(
      expect.objectContaining({ ...mismatch, input: 'options.key[0]' }),
    );
  });
});
