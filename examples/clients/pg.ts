/**
 * PostgreSQL through `pg`. The driver has no way in for another TLS client, but takes a stream of ours that goes
 * over to TLS by itself. In a clone:
 *     node -r ./tools/register-typescript.cjs examples/clients/pg.ts localhost 5432 alice ca.pem cert.pem key.pem
 */
import { readFile } from 'node:fs/promises';
import { Pool } from 'pg';
import type { ClientCertCallback } from '../../lib/index'; // 'tls-client-cert'
import { postgresStream } from '../../lib/starttls/index'; // 'tls-client-cert/starttls'

async function main([
  host = '',
  port,
  user = '',
  caFile = '',
  certFile = '',
  keyFile = '',
]: string[]) {
  const ca = await readFile(caFile);

  /** Called when the server asks, once for each connection of the pool. */
  const clientCertCallback: ClientCertCallback = async (request) => {
    console.log('the server trusts', request.certificateAuthorities.map(String));
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    return { cert, key };
  };

  const pool = new Pool({
    host,
    port: Number(port),
    user,
    database: 'postgres',
    // Not `ssl`: the stream does that, and the driver must not try to.
    stream: () => postgresStream({ ca, clientCertCallback }),
  });
  try {
    const { rows } = await pool.query(
      'SELECT client_dn, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
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
