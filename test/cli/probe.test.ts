/** `probe`: what it finds of real servers, and that it shows them nothing. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ProbeReport } from '../../lib/cli/probe/report';
import { type Cli, type CliOptions, installCli } from '../support/cli';
import { startNodeServer } from '../support/node-server';
import { openssl } from '../support/openssl';
import { loadPki } from '../support/pki';
import { type SServerOptions, startSServer } from '../support/s-server';

const pki = loadPki();
const CA = ['--ca', pki.serverCa.certPath];

let cli: Cli;
let folder: string;

beforeAll(async () => {
  cli = installCli();
  folder = await mkdtemp(join(tmpdir(), 'tls-client-cert-probe-'));
});

afterAll(async () => {
  cli.remove();
  await rm(folder, { recursive: true, force: true });
});

async function probeText(port: number, args: readonly string[], options: CliOptions = {}) {
  const { end, stdout } = await cli.run(['probe', `localhost:${port}`, ...CA, ...args], options);
  expect(end).toBe(0);
  return stdout;
}

async function probe(port: number, args: readonly string[] = [], trust = CA): Promise<ProbeReport> {
  const { end, stdout } = await cli.run([
    'probe',
    `localhost:${port}`,
    '--json',
    ...trust,
    ...args,
  ]);
  expect(end).toBe(0);
  return JSON.parse(stdout) as ProbeReport;
}

const asking = (options: Partial<SServerOptions> = {}) =>
  startSServer({
    identity: pki.server,
    requestCert: 'required',
    clientCa: pki.clientCasPath,
    ...options,
  });

test('no name is asked for where --servername gives none', async () => {
  const server = await asking();
  const args = ['--servername', ''];
  expect((await probe(server.port, args)).target.servername).toBeNull();
  expect(await probeText(server.port, args)).not.toMatch(/, as /);
  await server.stop();
});

describe('a server that demands a certificate', () => {
  test('is told of in full, and sent nothing', async () => {
    const server = await asking();
    const report = await probe(server.port);
    expect(report).toMatchObject({
      format: 1,
      target: { host: 'localhost', port: server.port, servername: 'localhost', starttls: null },
      connection: {
        protocol: 'TLSv1.3',
        cipher: 'TLS_AES_256_GCM_SHA384',
        keyExchange: expect.stringMatching(/^X25519/),
        alpn: null,
      },
      server: { trusted: true, reason: null, explanation: null },
      asked: true,
      requirement: 'unknown',
      http: null,
    });
    const [request, ...others] = report.requests;
    expect(others).toEqual([]);
    expect(request).toMatchObject({
      when: 'handshake',
      path: null,
      protocol: 'TLSv1.3',
      certificateAuthorities: [
        { name: pki.clientCaA.subject, commonName: 'Client CA A' },
        { name: pki.clientCaB.subject, commonName: 'Client CA B' },
      ],
      certificateTypes: [],
      answer: 'none',
      serverGaveUp: false,
    });
    expect(request?.signatureSchemes).toContain('rsa_pss_rsae_sha256');
    expect(report.versions).toEqual([
      {
        version: 'TLSv1.3',
        accepted: true,
        cipher: 'TLS_AES_256_GCM_SHA384',
        alpn: null,
        asksInHandshake: true,
        certificateTypes: [],
        problem: null,
      },
      {
        version: 'TLSv1.2',
        accepted: true,
        cipher: expect.stringMatching(/^TLS_ECDHE_ECDSA_WITH_/),
        alpn: null,
        asksInHandshake: true,
        certificateTypes: expect.arrayContaining(['rsa_sign', 'ecdsa_sign']),
        problem: null,
      },
    ]);
    // Of its two connections the server saw the end, and of neither more than the ClientHello.
    await server.waitFor(/unexpected eof.*unexpected eof/s);
    expect(server.clientCertificateMessageCount).toBe(0);
    const received = server.output.match(/^<<< TLS 1\.\d, Handshake \[.*$/gm) ?? [];
    expect(received.map((line) => line.replace(/^.*\], /, ''))).toEqual([
      'ClientHello',
      'ClientHello',
    ]);
    await server.stop();
  });

  test("its certificate's facts are those that openssl prints", async () => {
    const server = await asking();
    const { server: facts } = await probe(server.port, ['--tls-min', '1.3']);
    await server.stop();
    const printed = await openssl(
      ['x509', '-in', pki.server.certPath, '-noout', '-fingerprint', '-sha256', '-serial'],
      '.',
    );
    expect(facts.certificates).toEqual([
      {
        subject: pki.server.subject,
        issuer: pki.serverCa.subject,
        subjectAltNames: ['DNS:localhost', 'IP Address:127.0.0.1'],
        serialNumber: /^serial=(.*)$/m.exec(printed)?.[1],
        validFrom: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z$/),
        validTo: expect.stringMatching(/Z$/),
        key: 'EC P-256',
        fingerprint256: /Fingerprint=(.*)$/m.exec(printed)?.[1],
      },
    ]);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    '%s: --decline finds that it is required',
    async (protocol) => {
      const server = await asking({ protocol });
      const report = await probe(server.port, ['--decline']);
      expect(report).toMatchObject({
        requirement: 'required',
        requests: [{ protocol, answer: 'declined' }],
      });
      const [notAccepted] = report.versions.filter(({ version }) => version !== protocol);
      expect(notAccepted).toMatchObject({ accepted: false, problem: 'not accepted' });
      // The one that was declined, and none from the other version.
      expect(await server.clientChain()).toEqual([]);
      expect(server.clientCertificateMessageCount).toBe(1);
      await server.stop();
    },
  );
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)(
  '%s: --decline finds that it is optional',
  async (protocol) => {
    const server = await asking({ protocol, requestCert: 'optional' });
    expect(await probe(server.port, ['--decline'])).toMatchObject({
      requirement: 'optional',
      requirementReason: expect.stringContaining('kept the connection open'),
    });
    await server.stop();
  },
);

test('--decline sees it where a server of Node closes without a word', async () => {
  const server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) => setImmediate(() => socket.destroy()),
  });
  expect(await probe(server.port, ['--decline', '--tls-min', '1.3'])).toMatchObject({
    requirement: 'required',
    requirementReason: 'it closed the connection when it got none',
  });
  await server.close();
});

test('a server that never asks', async () => {
  const server = await startSServer({ identity: pki.server });
  expect(await probe(server.port)).toMatchObject({
    asked: false,
    requests: [],
    requirement: null,
    server: { certificates: [{ subject: pki.server.subject }] },
    versions: [{ asksInHandshake: false }, { asksInHandshake: false }],
  });
  const text = await probeText(server.port, []);
  expect(text).toMatch(
    /^asked for +no, not in the handshake; a web server may ask later \(--path/m,
  );
  await server.stop();
});

test('a server that names no authorities takes any', async () => {
  const server = await asking({ nameClientCa: false });
  const text = await probeText(server.port, ['--tls-min', '1.3']);
  expect(text).toContain('\nany: the server names none\n');
  await server.stop();
});

test.each([
  ['untrustedServer', 'DEPTH_ZERO_SELF_SIGNED_CERT', /self-signed/],
  ['expiredServer', 'CERT_HAS_EXPIRED', /has expired/],
  ['wrongNameServer', 'ERR_TLS_CERT_ALTNAME_INVALID', /for another name/],
] as const)(
  'a server that is not trusted is looked at all the same: %s',
  async (name, reason, words) => {
    const server = await asking({ identity: pki[name] });
    expect(await probe(server.port, ['--tls-min', '1.3'])).toMatchObject({
      server: { trusted: false, reason, explanation: expect.stringMatching(words) },
      asked: true,
    });
    const text = await probeText(server.port, ['--tls-min', '1.3']);
    expect(text).toMatch(
      /^server +not trusted \(\w+\): .*It was looked at all the same, and shown nothing\.$/m,
    );
    expect(server.clientCertificateMessageCount).toBe(0);
    await server.stop();
  },
);

test('ALPN, ciphers and versions are as asked for', async () => {
  const server = await startNodeServer({ identity: pki.server, ALPNProtocols: ['h2', 'http/1.1'] });
  const suite = 'TLS_CHACHA20_POLY1305_SHA256';
  const report = await probe(server.port, [
    '--alpn',
    'http/1.1',
    '--ciphers',
    suite,
    '--tls-min',
    '1.3',
  ]);
  expect(report.connection).toMatchObject({ alpn: 'http/1.1', cipher: suite });
  expect(report.versions.map(({ version }) => version)).toEqual(['TLSv1.3']);
  await server.close();
});

test('--hold leaves the request open, and sees when the server gives up', async () => {
  const server = await startNodeServer({ identity: pki.server, handshakeTimeout: 2_000 });
  server.server.on('tlsClientError', (_, socket) => socket.destroy());
  const began = Date.now();
  const { requests, requirement } = await probe(server.port, ['--hold', '10', '--tls-min', '1.3']);
  expect(Date.now() - began).toBeLessThan(8000);
  expect(requirement).toBe('unknown');
  expect(requests).toMatchObject([{ answer: 'none', serverGaveUp: true }]);
  expect(requests[0]?.heldMs).toBeGreaterThan(0);
  await server.close();
});

test('a server that asks after the handshake is sent no certificate either', async () => {
  const server = await startSServer({
    identity: pki.server,
    protocol: 'TLSv1.3',
    clientCa: pki.clientCaA.certPath,
  });
  const report = probe(server.port, ['--path', '/late', '--tls-min', '1.3']);
  await server.waitFor('GET /late HTTP/1.1');
  server.type('c');
  expect(await report).toMatchObject({
    requests: [{ when: 'post-handshake', path: '/late', answer: 'none' }],
    http: { problem: 'it asked for a certificate instead' },
    versions: [{ asksInHandshake: false }],
  });
  expect(server.clientCertificateMessageCount).toBe(0);
  await server.stop();
});

test.each([
  [
    'hints before its answer',
    'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    204,
  ],
  ['the beginning of an answer, and no more', 'HTTP/1.', null],
])('--path at a server that sends %s', async (_what, answer, status) => {
  const server = await startNodeServer({
    identity: pki.server,
    requestCert: false,
    onConnection: (socket) => void socket.once('data', () => socket.write(answer)),
  });
  const { http } = await probe(server.port, ['--path', '/', '--tls-min', '1.3', '--timeout', '1']);
  expect(http).toEqual({ path: '/', status, problem: null });
  await server.close();
});

test('versions below 1.2 are tried where they are let', async () => {
  const old = ['--tls-min', '1.0', '--ciphers', 'DEFAULT@SECLEVEL=0'];
  const args = ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'];
  const server = await asking({ args });
  const { connection, versions, requests } = await probe(server.port, old);
  expect(connection.protocol).toBe('TLSv1.1');
  expect(versions.map(({ version, accepted }) => [version, accepted])).toEqual([
    ['TLSv1.3', false],
    ['TLSv1.2', false],
    ['TLSv1.1', true],
    ['TLSv1', false],
  ]);
  expect(requests).toMatchObject([{ protocol: 'TLSv1.1', signatureSchemes: [] }]);
  await server.stop();
});

test('SSLKEYLOGFILE gets the secrets', async () => {
  const server = await asking();
  const file = join(folder, 'keys.log');
  await probeText(server.port, ['--tls-min', '1.3'], { env: { SSLKEYLOGFILE: file } });
  expect(await readFile(file, 'utf8')).toMatch(/^SERVER_HANDSHAKE_TRAFFIC_SECRET [0-9a-f]{64} /m);
  await server.stop();
});

describe('the report', () => {
  let port: number;
  let stop: () => Promise<void>;
  beforeAll(async () => {
    const server = await asking({ protocol: 'TLSv1.3' });
    port = server.port;
    stop = () => server.stop();
  });
  afterAll(() => stop());

  test('is laid out for a terminal of 80 columns', async () => {
    const text = await probeText(port, [], { env: { COLUMNS: '80' } });
    expect(text).toContain(`
Acceptable authorities (2)
Common name  Full name
───────────  ──────────────────────────────────────
Client CA A  CN=Client CA A,O=tls-client-cert tests
Client CA B  CN=Client CA B,O=tls-client-cert tests

TLS versions
Version  Accepted  Cipher suite            Asks
───────  ────────  ──────────────────────  ────
TLSv1.3  yes       TLS_AES_256_GCM_SHA384  yes
TLSv1.2  no        not accepted
`);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(text).toMatch(/^asked for {3}yes, in the handshake \(TLSv1\.3\)\n/m);
  });

  test('fits into 40 columns: what is too wide becomes a list', async () => {
    const text = await probeText(port, [], { env: { COLUMNS: '40' } });
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(40);
    expect(text).toContain(
      '\nVersion: TLSv1.3\nAccepted: yes\nCipher suite: TLS_AES_256_GCM_SHA384\n',
    );
  });

  test('is words alone in plain mode', async () => {
    const text = await probeText(port, ['--plain'], {
      env: { COLUMNS: '80', FORCE_COLOR: '1' },
    });
    expect(text).not.toMatch(/[─│═]/);
    expect(text).not.toContain('\x1b');
    expect(text).toContain(
      '\nCommon name: Client CA A\nFull name: CN=Client CA A,O=tls-client-cert',
    );
  });

  test.each([
    ['nothing is set', {}, [], false],
    ['FORCE_COLOR', { FORCE_COLOR: '1' }, [], true],
    ['NO_COLOR goes before FORCE_COLOR', { FORCE_COLOR: '1', NO_COLOR: '1' }, [], false],
    ['--color=always goes before NO_COLOR', { NO_COLOR: '1' }, ['--color=always'], true],
    ['--color=never goes before FORCE_COLOR', { FORCE_COLOR: '1' }, ['--color=never'], false],
  ])('has colours only where they are wanted: %s', async (_, env, args, colours) => {
    const text = await probeText(port, args, { env });
    expect(text.includes('\x1b[1m')).toBe(colours);
  });
});

test('what a server puts into its names does not reach the terminal', async () => {
  const evil = 'evil\u001b]0;owned\u0007\u202egpj.exe';
  const key = join(folder, 'evil.key');
  const cert = join(folder, 'evil.crt');
  const subject = `/CN=${evil}`;
  const args = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-utf8'];
  await openssl(['req', ...args, '-keyout', key, '-out', cert, '-subj', subject], folder);
  const server = await asking({ identity: { certPath: cert, keyPath: key }, clientCa: cert });
  const text = await probeText(server.port, ['--tls-min', '1.3']);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  expect(text).toContain('evil\\x1b]0;owned\\x07\\u202egpj.exe');
  const { stdout } = await cli.run([
    'probe',
    `localhost:${server.port}`,
    '--json',
    '--tls-min',
    '1.3',
  ]);
  expect(stdout).not.toMatch(/[\u007f-\u009f\u202a-\u202e]/);
  expect(JSON.parse(stdout).requests[0].certificateAuthorities[0].commonName).toBe(evil);
  await server.stop();
});
