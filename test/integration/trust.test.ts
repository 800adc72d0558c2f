/** Whom the client trusts: Node's authorities by default, those of `ca` in their place. */
import { spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import tls from 'node:tls';
import { binding } from '../../lib/binding';
import { type ConnectionOptions, connect, createSecureContext } from '../../lib/index';
import { failure, hangUp, secured, within } from '../support/client';
import { plainEnvironment } from '../support/environment';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';

const pki = loadPki();
const ca = pki.serverCa.cert;
const der = new X509Certificate(ca).raw;

let server: NodeServer;
beforeAll(async () => {
  server = await startNodeServer({ identity: pki.server });
});
afterAll(() => server.close());

/** `dial` of the other tests would bring the test authority along. */
const dialPlain = (options: ConnectionOptions = {}) =>
  connect({ host: '127.0.0.1', servername: 'localhost', port: server.port, ...options });

/** `true`, or the code with which node:tls refuses. */
async function verdictOfNode(options: tls.ConnectionOptions): Promise<true | string | undefined> {
  const base = { host: '127.0.0.1', servername: 'localhost', port: server.port };
  const socket = tls.connect({ ...base, ...options });
  return new Promise((resolve) => {
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.once('secureConnect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

async function verdict(options: ConnectionOptions): Promise<true | string | undefined> {
  const socket = dialPlain(options);
  try {
    await secured(socket);
    return socket.authorized || 'connected without being authorized';
  } catch (error) {
    return (error as { code?: string }).code;
  } finally {
    await hangUp(socket);
  }
}

test.each<[string, tls.SecureContextOptions, boolean]>([
  ['nothing', {}, false],
  ['the authority', { ca }, true],
  ['it in bytes', { ca: Buffer.from(ca) }, true],
  ['it in a list', { ca: [pki.clientCaA.cert, ca] }, true],
  ['it among others in one PEM', { ca: pki.clientCaA.cert + ca }, true],
  ['another authority', { ca: pki.clientCaA.cert }, false],
  ['an empty list', { ca: [] }, false],
  ['the leaf itself', { ca: pki.server.cert }, false],
  [
    'the leaf itself, partial chains allowed',
    { ca: pki.server.cert, allowPartialTrustChain: true },
    true,
  ],
  ['the authority and its list of revocations', { ca, crl: pki.crl }, true],
  ['that list in bytes, in a list', { ca, crl: [Buffer.from(pki.crl)] }, true],
])('trusting %s comes to what node:tls says', async (_what, options, trusted) => {
  const expected = await verdictOfNode(options);
  expect(expected === true).toBe(trusted);
  expect(await verdict(options as ConnectionOptions)).toBe(expected);
});

test('an authority may be DER or parsed', async () => {
  expect(await verdict({ ca: der })).toBe(true);
  expect(await verdict({ ca: [new X509Certificate(ca)] })).toBe(true);
});

test('the default authorities are parsed once for all contexts', () => {
  const first = createSecureContext();
  const before = binding.live().trustStores;
  const more = Array.from({ length: 5 }, () => createSecureContext({ sigalgs: 'ECDSA+SHA256' }));
  expect(binding.live().trustStores).toBe(before);
  expect(new Set([first, ...more]).size).toBe(6);
});

describe('a Node that says what its defaults are (getCACertificates)', () => {
  const node = tls as { getCACertificates?: unknown };
  const own = Object.getOwnPropertyDescriptor(node, 'getCACertificates');
  const pretend = (list: string[]) =>
    Object.defineProperty(node, 'getCACertificates', {
      configurable: true,
      value: (type: string) => (type === 'default' ? list : []),
    });

  afterEach(() => {
    if (own === undefined) delete node.getCACertificates;
    else Object.defineProperty(node, 'getCACertificates', own);
  });

  test('is believed, also when they change', async () => {
    pretend([ca]);
    expect(await verdict({})).toBe(true);
    expect(await verdict({ sigalgs: 'ECDSA+SHA256' })).toBe(true);
    pretend([pki.clientCaA.cert]);
    expect(await verdict({ sigalgs: 'ECDSA+SHA256' })).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(await verdict({})).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    pretend([]);
    expect(await verdict({ minVersion: 'TLSv1.2' })).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });

  test('a revocation list alone does not replace them', async () => {
    pretend([ca]);
    expect(await verdict({ crl: pki.crl })).toBe(true);
  });
});

describe('the environment', () => {
  const PROGRAM = `
    const { connect } = require('./lib/index');
    const [port, ca] = process.argv.slice(1);
    const socket = connect({ port: Number(port), host: '127.0.0.1', servername: 'localhost',
      ...(ca === '' ? {} : { ca }) });
    const say = (what) => { console.log(what); socket.destroy(); };
    socket.once('secureConnect', () => say(socket.authorized + ' ' + socket.authorizationError));
    socket.once('error', (error) => say(error.code));
  `;

  async function child(environment: NodeJS.ProcessEnv, option = '', flags: string[] = []) {
    const args = [...flags, '--require', './tools/register-typescript.cjs', '-e', PROGRAM];
    const running = spawn(process.execPath, [...args, String(server.port), option], {
      env: { ...plainEnvironment(), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const printed = { out: '', err: '' };
    running.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed.out += text;
    });
    running.stderr.setEncoding('utf8').on('data', (text: string) => {
      printed.err += text;
    });
    const [status] = await within('exit', once(running, 'close'), 15_000);
    expect(status).toBe(0);
    return printed;
  }

  test('NODE_EXTRA_CA_CERTS adds to the default authorities, not to `ca`', async () => {
    const extra = { NODE_EXTRA_CA_CERTS: pki.serverCa.certPath };
    const [alone, withCa, without] = await Promise.all([
      child(extra),
      child(extra, pki.clientCaA.cert),
      child({ NODE_EXTRA_CA_CERTS: '' }),
    ]);
    expect(alone.out).toBe('true null\n');
    expect(withCa.out).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE\n');
    expect(without.out).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE\n');
  });

  test('NODE_EXTRA_CA_CERTS that cannot be read costs a warning, no more', async () => {
    const file = join(pki.dir, 'no-such-file');
    const { out, err } = await child({ NODE_EXTRA_CA_CERTS: file });
    expect(out).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE\n');
    expect(err).toContain(`Ignoring extra certs from \`${file}\``);
  });

  test('NODE_EXTRA_CA_CERTS without a certificate takes nothing from the others', async () => {
    const { out } = await child({ NODE_EXTRA_CA_CERTS: pki.serverCa.keyPath });
    expect(out).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE\n');
  });

  test.each([
    ["OpenSSL's file", pki.serverCa.certPath, '', ['--use-openssl-ca']],
    ['it, by the other spelling', pki.serverCa.certPath, '', ['--use_openssl_ca']],
    ['NODE_EXTRA_CA_CERTS beside it', pki.clientCaA.certPath, pki.serverCa.certPath, []],
  ])('--use-openssl-ca: %s is trusted', async (_what, file, extra, flags) => {
    const environment = {
      ...{ SSL_CERT_FILE: file, SSL_CERT_DIR: pki.dir, NODE_EXTRA_CA_CERTS: extra },
      ...(flags.length === 0 && { NODE_OPTIONS: '--use-openssl-ca' }),
    };
    expect((await child(environment, '', flags)).out).toBe('true null\n');
    const other = {
      ...environment,
      SSL_CERT_FILE: pki.clientCaA.certPath,
      NODE_EXTRA_CA_CERTS: '',
    };
    expect((await child(other, '', flags)).out).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE\n');
  });

  test('NODE_TLS_REJECT_UNAUTHORIZED=0 lets every server through, with a warning', async () => {
    const { out, err } = await child({ NODE_TLS_REJECT_UNAUTHORIZED: '0' });
    expect(out).toBe('false UNABLE_TO_VERIFY_LEAF_SIGNATURE\n');
    expect(err).toContain('NODE_TLS_REJECT_UNAUTHORIZED');
  });
});

test('a server that is trusted by nobody fails without having been named', async () => {
  expect((await failure(dialPlain())).message).toMatch(/^unable to verify the first certificate/);
});
