/** Whom a certificate is made out for: this package and `node:tls` decide alike, on certificates made for the purpose. */
import tls from 'node:tls';
import { connect } from '../../lib/index';
import { type AnyError, within } from '../support/client';
import { Issuer } from '../support/issue';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { type Identity, loadPki } from '../support/pki';

jest.setTimeout(60_000);

const pki = loadPki();
const ca = pki.serverCa.cert;

/** DER of a GeneralName, by hand: openssl's own configuration would refuse some of these. */
const named = (tag: number, value: Buffer) => Buffer.concat([Buffer.of(tag, value.length), value]);
const dns = (name: string) => named(0x82, Buffer.from(name, 'latin1'));
const ip = (...bytes: number[]) => named(0x87, Buffer.from(bytes));
const uri = (name: string) => named(0x86, Buffer.from(name, 'latin1'));
const email = (name: string) => named(0x81, Buffer.from(name, 'latin1'));
const san = (...names: Buffer[]) => {
  const body = Buffer.concat(names);
  return `subjectAltName = DER:${Buffer.concat([Buffer.of(0x30, body.length), body]).toString('hex')}`;
};

/** The common name is the certificate's name with spaces for dashes. */
const CERTIFICATES: Readonly<Record<string, string[]>> = {
  plain: [san(dns('a.example'), dns('b.example'))],
  wildcard: [san(dns('*.w.example'), dns('part*.p.example'), dns('*'), dns('*.com'))],
  inner: [san(dns('x.*.example'), dns('*.*.double.example'), dns('xn--*.example'))],
  address: [san(ip(127, 0, 0, 1), ip(...Buffer.from('00000000000000000000000000000001', 'hex')))],
  'address-as-name': [san(dns('127.0.0.1'))],
  idn: [san(dns('xn--bcher-kva.example'), dns('*.xn--bcher-kva.example'))],
  nul: [san(dns('good.example\0.evil.example'))],
  quoted: [san(dns('good.example, DNS:evil.example'), uri('http://x/, DNS:uri.example'))],
  'quoted-json': [san(dns('a"b.example'), dns('"), DNS:quote.example'))],
  dotted: [san(dns('dot.example.'), dns('.lead.example'))],
  'cn.example': [],
  'cn-beside.example': [san(dns('other.example'))],
  'cn-by-mail.example': [san(email('who@mail.example'))],
  'cn-by-uri.example': [san(uri('https://uri.example/'))],
  upper: [san(dns('UPPER.Example'))],
};

const NAMES: Readonly<Record<string, string[]>> = {
  plain: ['a.example', 'b.example', 'A.EXAMPLE', 'a.example.', 'c.example', 'x.a.example', 'plain'],
  wildcard: [
    'a.w.example',
    'a.b.w.example',
    'w.example',
    '.w.example',
    'parted.p.example',
    'other.p.example',
    'com',
    'x.com',
    '*.w.example',
  ],
  inner: ['x.y.example', 'a.b.double.example', 'xn--y.example'],
  address: ['127.0.0.1', '::1', '127.0.0.2', '0:0:0:0:0:0:0:1', '127.1'],
  'address-as-name': ['127.0.0.1'],
  idn: ['xn--bcher-kva.example', 'bücher.example', 'a.xn--bcher-kva.example'],
  nul: ['good.example', 'evil.example', 'good.example\0.evil.example'],
  quoted: ['good.example', 'evil.example', 'uri.example'],
  'quoted-json': ['quote.example', 'a"b.example'],
  dotted: ['dot.example', 'dot.example.', 'x.lead.example', 'lead.example'],
  'cn.example': ['cn.example', 'other.example'],
  'cn-beside.example': ['cn beside.example', 'other.example'],
  'cn-by-mail.example': ['cn by mail.example', 'mail.example'],
  'cn-by-uri.example': ['cn by uri.example', 'uri.example'],
  upper: ['upper.example', 'UPPER.EXAMPLE'],
};

