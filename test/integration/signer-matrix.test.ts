/** Every kind of key by a signer, in both versions, whenever it and the callback answer. */
import { Credential } from '../../lib/index';
import {
  dial,
  expectIdentity,
  hangUp,
  later,
  PROTOCOLS,
  type Protocol,
  secured,
  withSServer,
} from '../support/client';
import { CLIENT_KINDS, type ClientKind, loadPki } from '../support/pki';
import { expectPrinted } from '../support/printed-scheme';
import { lateSigner, signedBy, signerOf } from '../support/signers';

const pki = loadPki();
const required = { requestCert: 'required', clientCa: pki.clientCasPath } as const;

describe.each(PROTOCOLS)('%s', (protocol) => {
  describe.each(CLIENT_KINDS)('%s', (kind) => {
    const identity = pki.clients[kind];

    test.each([
      ['at once', 'at once', signerOf, false],
      ['late', 'at once', lateSigner, false],
      ['at once', 'late', signerOf, true],
      ['late', 'late', lateSigner, true],
    ])('signed %s, answered %s', async (_signed, _answered, make, answersLate) => {
      await withSServer({ ...required, protocol }, async (server) => {
        const key = make(identity);
        const credential = new Credential(signedBy(identity, key));
        const socket = await secured(
          dial(server, {
            clientCertCallback: (request) => {
              expect(request.supports(credential)).toBe(true);
              return answersLate ? later(credential) : credential;
            },
          }),
        );
        await expectIdentity(server, identity);
        const auth = socket.clientAuth;
        expect(auth).toMatchObject({ status: 'sent', credential });
        const [asked, ...more] = key.asked;
        expect(more).toEqual([]);
        expect(auth.status === 'sent' && auth.signatureScheme).toBe(asked?.scheme);
        await expectPrinted(server, asked?.scheme ?? '');
        expect(asked?.signal.aborted).toBe(false);
        await hangUp(socket);
        expect(asked?.signal.aborted).toBe(false);
      });
    });

    test.each([
      ['at once', signerOf],
      ['late', lateSigner],
    ])('set in advance, signed %s', async (_signed, make) => {
      await withSServer({ ...required, protocol }, async (server) => {
        const key = make(identity);
        const socket = await secured(dial(server, { cert: identity.cert, key }));
        await expectIdentity(server, identity);
        expect(key.asked).toHaveLength(1);
        expect(socket.clientAuth).toMatchObject({
          status: 'sent',
          signatureScheme: key.asked[0]?.scheme,
        });
        await expectPrinted(server, key.asked[0]?.scheme ?? '');
        await hangUp(socket);
      });
    });
  });

  test('the chain is sent as with a key in memory', async () => {
    const { deepClient } = pki;
    await withSServer({ ...required, protocol }, async (server) => {
      const answer = signedBy(deepClient, lateSigner(deepClient));
      const inAdvance = { cert: deepClient.cert + deepClient.chain, key: lateSigner(deepClient) };
      for (const [index, options] of [{ clientCertCallback: () => answer }, inAdvance].entries()) {
        const socket = await secured(dial(server, options));
        await expectIdentity(server, deepClient, index + 1);
        await hangUp(socket);
      }
    });
  });

  test('who does not ask is shown nothing, and nobody signs', async () => {
    await withSServer({ protocol, requestCert: 'no' }, async (server) => {
      const key = signerOf(pki.clients.ec256);
      const socket = await secured(dial(server, { cert: pki.clients.ec256.cert, key }));
      expect(socket.clientAuth.status).toBe('not-requested');
      await hangUp(socket);
      expect(key.asked).toEqual([]);
    });
  });
});

test.each<[ClientKind, Protocol, string, string]>([
  ['rsa', 'TLSv1.2', 'RSA+SHA512', 'rsa_pkcs1_sha512'],
  ['rsa', 'TLSv1.2', 'RSA+SHA256:RSA-PSS+SHA256', 'rsa_pkcs1_sha256'],
  ['rsa', 'TLSv1.2', 'rsa_pss_rsae_sha384', 'rsa_pss_rsae_sha384'],
  ['rsa', 'TLSv1.3', 'rsa_pss_rsae_sha512:rsa_pss_rsae_sha256', 'rsa_pss_rsae_sha512'],
  ['rsa-pss', 'TLSv1.2', 'rsa_pss_pss_sha384', 'rsa_pss_pss_sha384'],
  ['rsa-pss', 'TLSv1.3', 'rsa_pss_rsae_sha256:rsa_pss_pss_sha512', 'rsa_pss_pss_sha512'],
  ['ec256', 'TLSv1.2', 'ECDSA+SHA512', 'ecdsa_secp521r1_sha512'],
  ['ec521', 'TLSv1.2', 'ECDSA+SHA384:ECDSA+SHA256', 'ecdsa_secp384r1_sha384'],
])('%s on %s is asked for what the server wants: %s', async (kind, protocol, sigalgs, scheme) => {
  const args = ['-client_sigalgs', sigalgs];
  await withSServer({ ...required, protocol, args }, async (server) => {
    const identity = pki.clients[kind];
    const key = lateSigner(identity);
    const socket = await secured(
      dial(server, { clientCertCallback: () => signedBy(identity, key) }),
    );
    expect(key.asked.map((asked) => asked.scheme)).toEqual([scheme]);
    await expectPrinted(server, scheme);
    await hangUp(socket);
  });
});

test('what is signed is the whole of what TLS signs, before any hash', async () => {
  for (const protocol of PROTOCOLS) {
    await withSServer({ ...required, protocol }, async (server) => {
      const key = signerOf(pki.clients.ed25519);
      const answer = signedBy(pki.clients.ed25519, key);
      await hangUp(await secured(dial(server, { clientCertCallback: () => answer })));
      const data = Buffer.from(key.asked[0]?.data ?? []);
      if (protocol === 'TLSv1.3') {
        // RFC 8446, section 4.4.3
        expect(data.subarray(0, 64)).toEqual(Buffer.alloc(64, ' '));
        expect(data.subarray(64, -32).toString()).toMatch(
          /^TLS 1\.3, client CertificateVerify\0.{0,16}$/s,
        );
      } else {
        // RFC 5246, section 7.4.8: all handshake messages, from the ClientHello on.
        expect(data[0]).toBe(1);
        expect(data.includes(Buffer.from('localhost'))).toBe(true);
      }
    });
  }
});
