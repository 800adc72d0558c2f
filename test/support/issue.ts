/** Certificates that the test PKI does not have: with other purposes, and of other times. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openssl } from './openssl';
import type { Identity } from './pki';

const ORGANIZATION = 'tls-client-cert tests';

const CONFIG = `
[req]
distinguished_name = subject
prompt = no
[subject]
[authority]
database = index.txt
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any_subject
[any_subject]
organizationName = supplied
commonName = supplied
[extensions]
`;

export interface Order {
  /** File name, and with spaces for dashes the CN. */
  readonly name: string;
  readonly issuer: Pick<Identity, 'certPath' | 'keyPath'>;
  /** Lines of openssl's configuration, such as `keyUsage = digitalSignature`. Default: none. */
  readonly extensions?: readonly string[];
  /** `YYYYMMDDHHMMSSZ`. Default: 2020. */
  readonly from?: string;
  /** `YYYYMMDDHHMMSSZ`. Default: 2049. */
  readonly to?: string;
}

/** A folder to issue certificates in; `remove()` it. */
export class Issuer {
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
  }

  static async create(): Promise<Issuer> {
    return new Issuer(await mkdtemp(join(tmpdir(), 'tls-client-cert-issue-')));
  }

  remove(): Promise<void> {
    return rm(this.#dir, { recursive: true, force: true });
  }

  /** An EC P-256 key and a certificate for it. */
  async issue(order: Order): Promise<Identity> {
    const { name, issuer, extensions = [] } = order;
    const { from = '20200101000000Z', to = '20491231000000Z' } = order;
    // `openssl ca` keeps books; a folder for each certificate keeps them apart.
    const dir = join(this.#dir, name);
    await mkdir(dir);
    // Without one of its own it would not take the section.
    const lines = extensions.length > 0 ? extensions : ['subjectKeyIdentifier = hash'];
    await writeFile(join(dir, 'openssl.cnf'), CONFIG + lines.join('\n'));
    await writeFile(join(dir, 'index.txt'), '');
    const commonName = name.replaceAll('-', ' ');
    await openssl(
      [
        ...['req', '-new', '-config', 'openssl.cnf', '-newkey', 'ec', '-noenc'],
        ...['-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', 'key.pem', '-out', 'csr.pem'],
        ...['-subj', `/O=${ORGANIZATION}/CN=${commonName}`],
      ],
      dir,
    );
    await openssl(
      [
        ...['ca', '-batch', '-notext', '-config', 'openssl.cnf', '-name', 'authority'],
        ...['-cert', issuer.certPath, '-keyfile', issuer.keyPath, '-extensions', 'extensions'],
        ...['-startdate', from, '-enddate', to, '-in', 'csr.pem', '-out', 'cert.pem'],
      ],
      dir,
    );
    const certPath = join(dir, 'cert.pem');
    const keyPath = join(dir, 'key.pem');
    return {
      name,
      subject: `CN=${commonName},O=${ORGANIZATION}`,
      cert: await readFile(certPath, 'utf8'),
      key: await readFile(keyPath, 'utf8'),
      certPath,
      keyPath,
    };
  }
}
