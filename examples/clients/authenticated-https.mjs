// node authenticated-https.mjs https://localhost:8443/ ca.pem cert.pem key.pem
import { readFileSync } from 'node:fs';
import axios from 'axios';
import { TLSSocket } from 'tls-client-cert';
import { Agent } from 'tls-client-cert/https';

const [url = '', ca = '', cert = '', key = ''] = process.argv.slice(2);

const client = axios.create({
  httpsAgent: new Agent({
    ca: readFileSync(ca),
    clientCertCallback: async () => ({ cert: readFileSync(cert), key: readFileSync(key) }),
  }),
});

// Fails each request whose connection did not authenticate.
client.interceptors.response.use((response) => {
  const { socket } = response.request;
  const auth = socket instanceof TLSSocket ? socket.clientAuth : undefined;
  // 'sent', or 'resumed' from a session that was made with it.
  if (auth?.credential) return response;
  throw new Error(`the server does not know who asks: ${auth?.status}`);
});

try {
  const response = await client.get(url);
  console.log(response.status, response.data);
} catch (error) {
  console.error(String(error));
  process.exitCode = 1;
}
