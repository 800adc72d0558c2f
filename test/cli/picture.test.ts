/** `probe --svg`: a drawing of a real handshake, and the one that the README shows. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Messages } from '../../lib/cli/probe/messages';
import { drawHandshake } from '../../lib/cli/probe/picture';
import type { ProbeReport } from '../../lib/cli/probe/report';
import { type Cli, installCli } from '../support/cli';
import { loadPki } from '../support/pki';
import { type SServer, startSServer } from '../support/s-server';

const pki = loadPki();
/** Run with `TCC_WRITE_PICTURE=1` to draw it anew. */
const SHOWN = join(__dirname, '../../docs/cli/probe.svg');

let cli: Cli;
let folder: string;
let server: SServer;

beforeAll(async () => {
  cli = installCli();
  folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-picture-'));
  const clientCa = pki.clientCasPath;
  server = await startSServer({ identity: pki.server, requestCert: 'required', clientCa });
});

afterAll(async () => {
  await server.stop();
  cli.remove();
  rmSync(folder, { recursive: true, force: true });
});

async function draw(...args: string[]): Promise<string> {
  const file = join(folder, 'picture.svg');
  const trust = ['--ca', pki.serverCa.certPath, '--json', '--svg', file];
  const { end } = await cli.run(['probe', `localhost:${server.port}`, ...trust, ...args]);
  expect(end).toBe(0);
  return readFileSync(file, 'utf8');
}

/** The texts in it, from top to bottom, without those of the times at the side. */
function texts(svg: string): string[] {
  return [...svg.matchAll(/<text class="(?!time)[^"]*"[^>]*>([^<]*)<\/text>/g)].map(
    ([, text = '']) => text,
  );
}

/** Times that do not differ from run to run, for the picture that is kept. */
const TIMES = ['0.0', '3.1', '3.1', '3.1', '3.1', '3.2', '3.4', '1503.8', '1503.8', '1503.9'];

function withFixedTimes(svg: string): string {
  let n = 0;
  return svg
    .replaceAll(`localhost:${server.port}`, 'localhost:8443')
    .replace(
      /(class="time end"[^>]*>)[\d.]+ ms</g,
      (_, start) => `${start}${TIMES[n++] ?? '1505.2'} ms<`,
    )
    .replace(/suspended(:| for) [\d.]+ m?s/g, 'suspended$1 1.50 s');
}

/** Other versions of OpenSSL have messages of other lengths. */
function withoutLengths(svg: string): string {
  return svg.replace(/\(\d+ bytes\)/g, '(… bytes)');
}

const UP_TO_THE_REQUEST = [
  /^ClientHello \(\d+ bytes\)$/,
  /^ServerHello \(\d+ bytes\)$/,
  /^EncryptedExtensions \(\d+ bytes\)$/,
  /^CertificateRequest \(\d+ bytes\)$/,
  /^Certificate \(\d+ bytes\)$/,
  /^CertificateVerify \(\d+ bytes\)$/,
];

test('TLS 1.3: the messages up to the request, and the wait', async () => {
  const svg = await draw('--hold', '0.2', '--tls-min', '1.3');
  expect(texts(svg)).toEqual(
    [
      /^localhost:\d+$/,
      /^TLSv1\.3 · TLS_AES_256_GCM_SHA384 · X25519\w*$/,
      /^client$/,
      /^server$/,
      ...UP_TO_THE_REQUEST,
      /^handshake suspended: 2\d\d\.\d ms$/,
      /^no answer was given$/,
      /^the connection was ended, and no certificate sent$/,
    ].map((pattern) => expect.stringMatching(pattern)),
  );
});

test('TLS 1.2, declined: what was sent is drawn, and how the server took it', async () => {
  const drawn = texts(await draw('--decline', '--tls-max', '1.2')).slice(4);
  expect(drawn.map((text) => text.replace(/:? [(\d].*$/, ''))).toEqual([
    'ClientHello',
    'ServerHello',
    'Certificate',
    'ServerKeyExchange',
    'CertificateRequest',
    'handshake suspended',
    'answered: there is no certificate',
    'ServerHelloDone',
    'Certificate',
    'ClientKeyExchange',
    'Finished',
    'Alert: handshake_failure',
    'the client said that it has no certificate',
  ]);
});

test('the picture in the README is one of a real handshake', async () => {
  const svg = withFixedTimes(await draw('--hold', '0.2', '--decline', '--tls-min', '1.3'));
  if (process.env.TCC_WRITE_PICTURE) writeFileSync(SHOWN, svg);
  expect(withoutLengths(readFileSync(SHOWN, 'utf8'))).toBe(withoutLengths(svg));
});

test('is one file, for light and dark, that holds nothing of others', async () => {
  const svg = readFileSync(SHOWN, 'utf8');
  expect(svg).toContain('@media (prefers-color-scheme: dark)');
  expect(svg.replace('xmlns="http://www.w3.org/2000/svg"', '')).not.toMatch(
    /https?:|href|url\(|@import|<script|<image|<foreignObject/,
  );
});

const REPORT: ProbeReport = {
  format: 1,
  target: { host: 'localhost', port: 1, servername: null, starttls: null },
  connection: { protocol: 'TLSv1.3', cipher: null, keyExchange: null, alpn: '<b>' },
  server: { trusted: true, reason: null, explanation: null, certificates: [] },
  asked: false,
  requests: [],
  requirement: null,
  requirementReason: null,
  http: null,
  versions: [],
};

const drawn = (host: string, messages = new Messages()) =>
  drawHandshake({ ...REPORT, target: { ...REPORT.target, host } }, messages);

test('names that would be markup are text in it', () => {
  const svg = drawn('<script>&"\'\u0007');
  expect(svg).not.toMatch(/<script|<b>/);
  expect(svg).not.toContain('\u0007');
  expect(svg).toContain('&lt;script&gt;&amp;&quot;&#39;\\x07:1');
});

test('what is too long for it is cut', () => {
  const messages = new Messages();
  messages.sent(`GET /${'a'.repeat(200)}`);
  const longest = texts(drawn(`${'b'.repeat(200)}.example`, messages)).map((text) => text.length);
  expect(Math.max(...longest)).toBe(72);
});
