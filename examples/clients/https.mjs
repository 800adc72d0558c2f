// node https.mjs https://localhost:8443/ ca.pem cert.pem key.pem
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { Credential, TLSSocket } from 'tls-client-cert';
import { Agent } from 'tls-client-cert/https';

const [url = '', ca = '', cert = '', key = ''] = process.argv.slice(2);
const credential = new Credential({ cert: readFileSync(cert), key: readFileSync(key) });

const agent = new Agent({
  ca: readFileSync(ca),
  clientCertCallback: async ({ servername }) => {
    console.log('asked by', servername);
    return credential;
  },
});

function get() {
  const request = https.get(url, { agent }, (response) => {
    const { socket } = response;
    const { status } = socket instanceof TLSSocket ? socket.clientAuth : {};
    console.log(response.statusCode, 'certificate:', status, 'kept:', request.reusedSocket);
    response.setEncoding('utf8').on('data', console.log);
    // The second request finds the connection that the first has left.
    response.on('end', () => request.reusedSocket || setImmediate(get));
  });
  request.on('error', (error) => {
    console.error(error);
    process.exitCode = 1;
  });
}

get();
