/** `nodemailer` and Exim: STARTTLS with a certificate, a pool, and what can go wrong. */
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { createTransport } from 'nodemailer';
import type SMTPPool from 'nodemailer/lib/smtp-pool';
import { getSocketWith } from '../../examples/clients/nodemailer';
import { type ClientCertCallback, type ConnectionOptions, connect } from '../../lib/index';
import { credentialOf, deferred, later, within } from '../support/client';
import { type Attempt, describeFaults } from '../support/driver-faults';
import { runExample } from '../support/example';
import { startExim } from '../support/exim';
import { loadPki } from '../support/pki';
import type { ServerProcess } from '../support/server-process';

const pki = loadPki();
const { ec256 } = pki.clients;
const MAIL = { from: 'me@home.example', to: 'you@mail.example', subject: 'Hello', text: 'Hello.' };
const SEEN = '250 you are O=tls-client-cert tests,CN=client ec256';

let server: ServerProcess;
let smtpsPort: number;
beforeAll(async () => {
  ({ server, smtpsPort } = await startExim());
}, 20_000);
afterAll(() => server.stop());

const trusting = (tls: ConnectionOptions) =>
  getSocketWith({ ca: pki.serverCa.cert, servername: 'localhost', ...tls });

test('the example: the server says whom it saw', async () => {
  const { certPath, keyPath } = ec256;
  const args = ['localhost', server.port, pki.serverCa.certPath, certPath, keyPath];
  const printed = await runExample('clients/nodemailer.ts', [...args, MAIL.from, MAIL.to]);
  expect(printed).toContain(`the server trusts [
  'CN=Client CA A,O=tls-client-cert tests',
  'CN=Client CA B,O=tls-client-cert tests'
]`);
  expect(printed).toContain(`the server said ${SEEN}`);
  // TLS, an extended HELO, a certificate that was verified.
  await server.waitFor(/P=esmtps X=TLS1\.3\S* CV=yes/);
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)('a late answer, %s', async (maxVersion) => {
  const clientCertCallback = () => later(credentialOf(pki.deepClient), 30);
  const transport = createTransport({
    host: '127.0.0.1',
    port: server.port,
    getSocket: trusting({ clientCertCallback, maxVersion }),
  });
  const { response } = await transport.sendMail(MAIL);
  expect(response).toBe('250 you are O=tls-client-cert tests,CN=client deep');
});

test('a pool: one question, many mails', async () => {
  const clientCertCallback = jest.fn<ReturnType<ClientCertCallback>, []>(() => later(ec256, 30));
  const options: SMTPPool.Options = {
    pool: true,
    maxConnections: 1,
    host: '127.0.0.1',
    port: server.port,
    getSocket: trusting({ clientCertCallback }),
  };
  const transport = createTransport(options);
  try {
    const sent = await Promise.all([1, 2, 3].map(() => transport.sendMail(MAIL)));
    expect(sent.map(({ response }) => response)).toEqual([SEEN, SEEN, SEEN]);
    expect(clientCertCallback).toHaveBeenCalledTimes(1);
  } finally {
    transport.close();
  }
});

test('TLS from the start', async () => {
  const transport = createTransport({
    host: '127.0.0.1',
    port: smtpsPort,
    getSocket: async ({ host, port }, done) => {
      const socket = connect({
        ...{ host, port, servername: 'localhost', ca: pki.serverCa.cert },
        clientCertCallback: () => later(ec256, 30),
      });
      await once(socket, 'secureConnect');
      done(null, { connection: socket as unknown as Socket, secure: true, secured: true });
    },
  });
  expect((await transport.sendMail(MAIL)).response).toBe(SEEN);
});

test('two megabytes of mail', async () => {
  const transport = createTransport({
    host: '127.0.0.1',
    port: server.port,
    getSocket: trusting({ clientCertCallback: () => later(ec256) }),
  });
  const { response } = await transport.sendMail({ ...MAIL, text: 'Hello.\n'.repeat(300_000) });
  expect(response).toBe(SEEN);
});

const attempt: Attempt = (port, tls, timeout) =>
  createTransport({
    host: '127.0.0.1',
    port,
    ...(timeout !== undefined && { connectionTimeout: timeout }),
    getSocket: getSocketWith(tls),
  }).sendMail(MAIL);

describeFaults(() => server.port, attempt, {
  declined: { code: 'EENVELOPE', response: '550 a certificate is needed here' },
  timedOut: { name: 'AbortError', cause: { name: 'TimeoutError' } },
});

test('options that are wrong: they are the error, and the connection is closed', async () => {
  const closed = deferred();
  const relay = net.createServer((client) => {
    const exim = net.connect(server.port, '127.0.0.1');
    client.pipe(exim).pipe(client);
    client.on('error', () => {});
    exim.on('error', () => {});
    client.on('close', () => {
      exim.destroy();
      closed.resolve();
    });
  });
  await once(relay.listen(0, '127.0.0.1'), 'listening');
  const { port } = relay.address() as net.AddressInfo;
  const getSocket = trusting({ minVersion: 'TLSv9' as never });
  const transport = createTransport({ host: '127.0.0.1', port, getSocket });
  await expect(transport.sendMail(MAIL)).rejects.toMatchObject({
    code: 'ERR_TLS_INVALID_PROTOCOL_VERSION',
  });
  await within('close', closed.promise);
  relay.close();
});
