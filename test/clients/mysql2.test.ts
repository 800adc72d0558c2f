/** `mysql2` and MariaDB: REQUIRE X509, ISSUER and SUBJECT, a pool, and what can go wrong. */
import { createPrivateKey, sign } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import mysql, { type ConnectionOptions as MysqlOptions, type RowDataPacket } from 'mysql2/promise';
import type { ClientCertCallback } from '../../lib/index';
import { type DriverStreamOptions, type LateStream, mysqlStream } from '../../lib/starttls';
import { credentialOf, deferred, later, within } from '../support/client';
import { type Attempt, describeFaults } from '../support/driver-faults';
import { runExample } from '../support/example';
import { startMariadb } from '../support/mariadb';
import { loadPki } from '../support/pki';
import type { ServerProcess } from '../support/server-process';

const pki = loadPki();
const { ec256 } = pki.clients;
const O = '/O=tls-client-cert tests';
const WHO =
  "SELECT CURRENT_USER() AS user, variable_value AS version FROM information_schema.session_status WHERE variable_name = 'Ssl_version'";

/** MariaDB's ed25519 signs with what is hashed from the password: with a password of 32 bytes that is Ed25519. */
const SEED = 'a password of thirty-two letters';
const client_ed25519 = () => (nonce: Buffer) => {
  const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');
  const key = Buffer.concat([pkcs8, Buffer.from(SEED)]);
  return sign(null, nonce.subarray(0, 32), createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
};

let server: ServerProcess;
beforeAll(async () => {
  server = await startMariadb([
    "CREATE USER anybody IDENTIFIED BY 'pencil' REQUIRE X509;",
    `CREATE USER ca_a REQUIRE ISSUER '${O}/CN=Client CA A';`,
    `CREATE USER ec256 REQUIRE SUBJECT '${O}/CN=client ec256' AND ISSUER '${O}/CN=Client CA A';`,
    "INSTALL SONAME 'auth_ed25519';",
    `CREATE USER plugin IDENTIFIED VIA ed25519 USING PASSWORD('${SEED}') REQUIRE X509;`,
  ]);
}, 30_000);
afterAll(() => server.stop());

const mysqlOptions = (tls: DriverStreamOptions, more: MysqlOptions = {}): MysqlOptions => ({
  user: 'ec256',
  ...more,
  stream: () =>
    mysqlStream({
      host: '127.0.0.1',
      port: server.port,
      ca: pki.serverCa.cert,
      servername: 'localhost',
      ...tls,
    }),
});

async function whoAmI(tls: DriverStreamOptions, more: MysqlOptions = {}) {
  const connection = await mysql.createConnection(mysqlOptions(tls, more));
  const [rows] = await connection.query<RowDataPacket[]>(WHO);
  await connection.end();
  return rows;
}

test('the example: the server says whom it saw', async () => {
  const { certPath, keyPath } = ec256;
  const args = ['localhost', server.port, 'ec256', pki.serverCa.certPath, certPath, keyPath];
  const printed = await runExample('clients/mysql2.ts', args);
  // MariaDB names nobody, which stands for all.
  expect(printed).toContain('the server trusts []');
  expect(printed).toContain("the server saw { user: 'ec256@%', version: 'TLSv1.3' }");
});

/**
 * A server that has the user log in as MySQL 8 does by default: by caching_sha2_password, in full. Under TLS it
 * takes the next packet for the password (sql/auth/sha2_password.cc). Then it has nothing more to say.
 */
async function startMysql8() {
  const heard = deferred<string>();
  const packet = (number: number, ...parts: (Buffer | string)[]) => {
    const body = Buffer.concat(parts.map((part) => Buffer.from(part as string, 'latin1')));
    return Buffer.concat([Buffer.of(body.length, 0, 0, number), body]);
  };
  // CLIENT_PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH and what is usual beside.
  const capabilities = Buffer.alloc(4);
  capabilities.writeUInt32LE(0x013b_8a0f);
  const greeting = packet(
    ...([0, '\n8.0.36\0\x09\0\0\0abcdefgh\0', capabilities.subarray(0, 2)] as const),
    ...(['\x2d\x02\0', capabilities.subarray(2), '\x15', '\0'.repeat(10)] as const),
    ...['ijklmnopqrst\0', 'caching_sha2_password\0'],
  );
  const SSL_REQUEST_LENGTH = 36;
  const SWITCH = '\xfecaching_sha2_password\0abcdefghijklmnopqrst\0';
  const FULL_AUTHENTICATION = '\x01\x04';
  const server = net.createServer(async (raw) => {
    raw.on('error', () => {});
    raw.write(greeting);
    while (raw.read(SSL_REQUEST_LENGTH) === null) await once(raw, 'readable');
    const { cert, key } = pki.server;
    const secure = new tls.TLSSocket(raw, { isServer: true, cert, key });
    secure.on('error', () => {});
    const next = async (): Promise<Buffer> => (await once(secure, 'data'))[0];
    let said = await next();
    for (const word of [SWITCH, FULL_AUTHENTICATION]) {
      secure.write(packet(said.readUInt8(3) + 1, word));
      said = await next();
    }
    heard.resolve(said.toString('latin1', 4));
    secure.end();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, heard: heard.promise, stop: () => server.close() };
}

test('the example: to MySQL 8 the password goes as it is, under TLS', async () => {
  const mysql8 = await startMysql8();
  const { certPath, keyPath } = ec256;
  const args = ['localhost', mysql8.port, 'ec256', pki.serverCa.certPath, certPath, keyPath];
  const ended = expect(
    runExample('clients/mysql2.ts', args, { MYSQL_PASSWORD: 'pencil' }),
  ).rejects.toThrow('Connection lost');
  try {
    expect(await within('password', mysql8.heard)).toBe('pencil\0');
    await ended;
  } finally {
    mysql8.stop();
  }
});

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('%s', (version) => {
  test('a pool: each connection asks', async () => {
    const clientCertCallback = jest.fn<ReturnType<ClientCertCallback>, []>(() => later(ec256, 30));
    const pool = mysql.createPool({
      ...mysqlOptions({ clientCertCallback, maxVersion: version }),
      connectionLimit: 3,
    });
    try {
      const results = await Promise.all([1, 2, 3].map(() => pool.query(WHO)));
      const seen = [{ user: 'ec256@%', version }];
      expect(results.map(([rows]) => rows)).toEqual([seen, seen, seen]);
      expect(clientCertCallback).toHaveBeenCalledTimes(3);
      expect((await pool.query(WHO))[0]).toEqual(seen);
      expect(clientCertCallback).toHaveBeenCalledTimes(3);
    } finally {
      await pool.end();
    }
  });

  test.each([
    ['a password', { user: 'anybody', password: 'pencil' }],
    // The server changes the plugin, which takes two packets more each way.
    ['a password under another plugin', { user: 'plugin', password: SEED }],
    ['compression', { user: 'ec256', compress: true }],
    ['a database', { user: 'ec256', database: 'information_schema' }],
    ['no issuer but this', { user: 'ca_a' }],
  ])('%s', async (_what, more) => {
    const tls = { clientCertCallback: () => later(ec256), maxVersion: version };
    const rows = await whoAmI(tls, { ...more, authPlugins: { client_ed25519 } });
    expect(rows).toEqual([{ user: `${more.user}@%`, version }]);
  });
});

test('a wrong password: MariaDB refuses', async () => {
  const clientCertCallback = () => later(ec256);
  await expect(
    whoAmI({ clientCertCallback }, { user: 'anybody', password: 'pen' }),
  ).rejects.toMatchObject({ code: 'ER_ACCESS_DENIED_ERROR' });
});

test('another certificate than the user must have: MariaDB refuses', async () => {
  const clientCertCallback = () => later(pki.clientB);
  await expect(whoAmI({ clientCertCallback }, { user: 'ca_a' })).rejects.toMatchObject({
    code: 'ER_ACCESS_DENIED_ERROR',
  });
});

test('the chain of the answer goes with it', async () => {
  const clientCertCallback = () => later(credentialOf(pki.deepClient));
  const rows = await whoAmI({ clientCertCallback }, { user: 'anybody', password: 'pencil' });
  expect(rows).toMatchObject([{ user: 'anybody@%' }]);
});

test('megabytes in both directions, and the TLS connection is there to look at', async () => {
  let stream: LateStream | undefined;
  const options = mysqlOptions({ clientCertCallback: () => later(ec256) });
  const connection = await mysql.createConnection({
    ...options,
    stream: () => {
      stream = options.stream();
      return stream;
    },
  });
  const sent = 'x'.repeat(4_000_000);
  const [rows] = await connection.query<RowDataPacket[]>('SELECT ? AS back', [sent]);
  expect(rows[0]?.back === sent).toBe(true);
  expect(stream?.secureSocket).toMatchObject({
    clientAuth: { status: 'sent' },
    transport: 'socket',
  });
  await connection.end();
});

test("the driver's own TLS is refused, not passed on in vain", async () => {
  const options = mysqlOptions({ clientCertCallback: () => null }, { ssl: { ca: '' } });
  await expect(mysql.createConnection(options)).rejects.toThrow(/turn its own TLS off/);
});

const attempt: Attempt = (port, tls, timeout) =>
  whoAmI({ ...tls, port }, timeout === undefined ? {} : { connectTimeout: timeout });

describeFaults(() => server.port, attempt, {
  declined: { code: 'ER_ACCESS_DENIED_ERROR' },
  timedOut: { code: 'ETIMEDOUT' },
});
