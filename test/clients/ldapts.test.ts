/** `ldapts` and OpenLDAP: SASL EXTERNAL over ldaps: and StartTLS, and what can go wrong. */
import { once } from 'node:events';
import net from 'node:net';
import { Client } from 'ldapts';
import { ldaps, startTls } from '../../examples/clients/ldapts';
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

async function whoAmI(scheme: Scheme, port: number, tls: ConnectionOptions, timeout?: number) {
  const url = `${scheme}://127.0.0.1:${port}`;
  const options = { ca: pki.serverCa.cert, servername: 'localhost', ...tls };
  const made = scheme === 'ldap' ? startTls(url, options, timeout) : ldaps(url, options);
  const client = new Client({ ...(await made), ...(timeout && { connectTimeout: timeout }) });
  try {
    await client.bind('EXTERNAL');
    const { value } = await client.exop(WHO_AM_I);
    return value;
  } finally {
    await client.unbind();
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
  const attempt: Attempt = (...args) => whoAmI('ldaps', ...args);
  describeFaults(() => slapd.ldapsPort, attempt, {
    // OpenLDAP closes without a word, and ldapts passes on the words, not the error.
    declined: { message: expect.stringMatching(/^Socket error\. Message type: BindRequest/) },
    timedOut: { message: 'Connection timeout' },
  });
});

describe('StartTLS, faults', () => {
  const attempt: Attempt = (...args) => whoAmI('ldap', ...args);
  describeFaults(() => slapd.server.port, attempt, {
    declined: { message: expect.stringMatching(/^Socket error\. Message type: BindRequest/) },
    timedOut: { name: 'AbortError' },
  });

  /** Puts a message without its end behind the first answer: of what is said under TLS it would be the end. */
  test('what somebody puts behind the answer in plaintext is an error, and nothing is bound', async () => {
    const injector = net.createServer((client) => {
      const server = net.connect(slapd.server.port, '127.0.0.1');
      client.pipe(server);
      server.once('data', (answer) => {
        client.write(Buffer.concat([answer, Buffer.of(0x30, 0x20, 0x02)]));
        server.pipe(client);
      });
      for (const socket of [client, server]) {
        socket.on('error', () => {});
        socket.on('close', () => [client, server].map((one) => one.destroy()));
      }
    });
    await once(injector.listen(0, '127.0.0.1'), 'listening');
    const { port } = injector.address() as net.AddressInfo;
    const clientCertCallback = jest.fn();
    await expect(whoAmI('ldap', port, { clientCertCallback })).rejects.toMatchObject({
      code: 'ERR_STARTTLS_FAILED',
      reason: 'injected',
    });
    expect(clientCertCallback).not.toHaveBeenCalled();
    injector.close();
  });

  test('a connection that is over is not made anew', async () => {
    const tls = { ca: pki.serverCa.cert, servername: 'localhost', clientCertCallback: () => ec256 };
    const client = new Client(await startTls(`ldap://127.0.0.1:${slapd.server.port}`, tls));
    await client.bind('EXTERNAL');
    await client.unbind();
    await expect(client.bind('EXTERNAL')).rejects.toThrow(
      /^The connection to 127\.0\.0\.1:\d+ is over/,
    );
  });
});
