/** Makes the test PKI with the `openssl` command line tool, in about a second. */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { JobLimiter, openssl, requireOpenssl } from './openssl';
import {
  CLIENT_KINDS,
  type ClientKind,
  loadPki,
  MANIFEST,
  type ManifestEntry,
  PASSPHRASE,
  type Pki,
} from './pki';

const ORGANIZATION = 'tls-client-cert tests';

/** Ours alone, so that no distribution's openssl.cnf shapes the certificates. */
const CONFIG = `
[req]
distinguished_name = subject
prompt = no
[subject]
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost, IP:127.0.0.1
[wrong_name_server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyEncipherment
extendedKeyUsage = serverAuth
subjectAltName = DNS:wrong.example
[client]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
[crl_database]
database = revoked.txt
[expired_database]
database = expired.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any_subject
[any_subject]
organizationName = supplied
commonName = supplied
`;

const EC256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] as const;
const RSA2048 = ['rsa:2048'] as const;

/** What `openssl req -newkey` is told for each client key type. */
const KEY_ARGUMENTS: Readonly<Record<ClientKind, readonly string[]>> = {
  rsa: RSA2048,
  'rsa-pss': ['rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048'],
  ec256: EC256,
  ec384: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  ec521: ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  ed25519: ['ed25519'],
  ed448: ['ed448'],
};

interface Order {
  readonly name: string;
  readonly commonName: string;
  readonly extensions: 'ca' | 'server' | 'wrong_name_server' | 'client';
  readonly key?: readonly string[];
  /** The signing CA, waited for. Left out: self-signed. */
  readonly issuer?: Promise<string>;
  readonly digest?: 'sha1' | 'sha256';
}

/**
 * Makes a whole PKI in `dir` (default: a new temporary folder) and reads it back.
 * A `dir` that already holds a finished one is only read.
 */
export async function createPki(dir?: string): Promise<Pki> {
  if (dir !== undefined && existsSync(join(dir, MANIFEST))) return loadPki(dir);
  await requireOpenssl();
  const ours = dir === undefined;
  if (dir === undefined) dir = await mkdtemp(join(tmpdir(), 'tls-client-cert-pki-'));
  else await mkdir(dir, { recursive: true });
  try {
    await new PkiBuilder(dir).build();
  } catch (error) {
    if (ours) await removePki(dir);
    throw error;
  }
  return loadPki(dir);
}

/** Removes a PKI's folder. */
export function removePki(dir: string): Promise<void> {
  return rm(dir, { recursive: true, force: true });
}

class PkiBuilder {
  readonly #dir: string;
  readonly #limiter = new JobLimiter();
  readonly #manifest: ManifestEntry[] = [];

  constructor(dir: string) {
    this.#dir = dir;
  }

