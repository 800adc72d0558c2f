/**
 * MySQL and MariaDB through `mysql2`. The driver has no way in for another TLS client, but takes a stream of ours
 * that goes over to TLS by itself. In a clone:
 *     node -r ./tools/register-typescript.cjs examples/clients/mysql2.ts localhost 3306 alice ca.pem cert.pem key.pem
 */
import { readFile } from 'node:fs/promises';
import { authPlugins } from 'mysql2';
import { createPool, type RowDataPacket } from 'mysql2/promise';
import type { ClientCertCallback } from '../../lib/index'; // 'tls-client-cert'
import { mysqlStream } from '../../lib/starttls/index'; // 'tls-client-cert/starttls'

async function main([host, port, user = '', caFile = '', certFile = '', keyFile = '']: string[]) {
  const ca = await readFile(caFile);

  /** Called when the server asks, once for each connection of the pool. */
  const clientCertCallback: ClientCertCallback = async (request) => {
    console.log('the server trusts', request.certificateAuthorities.map(String));
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    return { cert, key };
  };

  const pool = createPool({
    user,
    password: process.env.MYSQL_PASSWORD ?? '',
    // Not `ssl`: the stream does that, and the driver must not try to.
    stream: () => mysqlStream({ host, port, ca, clientCertCallback }),
    // Of MySQL 8, which takes the password as it is under TLS. The driver does not see that there is any.
    authPlugins: {
      caching_sha2_password: authPlugins.caching_sha2_password({ overrideIsSecure: true }),
    },
  });
  try {
    const [rows] = await pool.query<RowDataPacket[]>(
      "SELECT CURRENT_USER() AS user, variable_value AS version FROM information_schema.session_status WHERE variable_name = 'Ssl_version'",
    );
    console.log('the server saw', rows[0]);
  } finally {
    await pool.end();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
