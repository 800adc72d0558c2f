/** Every kind of key, from every source, in both versions, answered at once and answered late. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { Credential, type CredentialOptions } from '../../lib/index';
import {
  credentialOf,
  dial,
  expectIdentity,
  hangUp,
  later,
  PROTOCOLS,
  type Protocol,
  secured,
  withSServer,
} from '../support/client';
import { CLIENT_KINDS, type ClientKind, type Identity, loadPki } from '../support/pki';
import { expectPrinted } from '../support/printed-scheme';

const pki = loadPki();
const required = { requestCert: 'required', clientCa: pki.clientCasPath } as const;

/** TLS 1.3 ties each scheme to one kind of key, so there is no choice. */
const TLS13_SCHEMES: Readonly<Record<ClientKind, string>> = {
  rsa: 'rsa_pss_rsae_sha256',
  'rsa-pss': 'rsa_pss_pss_sha256',
  ec256: 'ecdsa_secp256r1_sha256',
  ec384: 'ecdsa_secp384r1_sha384',
  ec521: 'ecdsa_secp521r1_sha512',
  ed25519: 'ed25519',
  ed448: 'ed448',
};

describe.each(PROTOCOLS)('%s', (protocol) => {
  describe.each(CLIENT_KINDS)('%s', (kind) => {
    test.each(['at once', 'late'])('answered %s', async (when) => {
      const identity = pki.clients[kind];
      const credential = new Credential(credentialOf(identity));
      await withSServer({ ...required, protocol }, async (server) => {
        const socket = await secured(
          dial(server, {
            clientCertCallback: () => (when === 'late' ? later(credential) : credential),
          }),
        );
        await expectIdentity(server, identity);
        const auth = socket.clientAuth;
        if (auth.status !== 'sent') throw new Error(`not sent: ${auth.status}`);
        expect(auth.credential).toBe(credential);
        if (protocol === 'TLSv1.3') expect(auth.signatureScheme).toBe(TLS13_SCHEMES[kind]);
        await expectPrinted(server, auth.signatureScheme ?? '');
        await hangUp(socket);
      });
    });

    test('set in advance', async () => {
      const { cert, key, ...identity } = pki.clients[kind];
      await withSServer({ ...required, protocol }, async (server) => {
        const socket = await secured(dial(server, { cert, key }));
        await expectIdentity(server, { cert, key, ...identity });
        await hangUp(socket);
      });
    });
  });

  test("what it calls the key's type is what Node calls it", () => {
    for (const kind of CLIENT_KINDS) {
      const credential = new Credential(credentialOf(pki.clients[kind]));
      const { asymmetricKeyType } = createPrivateKey(pki.clients[kind].key);
      expect(credential.keyType).toBe(asymmetricKeyType);
    }
  });
});

test.each<[ClientKind, Protocol, string, string]>([
  ['rsa', 'TLSv1.2', 'RSA+SHA512', 'rsa_pkcs1_sha512'],
  ['rsa', 'TLSv1.2', 'ECDSA+SHA256:RSA+SHA256:RSA-PSS+SHA256', 'rsa_pkcs1_sha256'],
  ['rsa', 'TLSv1.2', 'rsa_pss_rsae_sha384', 'rsa_pss_rsae_sha384'],
  ['rsa', 'TLSv1.3', 'rsa_pss_rsae_sha512:rsa_pss_rsae_sha256', 'rsa_pss_rsae_sha512'],
  ['rsa-pss', 'TLSv1.2', 'rsa_pss_pss_sha384', 'rsa_pss_pss_sha384'],
  ['rsa-pss', 'TLSv1.3', 'rsa_pss_rsae_sha256:rsa_pss_pss_sha512', 'rsa_pss_pss_sha512'],
  ['ec256', 'TLSv1.2', 'ECDSA+SHA512', 'ecdsa_secp521r1_sha512'],
  ['ec521', 'TLSv1.2', 'ECDSA+SHA384:ECDSA+SHA256', 'ecdsa_secp384r1_sha384'],
])('%s on %s signs as the server wants: %s', async (kind, protocol, sigalgs, scheme) => {
  const args = ['-client_sigalgs', sigalgs];
  await withSServer({ ...required, protocol, args }, async (server) => {
    const credential = new Credential(credentialOf(pki.clients[kind]));
    const socket = await secured(dial(server, { clientCertCallback: () => credential }));
    expect(socket.clientAuth).toMatchObject({ status: 'sent', signatureScheme: scheme });
    await expectPrinted(server, scheme);
    await hangUp(socket);
  });
});

