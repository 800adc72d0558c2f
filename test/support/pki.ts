/**
 * The test PKI as the tests see it. `pki-build.ts` makes it; nothing here starts a process.
 *
 * Jest's global setup makes one per run and hands its folder to the workers in `TCC_TEST_PKI`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The environment variable that names the folder of the PKI in use. */
export const PKI_VARIABLE = 'TCC_TEST_PKI';

/** Set beside it when this jest run made the folder, and so has to remove it. */
export const OWNED_PKI_VARIABLE = 'TCC_TEST_PKI_OWNED';

/** Written last into the folder: a folder without it is unfinished. */
export const MANIFEST = 'pki.json';

/** A certificate and its private key, as PEM text and as files. */
export interface Identity {
  readonly name: string;
  readonly cert: string;
  readonly key: string;
  readonly certPath: string;
  readonly keyPath: string;
  /** RFC 2253 form, as `-nameopt RFC2253` prints it: `CN=client ec256,O=tls-client-cert tests`. */
  readonly subject: string;
}

/** A leaf that needs intermediates to reach its root. */
export interface ChainedIdentity extends Identity {
  /** The intermediates, nearest first, root left out, as one PEM text and as a file. */
  readonly chain: string;
  readonly chainPath: string;
  /** How many certificates `chain` holds. */
  readonly chainLength: number;
}

/** The leaf key types that every credential test goes through. */
export const CLIENT_KINDS = [
  'rsa',
  'rsa-pss',
  'ec256',
  'ec384',
  'ec521',
  'ed25519',
  'ed448',
] as const;

export type ClientKind = (typeof CLIENT_KINDS)[number];

/** One private key and certificate in other encodings. Encrypted ones open with `passphrase`. */
export interface Encodings {
  readonly passphrase: string;
  /** `clients.ec256`'s key as `ENCRYPTED PRIVATE KEY`. */
  readonly encryptedPkcs8Pem: string;
  /** `clients.ec256`'s key as `EC PRIVATE KEY` with a `DEK-Info` header. */
  readonly encryptedTraditionalPem: string;
  readonly encryptedPkcs8Der: Buffer;
  /** `clients.ec256`'s key and certificate, unencrypted. */
  readonly keyDer: Buffer;
  readonly certDer: Buffer;
  /** `deepClient` with its intermediates and its root, under `passphrase`. */
  readonly pfx: Buffer;
  /** `clients.rsa` with its root, under the empty passphrase. */
  readonly pfxWithoutPassphrase: Buffer;
}

export interface Pki {
  readonly dir: string;

  readonly serverCa: Identity;
  /** EC P-256, for `localhost` and 127.0.0.1, as are all server leaves but the wrongly named. */
  readonly server: Identity;
  readonly serverRsa: Identity;
  /** Only for `wrong.example`. */
  readonly wrongNameServer: Identity;
  /** Self-signed, so `serverCa` does not vouch for it. */
  readonly untrustedServer: Identity;
  readonly expiredServer: Identity;
  /** Listed in `crl`. */
  readonly revokedServer: Identity;
  /** `serverCa`'s revocation list, PEM. */
  readonly crl: string;
  readonly crlPath: string;

  readonly clientCaA: Identity;
  readonly clientCaB: Identity;
  /** Both client roots in one PEM file. */
  readonly clientCasPath: string;
  /** Under `clientCaA`. */
  readonly intermediateA: Identity;
  /** Under `intermediateA`. */
  readonly intermediateA2: Identity;

  /** One leaf of each key type directly under `clientCaA`. */
  readonly clients: Readonly<Record<ClientKind, Identity>>;
  /** EC P-256 under `clientCaB`. */
  readonly clientB: Identity;
  /** EC P-256 under `intermediateA2`: two intermediates below `clientCaA`. */
  readonly deepClient: ChainedIdentity;
  /** Same key types as `clients.rsa` and `clients.ec256`, other keys: for mismatched pairs. */
  readonly otherRsaClient: Identity;
  readonly otherEcClient: Identity;

  /** RSA 1024: too small at security level 2, allowed at 1. */
  readonly rsa1024Client: Identity;
  /** RSA 512: too small at every level but 0. */
  readonly rsa512Client: Identity;
  /** EC P-256, signed by `clientCaA` with SHA-1: too weak from level 1 in OpenSSL 3. */
  readonly sha1Client: Identity;

  readonly encodings: Encodings;
}

/** Where and under which subject an identity lies; what the manifest lists. */
export interface ManifestEntry {
  readonly name: string;
  readonly subject: string;
}

export const PASSPHRASE = 'correct horse';

/** Reads the PKI in `dir`, by default that of this jest run. */
export function loadPki(dir = process.env[PKI_VARIABLE]): Pki {
  if (dir === undefined) throw new Error(`${PKI_VARIABLE} is not set: call createPki() first`);
  const subjects = new Map(
    (JSON.parse(readFileSync(join(dir, MANIFEST), 'utf8')) as ManifestEntry[]).map((entry) => [
      entry.name,
      entry.subject,
    ]),
  );
  const path = (file: string) => join(dir, file);
  const text = (file: string) => readFileSync(path(file), 'utf8');
  const bytes = (file: string) => readFileSync(path(file));

  const identity = (name: string): Identity => {
    const subject = subjects.get(name);
    if (subject === undefined) throw new Error(`the test PKI has no ${name}`);
    return {
      name,
      subject,
      cert: text(`${name}.crt`),
      key: text(`${name}.key`),
      certPath: path(`${name}.crt`),
      keyPath: path(`${name}.key`),
    };
  };

  return {
    dir,
    serverCa: identity('server-ca'),
    server: identity('server'),
    serverRsa: identity('server-rsa'),
    wrongNameServer: identity('server-wrong-name'),
    untrustedServer: identity('server-untrusted'),
    expiredServer: identity('server-expired'),
    revokedServer: identity('server-revoked'),
    crl: text('server-ca.crl'),
    crlPath: path('server-ca.crl'),
    clientCaA: identity('client-ca-a'),
    clientCaB: identity('client-ca-b'),
    clientCasPath: path('client-cas.crt'),
    intermediateA: identity('client-intermediate-a'),
    intermediateA2: identity('client-intermediate-a2'),
    clients: {
      rsa: identity('client-rsa'),
      'rsa-pss': identity('client-rsa-pss'),
      ec256: identity('client-ec256'),
      ec384: identity('client-ec384'),
      ec521: identity('client-ec521'),
      ed25519: identity('client-ed25519'),
      ed448: identity('client-ed448'),
    },
    clientB: identity('client-b'),
    deepClient: {
      ...identity('client-deep'),
      chain: text('client-deep.chain'),
      chainPath: path('client-deep.chain'),
      chainLength: 2,
    },
    otherRsaClient: identity('client-other-rsa'),
    otherEcClient: identity('client-other-ec'),
    rsa1024Client: identity('client-rsa1024'),
    rsa512Client: identity('client-rsa512'),
    sha1Client: identity('client-sha1'),
    encodings: {
      passphrase: PASSPHRASE,
      encryptedPkcs8Pem: text('client-ec256.pkcs8.pem'),
      encryptedTraditionalPem: text('client-ec256.traditional.pem'),
      encryptedPkcs8Der: bytes('client-ec256.pkcs8.der'),
      keyDer: bytes('client-ec256.key.der'),
      certDer: bytes('client-ec256.crt.der'),
      pfx: bytes('client-deep.pfx'),
      pfxWithoutPassphrase: bytes('client-rsa.pfx'),
    },
  };
}
