/** The name that counts is on the server's own certificate: those of who issued it, and of who issued that, open nothing. */
import tls from 'node:tls';
import type { ConnectionOptions } from '../../lib/index';
import { dial, failure, hangUp, secured } from '../support/client';
import { Issuer } from '../support/issue';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { type Identity, loadPki } from '../support/pki';

const pki = loadPki();
const authority = (name: string) => [
  'basicConstraints = critical, CA:TRUE',
  'keyUsage = keyCertSign',
  `subjectAltName = DNS:${name}`,
];

let issuer: Issuer;
/** Each issued by the one before it, the first by the root that the client trusts. */
let upper: Identity;
let lower: Identity;
const servers: Record<string, NodeServer> = {};

beforeAll(async () => {
  issuer = await Issuer.create();
  const issue = (name: string, by: typeof pki.serverCa | Identity, extensions: string[]) =>
    issuer.issue({ name, issuer: by, extensions });
  upper = await issue('upper.example', pki.serverCa, authority('upper.example'));
  lower = await issue('lower.example', upper, authority('lower.example'));
  const leaves = {
    'that has another name': await issue('named', lower, ['subjectAltName = DNS:leaf.example']),
    'that has no alternative name': await issue('leaf.example', lower, []),
  };
  for (const [kind, { cert, key }] of Object.entries(leaves)) {
    const identity = { cert: cert + lower.cert + upper.cert, key };
    servers[kind] = await startNodeServer({ identity });
  }
});
afterAll(async () => {
  await Promise.all(Object.values(servers).map((server) => server.close()));
  await issuer?.remove();
});

const CHECKS: [string, Partial<ConnectionOptions>][] = [
  ['by default', {}],
  [
    "by a program's own check, which asks Node's",
    { checkServerIdentity: (name, certificate) => tls.checkServerIdentity(name, certificate) },
  ],
];

describe.each(['that has another name', 'that has no alternative name'])('a leaf %s', (kind) => {
  test.each(CHECKS)("is not taken for its issuers' names, %s", async (_how, check) => {
    const to = (servername: string, options: ConnectionOptions = {}) =>
      dial(servers[kind] as NodeServer, { servername, ...check, ...options });
    const expectRefused = async (name: string, options: ConnectionOptions = {}) => {
      const clientCertCallback = jest.fn(() => pki.clients.ec256);
      expect(await failure(to(name, { clientCertCallback, ...options }))).toMatchObject({
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      });
      expect(clientCertCallback).not.toHaveBeenCalled();
    };
    // The issuers are there to be looked at, and their names are these.
    const socket = await secured(to('leaf.example'));
    const { issuerCertificate } = socket.getPeerCertificate(true);
    expect([issuerCertificate, issuerCertificate.issuerCertificate]).toMatchObject([
      { subject: { CN: 'lower.example' }, subjectaltname: 'DNS:lower.example' },
      { subject: { CN: 'upper.example' }, subjectaltname: 'DNS:upper.example' },
    ]);
    await hangUp(socket);
    await expectRefused('lower.example');
    await expectRefused('upper.example');
    // Nor where it is the issuer's certificate that is trusted.
    const trusted = { ca: lower.cert, allowPartialTrustChain: true };
    await hangUp(await secured(to('leaf.example', trusted)));
    await expectRefused('lower.example', trusted);
  });
});
