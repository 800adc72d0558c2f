/** `pg` and PostgreSQL: clientcert=verify-full, a pool, channel binding, and what can go wrong. */
import { Client, type ClientConfig, Pool } from 'pg';
import type { ClientCertCallback } from '../../lib/index';
import { type DriverStreamOptions, type LateStream, postgresStream } from '../../lib/starttls';
import { credentialOf, later, within } from '../support/client';
import { type Attempt, describeFaults } from '../support/driver-faults';
import { runExample } from '../support/example';
import { loadPki } from '../support/pki';
import { startPostgres } from '../support/postgres';
import type { ServerProcess } from '../support/server-process';

const pki = loadPki();
const { ec256 } = pki.clients;
const ALICE = 'client ec256';
const WHO = 'SELECT client_dn, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
const DN = '/O=tls-client-cert tests/CN=client ec256';

let server: ServerProcess;
beforeAll(async () => {
  server = await startPostgres([
    `CREATE ROLE "${ALICE}" LOGIN`,
    'CREATE ROLE "client deep" LOGIN',
    "CREATE ROLE scram LOGIN PASSWORD 'pencil'",
  ]);
}, 30_000);
afterAll(() => server.stop());

function config(tls: DriverStreamOptions, more: ClientConfig = {}): ClientConfig {
  return {
    host: '127.0.0.1',
    port: server.port,
    user: ALICE,
    database: 'postgres',
    stream: () => postgresStream({ ca: pki.serverCa.cert, servername: 'localhost', ...tls }),
    ...more,
  };
}

async function withClient<T>(more: ClientConfig, use: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client(more);
  client.on('error', () => {});
  try {
    await client.connect();
    return await use(client);
  } finally {
    await client.end().catch(() => {});
  }
}

test('the example: the server says whom it saw', async () => {
  const { certPath, keyPath } = ec256;
  const args = ['localhost', server.port, ALICE, pki.serverCa.certPath, certPath, keyPath];
  const printed = await runExample('clients/pg.ts', args);
  expect(printed).toContain(`the server trusts [
  'CN=Client CA A,O=tls-client-cert tests',
  'CN=Client CA B,O=tls-client-cert tests'
]`);
  expect(printed).toContain(`the server saw {
  client_dn: '${DN}',
  version: 'TLSv1.3'
}`);
});

test.each(['TLSv1.2', 'TLSv1.3'] as const)('a pool: each connection asks, %s', async (version) => {
  const clientCertCallback = jest.fn<ReturnType<ClientCertCallback>, []>(() => later(ec256, 30));
  const pool = new Pool({ ...config({ clientCertCallback, maxVersion: version }), max: 3 });
  try {
    const results = await Promise.all([1, 2, 3].map(() => pool.query(WHO)));
    expect(results.map(({ rows }) => rows)).toEqual(
      [1, 2, 3].map(() => [{ client_dn: DN, version }]),
    );
    expect(clientCertCallback).toHaveBeenCalledTimes(3);
    // And none of them asks again.
    expect((await pool.query(WHO)).rows).toEqual([{ client_dn: DN, version }]);
    expect(clientCertCallback).toHaveBeenCalledTimes(3);
  } finally {
    await pool.end();
  }
});

test('options that nobody can connect with: a pool gets its place back', async () => {
  const pool = new Pool({ ...config({ localAddress: 'eth0' }), max: 1 });
  const refusal = { code: 'ERR_INVALID_IP_ADDRESS' };
  await expect(pool.query(WHO)).rejects.toMatchObject(refusal);
  await expect(within('client', pool.query(WHO))).rejects.toMatchObject(refusal);
  await pool.end();
});

test('the chain of the answer goes with it', async () => {
  const clientCertCallback = () => later(credentialOf(pki.deepClient));
  const { rows } = await withClient(
    config({ clientCertCallback }, { user: 'client deep' }),
    (client) => client.query(WHO),
  );
  expect(rows).toMatchObject([{ client_dn: '/O=tls-client-cert tests/CN=client deep' }]);
});

test('a certificate in another name than the user: PostgreSQL refuses', async () => {
  const clientCertCallback = () => later(credentialOf(pki.deepClient));
  await expect(withClient(config({ clientCertCallback }), async () => {})).rejects.toMatchObject({
    code: '28000',
  });
  await server.waitFor(
    /provided user name \(client ec256\) and authenticated user name \(client deep\)/,
  );
});

test('the password is bound to the channel (SCRAM-SHA-256-PLUS)', async () => {
  const clientCertCallback = () => later(pki.clientB);
  const more = { user: 'scram', password: 'pencil', enableChannelBinding: true };
  await withClient(config({ clientCertCallback }, more), async (client) => {
    const { stream } = (client as unknown as { connection: { stream: LateStream } }).connection;
    expect(stream.secureSocket?.clientAuth.status).toBe('sent');
    expect(stream.secureSocket?.transport).toBe('socket');
    expect((await client.query(WHO)).rows).toMatchObject([
      { client_dn: expect.stringMatching(/CN=/) },
    ]);
  });
});

test('megabytes in both directions, with more than one query under way', async () => {
  const clientCertCallback = () => later(ec256);
  const sent = 'x'.repeat(4_000_000);
  await withClient(config({ clientCertCallback }), async (client) => {
    const [big, rows] = await Promise.all([
      client.query('SELECT $1::text AS back', [sent]),
      client.query("SELECT n, repeat('y', 1000) AS y FROM generate_series(1, 5000) AS n"),
    ]);
    expect(big.rows[0].back === sent).toBe(true);
    expect(rows.rows).toHaveLength(5000);
    expect(rows.rows[4999]).toEqual({ n: 5000, y: 'y'.repeat(1000) });
  });
});

test('a server that ends the connection in use: the error says so', async () => {
  const clientCertCallback = () => later(ec256);
  await withClient(config({ clientCertCallback }), async (client) => {
    const kill = client.query('SELECT pg_terminate_backend(pg_backend_pid())');
    await expect(kill).rejects.toMatchObject({ code: '57P01' });
  });
});

const attempt: Attempt = (port, tls, timeout) =>
  withClient(
    config(tls, { port, ...(timeout !== undefined && { connectionTimeoutMillis: timeout }) }),
    (client) => client.query(WHO),
  );

describeFaults(() => server.port, attempt, {
  declined: { code: '28000', message: 'connection requires a valid client certificate' },
  timedOut: { message: 'timeout expired' },
});
