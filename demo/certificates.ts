/** The demo's own throw-away certificates, made with the `openssl` command line tool. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Credential } from '../lib/index';
import { openssl, requireOpenssl } from '../test/support/openssl';

const CA = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
const CLIENT = ['basicConstraints=critical,CA:FALSE', 'extendedKeyUsage=clientAuth'];
const SERVER = ['basicConstraints=critical,CA:FALSE', 'subjectAltName=DNS:localhost'];
const EC = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

/** A certificate that may be picked. */
export interface Candidate {
  readonly name: string;
  readonly credential: Credential;
}

export interface Certificates {
  readonly server: { readonly certPath: string; readonly keyPath: string };
  /** Whom the client trusts, PEM. */
  readonly serverCa: string;
  /** A file with the two authorities whose clients the server lets in. */
  readonly clientCas: string;
  readonly candidates: readonly Candidate[];
  remove(): Promise<void>;
}

export async function makeCertificates(): Promise<Certificates> {
  await requireOpenssl().catch(() => {
    throw new Error(
      'the demo needs the openssl command line tool, version 3.0 or later (Debian, Ubuntu: ' +
        'apt-get install openssl; macOS: brew install openssl). The environment variable ' +
        'TCC_OPENSSL may name another one than the first on the PATH.',
    );
  });
  const dir = await mkdtemp(join(tmpdir(), 'tls-client-cert-demo-'));
  const remove = () => rm(dir, { recursive: true, force: true });
  try {
    await issueAll(dir);
    return { ...(await load(dir)), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function issueAll(dir: string): Promise<void> {
  // Ours, so that no distribution's openssl.cnf adds anything.
  await writeFile(join(dir, 'openssl.cnf'), '[req]\ndistinguished_name = dn\n[dn]\n');
  const issue = (name: string, extensions: string[], issuer?: string, key = EC) => {
    const signer = issuer === undefined ? [] : ['-CA', `${issuer}.crt`, '-CAkey', `${issuer}.key`];
    const added = extensions.flatMap((extension) => ['-addext', extension]);
    const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`];
    const subject = `/O=Example/CN=${name}`;
    return openssl(
      ['req', '-x509', '-config', 'openssl.cnf', '-newkey', ...key, '-noenc', '-days', '2'].concat([
        '-subj',
        subject,
        ...added,
        ...signer,
        ...files,
      ]),
      dir,
    );
  };
  const roots = ['Server CA', 'Staff CA', 'Partner CA', 'Visitor CA'];
  await Promise.all(roots.map((root) => issue(root, CA)));
  await issue('Partner Berlin CA', CA, 'Partner CA');
  await Promise.all([
    issue('localhost', SERVER, 'Server CA'),
    issue('Carol', CLIENT, 'Visitor CA', ['ed25519']),
    issue('Alice', CLIENT, 'Staff CA'),
    issue('Bob', CLIENT, 'Partner Berlin CA', ['rsa:2048']),
    issue('Dave', CLIENT, 'Staff CA', ['rsa:512']),
  ]);
}

async function load(dir: string): Promise<Omit<Certificates, 'remove'>> {
  const path = (file: string) => join(dir, file);
  const read = (file: string) => readFile(path(file), 'utf8');
  const candidate = async (name: string, ...intermediates: string[]): Promise<Candidate> => {
    const cert = await read(`${name}.crt`);
    const key = await read(`${name}.key`);
    const chain = await Promise.all(intermediates.map((ca) => read(`${ca}.crt`)));
    return { name, credential: new Credential({ cert, key, chain }) };
  };
  const clientCas = path('client-cas.crt');
  await writeFile(clientCas, (await read('Staff CA.crt')) + (await read('Partner CA.crt')));
  return {
    server: { certPath: path('localhost.crt'), keyPath: path('localhost.key') },
    serverCa: await read('Server CA.crt'),
    clientCas,
    candidates: await Promise.all([
      candidate('Carol'),
      candidate('Alice'),
      candidate('Bob', 'Partner Berlin CA'),
      candidate('Dave'),
    ]),
  };
}
