// node node-fetch.mjs https://localhost:8443/ ca.pem cert.pem key.pem
import { readFileSync } from 'node:fs';
import fetch from 'node-fetch';
import { Agent } from 'tls-client-cert/https';

const [url = '', ca = '', cert = '', key = ''] = process.argv.slice(2);

const agent = new Agent({
  ca: readFileSync(ca),
  // A response of node-fetch does not show its connection: better to fail than not to know.
  requireClientCert: true,
  clientCertCallback: async ({ servername }) => {
    console.log('asked by', servername);
    return { cert: readFileSync(cert), key: readFileSync(key) };
  },
});

const response = await fetch(url, { agent });
console.log(response.status, await response.text());