describe('from every source', () => {
  const { encodings, clients, deepClient } = pki;
  const { ec256, rsa } = clients;
  const { passphrase } = encodings;
  const asView = (bytes: Buffer) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const cert = ec256.cert;

  test.each<[string, CredentialOptions, Identity & { chain?: string }]>([
    ['PEM text', { cert, key: ec256.key }, ec256],
    ['PEM bytes', { cert: Buffer.from(cert), key: Buffer.from(ec256.key) }, ec256],
    [
      'PEM with its chain',
      { cert: deepClient.cert + deepClient.chain, key: deepClient.key },
      deepClient,
    ],
    ['DER', { cert: encodings.certDer, key: encodings.keyDer }, ec256],
    [
      'DER in views',
      { cert: asView(encodings.certDer), key: new Uint8Array(encodings.keyDer) },
      ec256,
    ],
    ['KeyObject', { cert, key: createPrivateKey(ec256.key) }, ec256],
    ['X509Certificate', { cert: new X509Certificate(cert), key: ec256.key }, ec256],
    ['encrypted PKCS#8 in PEM', { cert, key: encodings.encryptedPkcs8Pem, passphrase }, ec256],
    ['encrypted PKCS#8 in DER', { cert, key: encodings.encryptedPkcs8Der, passphrase }, ec256],
    [
      'an encrypted traditional key',
      { cert, key: encodings.encryptedTraditionalPem, passphrase: Buffer.from(passphrase) },
      ec256,
    ],
    ['PFX', { pfx: encodings.pfx, passphrase }, deepClient],
    ['PFX with an empty passphrase', { pfx: encodings.pfxWithoutPassphrase, passphrase: '' }, rsa],
    ['PFX with no passphrase given', { pfx: encodings.pfxWithoutPassphrase }, rsa],
  ])('%s', async (_source, options, identity) => {
    const credential = new Credential(options);
    expect(credential.certificate.toString()).toBe(identity.cert);
    await withSServer(required, async (server) => {
      const socket = await secured(dial(server, { clientCertCallback: () => credential }));
      await expectIdentity(server, identity);
      await hangUp(socket);
    });
  });

  const bad = (options: CredentialOptions) => {
    try {
      new Credential(options);
    } catch (error) {
      return error;
    }
    throw new Error('it was taken');
  };

  test.each<[string, CredentialOptions, object]>([
    [
      'no certificate',
      { cert: 'none here', key: ec256.key },
      { code: 'ERR_CREDENTIAL_INVALID', input: 'cert' },
    ],
    [
      'a broken second chain entry',
      { cert, key: ec256.key, chain: [pki.intermediateA.cert, 'none here'] },
      { code: 'ERR_CREDENTIAL_INVALID', input: 'chain[1]' },
    ],
    ['no key', { cert, key: 'none here' }, { code: 'ERR_CREDENTIAL_INVALID', input: 'key' }],
    [
      'a key without its passphrase',
      { cert, key: encodings.encryptedPkcs8Pem },
      { code: 'ERR_CREDENTIAL_PASSPHRASE', input: 'key', reason: 'key-passphrase-missing' },
    ],
    [
      'a wrong passphrase',
      { cert, key: encodings.encryptedTraditionalPem, passphrase: 'wrong' },
      { code: 'ERR_CREDENTIAL_PASSPHRASE', input: 'key', reason: 'key-passphrase-wrong' },
    ],
    [
      'a wrong passphrase for DER',
      { cert, key: encodings.encryptedPkcs8Der, passphrase: 'wrong' },
      { code: 'ERR_CREDENTIAL_PASSPHRASE', input: 'key', reason: 'key-passphrase-wrong' },
    ],
    [
      'a wrong passphrase for PFX',
      { pfx: encodings.pfx, passphrase: 'wrong' },
      { code: 'ERR_CREDENTIAL_PASSPHRASE', input: 'pfx' },
    ],
    [
      'a PFX that is none',
      { pfx: Buffer.from('none here') },
      { code: 'ERR_CREDENTIAL_INVALID', input: 'pfx' },
    ],
  ])('says what is wrong: %s', (_what, options, expected) => {
    const error = bad(options);
    expect(error).toMatchObject(expected);
    expect(String(error)).not.toMatch(/"?wrong"(?! )|correct horse|none here/);
  });
});
