// node undici.mjs https://localhost:8443/ ca.pem cert.pem key.pem
import { readFileSync } from 'node:fs';
import { connector } from 'tls-client-cert/undici';
import { Pool } from 'undici';

const [url = '', ca = '', cert = '', key = ''] = process.argv.slice(2);

const pool = new Pool(new URL(url).origin, {
  connections: 1,
  connect: connector({
    ca: readFileSync(ca),
    clientCertCallback: async ({ servername }) => {
      console.log('asked by', servername);
      return { cert: readFileSync(cert), key: readFileSync(key) };
    },
  }),
});

for (const path of ['/first', '/second']) {
  const { statusCode, body } = await pool.request({ path, method: 'GET' });
  console.log(statusCode, await body.text());
}

await pool.close();
