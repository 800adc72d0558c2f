/** `ldapts` and OpenLDAP: SASL EXTERNAL over ldaps: and StartTLS, and what can go wrong. */
import { Client, type ClientOptions } from 'ldapts';
import { secureConnectionWith } from '../../examples/clients/ldapts';
import type { ConnectionOptions } from '../../lib/index';
import { credentialOf, later } from '../support/client';
import { type Attempt, describeFaults } from '../support/driver-faults';
import { runExample } from '../support/example';
import { loadPki } from '../support/pki';
import { type Slapd, startSlapd } from '../support/slapd';

const pki = loadPki();
const { ec256 } = pki.clients;
const WHO_AM_I = '1.3.6.1.4.1.4203.1.11.3';
const DN = 'dn:cn=client ec256,o=tls-client-cert tests';

let slapd: Slapd;
beforeAll(async () => {
  slapd = await startSlapd();
}, 20_000);
afterAll(() => slapd.server.stop());

const SCHEMES = ['ldap', 'ldaps'] as const;
type Scheme = (typeof SCHEMES)[number];
const portOf = (scheme: Scheme) => (scheme === 'ldap' ? slapd.server.port : slapd.ldapsPort);

async function whoAmI(
  scheme: Scheme,
  port: number,
  tls: ConnectionOptions,
  more: Partial<ClientOptions> = {},
) {
  const client = new Client({
    url: `${scheme}://127.0.0.1:${port}`,
    createSecureConnection: secureConnectionWith({
      ca: pki.serverCa.cert,
      servername: 'localhost',
      ...tls,
    }),
    ...more,
  });
  try {
    if (scheme === 'ldap') await client.startTLS();
    await client.bind('EXTERNAL');
    const { value } = await client.exop(WHO_AM_I);
    return value;
  } finally {
    // After StartTLS it does not notice that the connection is gone, and would wait for ever.
    void client.unbind();
  }
}

describe.each(SCHEMES)('%s:', (scheme) => {
  test('the example: the server says whom it saw', async () => {
    const { certPath, keyPath } = ec256;
    const url = `${scheme}://localhost:${portOf(scheme)}`;
    const args = [url, pki.serverCa.certPath, certPath, keyPath];
    const printed = await runExample('clients/ldapts.ts', args);
    expect(printed).toContain(`the server trusts [
  'CN=Client CA A,O=tls-client-cert tests',
  'CN=Client CA B,O=tls-client-cert tests'
]`);
    expect(printed).toContain(`the server saw ${DN}`);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('a late answer, with a chain, %s', async (version) => {
    const clientCertCallback = () => later(credentialOf(pki.deepClient), 30);
    const tls = { clientCertCallback, maxVersion: version };
    expect(await whoAmI(scheme, portOf(scheme), tls)).toBe(
      'dn:cn=client deep,o=tls-client-cert tests',
    );
  });
});

test.each(SCHEMES)('%s: with requireClientCert who declines gets to know it', async (scheme) => {
  const tls = { clientCertCallback: () => later(null), requireClientCert: true };
  await expect(whoAmI(scheme, portOf(scheme), tls)).rejects.toMatchObject({
    code: 'ERR_CLIENT_CERT_REQUIRED',
  });
});

describe('ldaps:, faults', () => {
  const attempt: Attempt = (port, tls, timeout) =>
    whoAmI('ldaps', port, tls, timeout === undefined ? {} : { connectTimeout: timeout });
  describeFaults(() => slapd.ldapsPort, attempt, {
    // OpenLDAP closes without a word, and ldapts passes on the words, not the error.
    declined: { message: expect.stringMatching(/^Socket error\. Message type: BindRequest/) },
    timedOut: { message: 'Connection timeout' },
  });
});

describe('StartTLS, faults', () => {
  // Ldapts does not look at the clock while it goes over to TLS.
  const attempt: Attempt = (port, tls, timeout) =>
    whoAmI('ldap', port, { ...tls, ...(timeout !== undefined && { clientCertTimeout: timeout }) });
  describeFaults(() => slapd.server.port, attempt, {
    // It keeps the reason to itself.
    declined: { message: expect.stringContaining('Connection closed before message response') },
    timedOut: { code: 'ERR_CLIENT_CERT_TIMEOUT' },
  });
});
