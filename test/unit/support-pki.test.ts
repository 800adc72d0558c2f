/** The test PKI proves itself on Node's own crypto and tls, before it judges ours. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createSecureContext, connect as tlsConnect } from 'node:tls';
import { startNodeServer } from '../support/node-server';
import { CLIENT_KINDS, type Identity, loadPki } from '../support/pki';
import { createPki, removePki } from '../support/pki-build';

const pki = loadPki();

describe('the PKI', () => {
  const root = new X509Certificate(pki.clientCaA.cert);

  test.each(CLIENT_KINDS)('has a %s client whose key fits and whose issuer is CA A', (kind) => {
    const identity = pki.clients[kind];
    const leaf = new X509Certificate(identity.cert);
    expect(leaf.checkPrivateKey(createPrivateKey(identity.key))).toBe(true);
    expect(leaf.verify(root.publicKey)).toBe(true);
    expect(leaf.subject.split('\n').reverse().join(',')).toBe(identity.subject);
    const types = { rsa: 'rsa', 'rsa-pss': 'rsa-pss', ed25519: 'ed25519', ed448: 'ed448' };
    expect(leaf.publicKey.asymmetricKeyType).toBe(kind in types ? kind : 'ec');
  });

  test('has a deep client that reaches CA A over both intermediates', () => {
    const [first = '', second = ''] = pki.deepClient.chain.split(/(?=-----BEGIN)/);
    const chain = [pki.deepClient.cert, first, second, pki.clientCaA.cert].map(
      (pem) => new X509Certificate(pem),
    );
    for (const [index, issuer] of chain.slice(1).entries()) {
      expect(chain[index]?.checkIssued(issuer)).toBe(true);
    }
    expect(pki.deepClient.chainLength).toBe(2);
  });

  test('has keys of one type that belong to different certificates', () => {
    const rsa = new X509Certificate(pki.clients.rsa.cert);
    expect(rsa.checkPrivateKey(createPrivateKey(pki.otherRsaClient.key))).toBe(false);
    const ec = new X509Certificate(pki.clients.ec256.cert);
    expect(ec.checkPrivateKey(createPrivateKey(pki.otherEcClient.key))).toBe(false);
  });

  test('has every encoding of the EC key, and PFX files that Node opens', () => {
    const { encodings, clients } = pki;
    const { passphrase } = encodings;
    const plain = createPrivateKey(clients.ec256.key);
    const pkcs8 = { format: 'der', type: 'pkcs8' } as const;
    for (const key of [
      createPrivateKey({ key: encodings.encryptedPkcs8Pem, passphrase }),
      createPrivateKey({ key: encodings.encryptedTraditionalPem, passphrase }),
      createPrivateKey({ ...pkcs8, key: encodings.encryptedPkcs8Der, passphrase }),
      createPrivateKey({ format: 'der', type: 'sec1', key: encodings.keyDer }),
    ]) {
      expect(key.equals(plain)).toBe(true);
    }
    expect(() => createPrivateKey({ ...pkcs8, key: encodings.encryptedPkcs8Der })).toThrow();
    expect(new X509Certificate(encodings.certDer).checkPrivateKey(plain)).toBe(true);
    createSecureContext({ pfx: encodings.pfx, passphrase });
    expect(() => createSecureContext({ pfx: encodings.pfx })).toThrow();
    createSecureContext({ pfx: encodings.pfxWithoutPassphrase });
  });

  test('has weak certificates', () => {
    const bits = ({ cert }: Identity) =>
      new X509Certificate(cert).publicKey.asymmetricKeyDetails?.modulusLength;
    expect(bits(pki.rsa1024Client)).toBe(1024);
    expect(bits(pki.rsa512Client)).toBe(512);
    // ecdsa-with-SHA1, 1.2.840.10045.4.1, as DER.
    const sha1 = Buffer.from('06072a8648ce3d0401', 'hex');
    expect(new X509Certificate(pki.sha1Client.cert).raw.includes(sha1)).toBe(true);
  });

  test('can be made anew, reused by folder, and removed', async () => {
    const own = await createPki();
    expect(own.dir).not.toBe(pki.dir);
    const again = await createPki(own.dir);
    expect(again.server.cert).toBe(own.server.cert);
    await removePki(own.dir);
    expect(existsSync(own.dir)).toBe(false);
  });

  // Each of these is the one fault that verify-before-reveal has to see.
  test.each([
    ['server', undefined],
    ['serverRsa', undefined],
    ['wrongNameServer', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['untrustedServer', 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['expiredServer', 'CERT_HAS_EXPIRED'],
    ['revokedServer', 'CERT_REVOKED'],
  ] as const)('has %s, of which Node thinks %s', async (name, code) => {
    const server = await startNodeServer({ identity: pki[name] });
    const socket = tlsConnect({
      port: server.port,
      host: 'localhost',
      ca: pki.serverCa.cert,
      // With a CRL, OpenSSL wants one for every issuer: a self-signed leaf has none.
      ...(code === 'CERT_REVOKED' && { crl: pki.crl }),
    });
    const event = await Promise.race([
      once(socket, 'secureConnect').then(() => undefined),
      new Promise((resolve) => socket.once('error', (error) => resolve(error))),
    ]);
    expect((event as { code?: string } | undefined)?.code).toBe(code);
    socket.destroy();
    await server.close();
  });
});