/** Those that must not be taken for the server, whatever Node says. */
const NEVER: Readonly<Record<string, string[]>> = {
  nul: ['good.example', 'evil.example'],
  quoted: ['good.example', 'evil.example', 'uri.example'],
  'quoted-json': ['quote.example'],
  'cn-beside.example': ['cn beside.example'],
  'address-as-name': ['127.0.0.1'],
  plain: ['c.example', 'x.a.example', 'plain'],
  wildcard: ['a.b.w.example', 'w.example', 'com'],
};

let issuer: Issuer;
let server: NodeServer;
const identities = new Map<string, Identity>();

beforeAll(async () => {
  issuer = await Issuer.create();
  await Promise.all(
    Object.entries(CERTIFICATES).map(async ([name, extensions]) => {
      identities.set(name, await issuer.issue({ name, issuer: pki.serverCa, extensions }));
    }),
  );
  server = await startNodeServer({
    identity: pki.server,
    requestCert: false,
    SNICallback: (_name, done) => done(null, current),
  });
});
afterAll(async () => {
  await server?.close();
  await issuer?.remove();
});

afterEach(() => {
  jest.restoreAllMocks();
});

let current: tls.SecureContext | undefined;

type Verdict = readonly [code: string, reason: string | undefined];

const nodesCheck = tls.checkServerIdentity;

/** The certificate is chosen for whoever connects next: both send a name of no meaning. */
function verdict(
  client: typeof connect | typeof tls.connect,
  hostname: string,
  options: Pick<tls.ConnectionOptions, 'checkServerIdentity'> = {},
): Promise<Verdict> {
  // The default one of both: only that is given what is read of the leaf alone.
  const asDefault = jest
    .spyOn(tls, 'checkServerIdentity')
    .mockImplementation((_name, certificate) => nodesCheck(hostname, certificate));
  const socket = (client as typeof tls.connect)({
    host: '127.0.0.1',
    port: server.port,
    ca,
    servername: 'sni.example',
    ...options,
  });
  return within(
    hostname,
    new Promise((resolve) => {
      socket.once('secureConnect', () => resolve(['accepted', undefined]));
      socket.once('error', (error: AnyError & { reason?: string }) =>
        resolve([error.code ?? error.message, error.reason]),
      );
    }).then((seen) => {
      socket.destroy();
      expect(asDefault).toHaveBeenCalledTimes('checkServerIdentity' in options ? 0 : 1);
      asDefault.mockRestore();
      return seen as Verdict;
    }),
  );
}

test.each(Object.entries(NAMES))('%s: for each name both say the same', async (name, hostnames) => {
  const { cert, key } = identities.get(name) as Identity;
  current = tls.createSecureContext({ cert, key });
  for (const hostname of hostnames) {
    const checkServerIdentity = (_name: string, certificate: tls.PeerCertificate) =>
      nodesCheck(hostname, certificate);
    const nodes = await verdict(tls.connect, hostname);
    const ours = await verdict(connect, hostname);
    const byOwnCheck = await verdict(connect, hostname, { checkServerIdentity });
    expect([hostname, ...ours]).toEqual([hostname, ...nodes]);
    expect([hostname, ...byOwnCheck]).toEqual([hostname, ...nodes]);
    if (NEVER[name]?.includes(hostname))
      expect([hostname, ours[0]]).toEqual([hostname, 'ERR_TLS_CERT_ALTNAME_INVALID']);
  }
});

test('the name that is checked is the one that was asked for, in both', async () => {
  const { cert, key } = identities.get('plain') as Identity;
  current = tls.createSecureContext({ cert, key });
  for (const client of [connect, tls.connect] as (typeof tls.connect)[]) {
    for (const [servername, expected] of [
      ['a.example', 'accepted'],
      ['c.example', 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ]) {
      const socket = client({
        host: '127.0.0.1',
        port: server.port,
        ca,
        servername: String(servername),
      });
      const code = await within(
        'verdict',
        new Promise((resolve) => {
          socket.once('secureConnect', () => resolve('accepted'));
          socket.once('error', (error: AnyError) => resolve(error.code));
        }),
      );
      expect([servername, code]).toEqual([servername, expected]);
      socket.destroy();
    }
  }
});
