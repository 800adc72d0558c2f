// node http2.mjs https://localhost:8443/ ca.pem cert.pem key.pem
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import { createConnection } from 'tls-client-cert/http2';

const [url = '', ca = '', cert = '', key = ''] = process.argv.slice(2);

const session = http2.connect(url, {
  createConnection: createConnection({
    ca: readFileSync(ca),
    requireClientCert: true,
    clientCertCallback: async ({ servername }) => {
      console.log('asked by', servername);
      return { cert: readFileSync(cert), key: readFileSync(key) };
    },
  }),
});
session.on('error', (error) => {
  console.error(error);
  process.exitCode = 1;
});

// One connection, and so one question, for all of them.
let left = 2;
for (const path of ['/first', '/second']) {
  const stream = session.request({ ':path': path });
  stream.on('response', (headers) => console.log(headers[':status']));
  stream.setEncoding('utf8').on('data', console.log);
  stream.on('error', () => {}); // the session's error says more
  stream.on('close', () => --left || session.close());
}
