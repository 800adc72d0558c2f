// node got.mjs https://localhost:8443/ ca.pem cert.pem key.pem
import { readFileSync } from 'node:fs';
import { got } from 'got';
import { Agent } from 'tls-client-cert/https';

const [url = '', ca = '', cert = '', key = ''] = process.argv.slice(2);

const client = got.extend({
  agent: {
    https: new Agent({
      ca: readFileSync(ca),
      clientCertCallback: async ({ servername }) => {
        console.log('asked by', servername);
        return { cert: readFileSync(cert), key: readFileSync(key) };
      },
    }),
  },
});

const response = await client(url);
console.log(response.statusCode, response.body);
