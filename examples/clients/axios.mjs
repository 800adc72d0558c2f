// node axios.mjs https://localhost:8443/ ca.pem cert.pem key.pem
import { readFileSync } from 'node:fs';
import axios from 'axios';
import { Agent } from 'tls-client-cert/https';

const [url = '', ca = '', cert = '', key = ''] = process.argv.slice(2);

const client = axios.create({
  httpsAgent: new Agent({
    ca: readFileSync(ca),
    clientCertCallback: async ({ servername }) => {
      console.log('asked by', servername);
      return { cert: readFileSync(cert), key: readFileSync(key) };
    },
  }),
});

const response = await client.get(url);
console.log(response.status, response.data);
console.log('certificate:', response.request.socket.clientAuth.status);
