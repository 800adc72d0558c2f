/** Connections with equal options share a context, and no others do. */
import { constants, createPrivateKey, sign, X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import {
  Connection,
  Credential,
  createSecureContext,
  type ProtocolOptions,
  type SecureContextOptions,
  type SignatureScheme,
  type Signer,
} from '../../lib/index';
import type { ServerSideOptions } from '../../lib/server-options';
import { madeDuring } from '../support/made';
import { loadPki } from '../support/pki';

const pki = loadPki();
const ca = pki.serverCa.cert;
const { rsa, ec256 } = pki.clients;
const { cert, key } = ec256;
const { passphrase, encryptedPkcs8Pem, pfx } = pki.encodings;
const bytes = (text: string) => Buffer.from(text);
/** In memory of its own. */
const again = (text: string) => bytes(text).toString();

const subjectOf = (certificate: string) => new X509Certificate(certificate).subject;

function signerOf(pem: string, schemes?: SignatureScheme[]): Signer {
  const own = createPrivateKey(pem);
  return { schemes, sign: (data) => sign('sha256', data, own) };
}

/** Whom a connection with these options would show itself as; it is not opened. */
function shownBy(options: ProtocolOptions): string | undefined {
  const connection = new Connection({ host: 'localhost', ...options });
  const { subject } = connection.getX509Certificate() ?? {};
  connection.destroy();
  return subject;
}

const contextsFor = async (...list: ProtocolOptions[]) =>
  (await madeDuring(() => list.forEach(shownBy))).contexts;

/** No test finds what another left. */
let counter = 0;
const unique = (): SecureContextOptions => ({
  ciphers: `${tls.DEFAULT_CIPHERS}:!kRSA:!NONE${++counter}`,
});

describe('equal options make one context', () => {
  const keyObject = createPrivateKey(key);
  const certificate = new X509Certificate(cert);
  const signer = signerOf(key, ['ecdsa_secp256r1_sha256']);
  const credential = new Credential({ cert, key });
  const cases: [string, () => ProtocolOptions][] = [
    ['none', () => ({})],
    ['text', () => ({ ca: again(ca), cert: again(cert), key: again(key) })],
    ['bytes', () => ({ ca: bytes(ca), cert: bytes(cert), key: bytes(key) })],
    ['lists', () => ({ ca: [again(ca), bytes(ca)], cert: [cert, rsa.cert], key: [rsa.key, key] })],
    ['an encrypted key', () => ({ cert, key: encryptedPkcs8Pem, passphrase })],
    ['{ pem, passphrase }', () => ({ cert, key: [{ pem: encryptedPkcs8Pem, passphrase }] })],
    ['a PFX', () => ({ pfx: [{ buf: Buffer.from(pfx), passphrase }] })],
    ['parsed objects', () => ({ ca: certificate, cert: certificate, key: keyObject })],
    ['a signer', () => ({ cert, key: signer })],
    ['a Credential', () => ({ credential })],
    ['what a Credential is made from', () => ({ credential: [{ cert, key, chain: [again(ca)] }] })],
    ['a revocation list', () => ({ ca, crl: bytes(pki.crl) })],
    ['150 authorities', () => ({ ca: tls.rootCertificates.map(again) })],
  ];

  test.each(cases)('%s', async (_what, options) => {
    const own = unique();
    const first = await madeDuring(() => shownBy({ ...own, ...options() }));
    expect(first.contexts).toBe(1);
    const rest = await madeDuring(() => {
      for (let i = 0; i < 20; i++) {
        // What belongs to the connection does not count.
        shownBy({ ...own, ...options(), servername: `host${i}`, clientCertCallback: () => null });
      }
    });
    expect(rest).toEqual({ contexts: 0, credentials: 0, trustStores: 0 });
  });

  test('and contexts that differ in something else share what is parsed', async () => {
    const fresh = () => ({ cert: again(rsa.cert), key: again(rsa.key), ca: again(ca) });
    const list = [unique(), unique(), unique()];
    shownBy({ ...unique(), ...fresh() });
    expect(await madeDuring(() => list.map((own) => shownBy({ ...own, ...fresh() })))).toEqual({
      contexts: 3,
      credentials: 0,
      // Native code finds the one that it has: test/native/trust_store_test.cc.
      trustStores: 3,
    });
  });
});

describe('unequal options never share one', () => {
  const credential = new Credential({ cert, key });
  const signer = signerOf(key);
  // Complete: a new option is an error of types here.
  const cases: Record<
    Exclude<keyof SecureContextOptions, 'clientCertCallback' | keyof ServerSideOptions>,
    [one: SecureContextOptions, other: SecureContextOptions][]
  > = {
    ca: [
      [{ ca }, { ca: pki.clientCaA.cert }],
      [{ ca: [ca, pki.clientCaA.cert] }, { ca: [ca] }],
      [{ ca: [] }, {}],
      [{ ca: bytes(ca) }, { ca: bytes(pki.clientCaA.cert) }],
      [{ ca: [], crl: pki.crl }, { crl: pki.crl }],
    ],
    cert: [
      [
        { cert, key },
        { cert: rsa.cert, key: rsa.key },
      ],
      [
        { cert, key },
        { cert: cert + ca, key },
      ],
      [
        { cert: [cert, rsa.cert], key: [key, rsa.key] },
        { cert: [rsa.cert, cert], key: [key, rsa.key] },
      ],
    ],
    key: [
      [
        { cert, key },
        { cert, key: signer },
      ],
      [
        { cert, key: signer },
        { cert, key: { ...signer } },
      ],
      [
        { cert, key: signerOf(key, ['ecdsa_secp256r1_sha256']) },
        { cert, key: signerOf(key, ['ecdsa_secp256r1_sha256']) },
      ],
    ],
    pfx: [[{ pfx, passphrase }, {}]],
    secureProtocol: [[{ secureProtocol: 'TLSv1_2_method' }, {}]],
    credential: [
      [{ credential }, { credential: new Credential({ cert, key }) }],
      [{ credential }, { credential: [credential, credential] }],
      [{ credential: { cert, key } }, { credential: { cert, key, chain: ca } }],
      [
        { credential: { cert, key, chain: [ca, cert] } },
        { credential: { cert, key, chain: [cert, ca] } },
      ],
      [
        { credential: { cert, key, chain: [ca + cert, ca] } },
        { credential: { cert, key, chain: [ca, cert + ca] } },
      ],
    ],
    passphrase: [
      [
        { cert, key, passphrase: 'a' },
        { cert, key, passphrase: 'b' },
      ],
      [
        { cert, key },
        { cert, key, passphrase: '' },
      ],
      [
        { cert, key, passphrase: bytes('ab') },
        { cert, key, passphrase: bytes('abc') },
      ],
    ],
    crl: [[{ ca, crl: pki.crl }, { ca }]],
    ciphers: [
      [{ ciphers: tls.DEFAULT_CIPHERS }, {}],
      [{ ciphers: 'ECDHE+AESGCM' }, { ciphers: 'ECDHE+AESGCM:@SECLEVEL=0' }],
    ],
    ecdhCurve: [[{ ecdhCurve: 'P-256' }, { ecdhCurve: 'P-384' }]],
    sigalgs: [[{ sigalgs: 'ECDSA+SHA256' }, { sigalgs: 'RSA+SHA256' }]],
    minVersion: [[{ minVersion: 'TLSv1.3' }, {}]],
    maxVersion: [[{ maxVersion: 'TLSv1.2' }, {}]],
    secureOptions: [[{ secureOptions: constants.SSL_OP_NO_TICKET }, {}]],
    allowPartialTrustChain: [[{ ca, allowPartialTrustChain: true }, { ca }]],
  };
  const flat = Object.entries(cases).flatMap(([name, pairs]) =>
    pairs.map(([one, other], i) => [`${name}, ${i + 1}`, one, other] as const),
  );

  test.each(flat)('%s', async (_what, one, other) => {
    // Of its own, but for those that are about ciphers.
    const own = 'ciphers' in one ? { sigalgs: 'ECDSA+SHA256:RSA+SHA256' } : unique();
    const list = [one, other, one, other].map((options) => ({ ...own, ...options }));
    expect(await contextsFor(...list)).toBe(2);
  });

  test('a passphrase that is wrong is wrong also after the right one', async () => {
    const options = { ...unique(), cert, key: encryptedPkcs8Pem };
    const refused = expect.objectContaining({ code: 'ERR_CREDENTIAL_PASSPHRASE' });
    expect(() => shownBy({ ...options, passphrase: 'wrong' })).toThrow(refused);
    expect(shownBy({ ...options, passphrase })).toBe(subjectOf(cert));
    expect(() => shownBy({ ...options, passphrase: 'wrong' })).toThrow(refused);
    expect(() => shownBy(options)).toThrow(refused);
    expect(shownBy({ ...options, passphrase })).toBe(subjectOf(cert));
  });
});

describe('what the caller changes later', () => {
  test("bytes are compared by what they hold now, and the context's are its own", async () => {
    const common = unique();
    const options = { ...common, cert: bytes(cert), key: bytes(key) };
    const before = { ...options, cert: Buffer.from(options.cert), key: Buffer.from(options.key) };
    expect(shownBy(options)).toBe(subjectOf(cert));
    const other = pki.clientB;
    // Into the same memory, of another length.
    const memory = Buffer.concat([bytes(other.cert), bytes(other.key)]);
    options.cert = memory.subarray(0, other.cert.length) as Buffer<ArrayBuffer>;
    options.key = memory.subarray(other.cert.length) as Buffer<ArrayBuffer>;
    expect(shownBy(options)).toBe(subjectOf(other.cert));
    memory.fill(0);
    expect(() => shownBy(options)).toThrow(
      expect.objectContaining({ code: 'ERR_CREDENTIAL_INVALID' }),
    );
    bytes(other.cert).copy(options.cert);
    bytes(other.key).copy(options.key);
    expect(await contextsFor(options, before)).toBe(0);
    expect(shownBy(options)).toBe(subjectOf(other.cert));
    expect(shownBy(before)).toBe(subjectOf(cert));
  });

  test('authorities in bytes, too', async () => {
    const memory = bytes(ca);
    const options = { ...unique(), ca: memory };
    expect(await contextsFor(options, options)).toBe(1);
    memory.fill('-');
    expect(() => shownBy(options)).toThrow(expect.objectContaining({ code: 'ERR_TLS_CA_INVALID' }));
    bytes(ca).copy(memory);
    expect(await contextsFor(options)).toBe(0);
  });

  test('lists are compared by what is in them now', async () => {
    const certs = [cert];
    const keys = [key];
    const options = { ...unique(), cert: certs, key: keys };
    expect(shownBy(options)).toBe(subjectOf(cert));
    certs[0] = rsa.cert;
    keys[0] = rsa.key;
    expect(shownBy(options)).toBe(subjectOf(rsa.cert));
  });

  test("a signer's schemes are those that it declares now", async () => {
    const schemes: SignatureScheme[] = ['ecdsa_secp256r1_sha256'];
    const options = { ...unique(), cert, key: signerOf(key, schemes) };
    expect(await contextsFor(options, options)).toBe(1);
    schemes[0] = 'ecdsa_secp384r1_sha384';
    schemes.push('ecdsa_secp256r1_sha256');
    expect(await contextsFor(options, options)).toBe(1);
    schemes.shift();
    expect(await contextsFor(options)).toBe(0);
  });

  test('a getter is read once: what it says next is not remembered under what it said before', () => {
    const identities = [ec256, rsa, ec256, rsa];
    const own = unique();
    const turning = (pick: (identity: typeof rsa) => string) => {
      let reads = 0;
      return () => pick(identities[reads++] as typeof rsa);
    };
    const certNow = turning((identity) => identity.cert);
    const keyNow = turning((identity) => identity.key);
    const options = {
      get cert() {
        return certNow();
      },
      get key() {
        return keyNow();
      },
      host: 'localhost',
      ...own,
    };
    const shown = () => {
      // Not copied: connect() does that.
      const connection = new Connection(options);
      const { subject } = connection.getX509Certificate() ?? {};
      connection.destroy();
      return subject;
    };
    const subjects = [ec256, rsa].map((identity) => subjectOf(identity.cert));
    expect([shown(), shown(), shown(), shown()]).toEqual([...subjects, ...subjects]);
  });

  const DEFAULTS: [keyof typeof tls, string][] = [
    ['DEFAULT_MIN_VERSION', 'TLSv1.3'],
    ['DEFAULT_MAX_VERSION', 'TLSv1.2'],
    ['DEFAULT_CIPHERS', 'ECDHE+AESGCM'],
    ['DEFAULT_ECDH_CURVE', 'P-256'],
  ];
  test.each(DEFAULTS)("tls.%s is the connection's, not that of one before", async (name, value) => {
    const mutable = tls as unknown as Record<string, unknown>;
    const before = mutable[name];
    const options = { ca: ca + '\n'.repeat(++counter) };
    expect(await contextsFor(options)).toBe(1);
    try {
      mutable[name] = value;
      expect(await contextsFor(options, options)).toBe(1);
    } finally {
      mutable[name] = before;
    }
    expect(await contextsFor(options)).toBe(0);
  });

  test("Node's default authorities: setDefaultCACertificates()", async () => {
    const node = tls as { getCACertificates?: unknown };
    const own = Object.getOwnPropertyDescriptor(node, 'getCACertificates');
    const pretend = (list: string[]) =>
      Object.defineProperty(node, 'getCACertificates', { configurable: true, value: () => list });
    const options = unique();
    try {
      pretend([ca]);
      expect(await contextsFor(options, options)).toBe(1);
      pretend([pki.clientCaA.cert]);
      expect(await contextsFor(options, options)).toBe(1);
      expect(await contextsFor({ ...options, crl: pki.crl }, { ...options, ca })).toBe(2);
    } finally {
      if (own === undefined) delete node.getCACertificates;
      else Object.defineProperty(node, 'getCACertificates', own);
    }
  });
});

describe("a context of the caller's own", () => {
  test('is made each time, and no connection finds it', async () => {
    const { ed25519 } = pki.clients;
    const options = { ...unique(), ca, cert: ed25519.cert, key: ed25519.key };
    const made = await madeDuring(() => {
      const first = createSecureContext(options);
      const second = createSecureContext(options);
      expect(second).not.toBe(first);
      expect(second.credentials[0]).not.toBe(first.credentials[0]);
      first.setClientCertCallback(() => null);
      expect(second.getClientCertCallback()).toBeNull();
      shownBy(options);
    });
    expect(made).toMatchObject({ contexts: 3, credentials: 3 });
  });

  test('is not made from what connections share', async () => {
    const options = { ...unique(), ca, cert, key };
    shownBy(options);
    expect(await madeDuring(() => createSecureContext(options))).toMatchObject({
      contexts: 1,
      credentials: 1,
    });
  });
});