  async build(): Promise<void> {
    await this.#write('openssl.cnf', CONFIG);
    await Promise.all([this.#servers(), this.#clients()]);
    // Last, because its presence says that all the rest is there.
    await this.#write(MANIFEST, JSON.stringify(this.#manifest, null, 2));
  }

  async #servers(): Promise<void> {
    const ca = this.#issue({
      name: 'server-ca',
      commonName: 'Server CA',
      extensions: 'ca',
    });
    const leaf = (name: string, key: readonly string[] = EC256) =>
      this.#issue({ name, commonName: name, extensions: 'server', issuer: ca, key });
    await Promise.all([
      leaf('server'),
      leaf('server-rsa', RSA2048),
      this.#issue({
        name: 'server-wrong-name',
        commonName: 'server-wrong-name',
        extensions: 'wrong_name_server',
        issuer: ca,
      }),
      this.#issue({
        name: 'server-untrusted',
        commonName: 'server-untrusted',
        extensions: 'server',
      }),
      this.#expiredServer(ca),
      leaf('server-revoked').then((revoked) => this.#revocationList(revoked)),
    ]);
  }

  async #clients(): Promise<void> {
    const caA = this.#issue({
      name: 'client-ca-a',
      commonName: 'Client CA A',
      extensions: 'ca',
    });
    const caB = this.#issue({
      name: 'client-ca-b',
      commonName: 'Client CA B',
      extensions: 'ca',
    });
    const intermediateA = this.#issue({
      name: 'client-intermediate-a',
      commonName: 'Client Intermediate A',
      extensions: 'ca',
      issuer: caA,
    });
    const intermediateA2 = this.#issue({
      name: 'client-intermediate-a2',
      commonName: 'Client Intermediate A2',
      extensions: 'ca',
      issuer: intermediateA,
    });
    const leaf = (
      name: string,
      issuer = caA,
      key: readonly string[] = EC256,
      digest: 'sha1' | 'sha256' = 'sha256',
    ) =>
      this.#issue({
        name,
        commonName: name.replaceAll('-', ' '),
        extensions: 'client',
        issuer,
        key,
        digest,
      });

    const byKind = new Map(
      CLIENT_KINDS.map((kind) => [kind, leaf(`client-${kind}`, caA, KEY_ARGUMENTS[kind])]),
    );
    const deep = leaf('client-deep', intermediateA2);
    await Promise.all([
      ...byKind.values(),
      leaf('client-b', caB),
      leaf('client-other-rsa', caA, RSA2048),
      leaf('client-other-ec'),
      leaf('client-rsa1024', caA, ['rsa:1024']),
      leaf('client-rsa512', caA, ['rsa:512']),
      leaf('client-sha1', caA, EC256, 'sha1'),
      this.#concatenate('client-cas.crt', [caA, caB]),
      this.#deepClientFiles(deep, [intermediateA2, intermediateA], caA),
      byKind.get('ec256')?.then((name) => this.#keyEncodings(name)),
      byKind.get('rsa')?.then(async (name) => {
        await this.#pfx(`${name}.pfx`, name, `${await caA}.crt`, '');
      }),
    ]);
  }

  /** Key and certificate in one process; resolves to the name, so that others can wait for it. */
  async #issue(order: Order): Promise<string> {
    const { name } = order;
    const issuer = await order.issuer;
    const signer = issuer === undefined ? [] : ['-CA', `${issuer}.crt`, '-CAkey', `${issuer}.key`];
    await this.#run([
      ...['req', '-x509', '-config', 'openssl.cnf', '-extensions', order.extensions],
      ...['-newkey', ...(order.key ?? EC256), '-noenc', '-keyout', `${name}.key`],
      ...['-subj', `/O=${ORGANIZATION}/CN=${order.commonName}`, '-days', '3650'],
      ...[`-${order.digest ?? 'sha256'}`, ...signer, '-out', `${name}.crt`],
    ]);
    this.#record(name, order.commonName);
    return name;
  }

  /** `openssl req` cannot date a certificate back; `openssl ca` can. */
  async #expiredServer(ca: Promise<string>): Promise<void> {
    const name = 'server-expired';
    await this.#write('expired.txt', '');
    const request = this.#run([
      ...['req', '-new', '-config', 'openssl.cnf', '-newkey', ...EC256, '-noenc'],
      ...['-keyout', `${name}.key`, '-subj', `/O=${ORGANIZATION}/CN=${name}`],
      ...['-out', `${name}.csr`],
    ]);
    const [issuer] = await Promise.all([ca, request]);
    await this.#run([
      ...['ca', '-batch', '-notext', '-config', 'openssl.cnf', '-name', 'expired_database'],
      ...['-cert', `${issuer}.crt`, '-keyfile', `${issuer}.key`, '-extensions', 'server'],
      ...['-startdate', '20200101000000Z', '-enddate', '20210101000000Z'],
      ...['-in', `${name}.csr`, '-out', `${name}.crt`],
    ]);
    this.#record(name, name);
  }

  /** A CRL needs only a database line that says which serial was revoked, and when. */
  async #revocationList(revoked: string): Promise<void> {
    const printed = await this.#run(['x509', '-in', `${revoked}.crt`, '-noout', '-serial']);
    const serial = printed.trim().replace('serial=', '');
    await this.#write(
      'revoked.txt',
      `R\t401231235959Z\t250101000000Z\t${serial}\tunknown\t/CN=${revoked}\n`,
    );
    await this.#run([
      ...['ca', '-gencrl', '-config', 'openssl.cnf', '-name', 'crl_database', '-md', 'sha256'],
      ...['-cert', 'server-ca.crt', '-keyfile', 'server-ca.key', '-crldays', '3650'],
      ...['-out', 'server-ca.crl'],
    ]);
  }

  async #keyEncodings(name: string): Promise<void> {
    const key = ['-in', `${name}.key`];
    const encrypted = ['-aes256', '-passout', `pass:${PASSPHRASE}`];
    // `pkey -aes256` writes PKCS#8; with -traditional the older PEM form with a DEK-Info header.
    // For DER only `pkcs8 -topk8` encrypts: `pkey -outform DER` leaves the key bare in 3.0.
    await Promise.all([
      this.#run(['pkey', ...key, ...encrypted, '-out', `${name}.pkcs8.pem`]),
      this.#run(['pkey', ...key, '-traditional', ...encrypted, '-out', `${name}.traditional.pem`]),
      this.#run([
        ...['pkcs8', '-topk8', '-v2', 'aes-256-cbc', '-passout', `pass:${PASSPHRASE}`, ...key],
        ...['-outform', 'DER', '-out', `${name}.pkcs8.der`],
      ]),
      this.#run(['pkey', ...key, '-outform', 'DER', '-out', `${name}.key.der`]),
      this.#run(['x509', '-in', `${name}.crt`, '-outform', 'DER', '-out', `${name}.crt.der`]),
    ]);
  }

  async #deepClientFiles(
    deep: Promise<string>,
    intermediates: ReadonlyArray<Promise<string>>,
    root: Promise<string>,
  ): Promise<void> {
    const name = await deep;
    await Promise.all([
      this.#concatenate(`${name}.chain`, intermediates),
      this.#concatenate(`${name}.to-root`, [...intermediates, root]),
    ]);
    await this.#pfx(`${name}.pfx`, name, `${name}.to-root`, PASSPHRASE);
  }

  #pfx(out: string, name: string, others: string, passphrase: string): Promise<string> {
    return this.#run([
      ...['pkcs12', '-export', '-inkey', `${name}.key`, '-in', `${name}.crt`],
      ...['-certfile', others, '-passout', `pass:${passphrase}`, '-out', out],
    ]);
  }

  async #concatenate(out: string, names: ReadonlyArray<Promise<string>>): Promise<void> {
    const texts = names.map(async (name) => readFile(join(this.#dir, `${await name}.crt`), 'utf8'));
    await this.#write(out, (await Promise.all(texts)).join(''));
  }

  #record(name: string, commonName: string): void {
    this.#manifest.push({ name, subject: `CN=${commonName},O=${ORGANIZATION}` });
  }

  #run(args: readonly string[]): Promise<string> {
    return this.#limiter.run(() => openssl(args, this.#dir));
  }

  #write(file: string, text: string): Promise<void> {
    return writeFile(join(this.#dir, file), text);
  }
}
