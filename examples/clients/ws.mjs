// node ws.mjs wss://localhost:8443/ ca.pem cert.pem key.pem
import { readFileSync } from 'node:fs';
import { Agent } from 'tls-client-cert/https';
import WebSocket from 'ws';

const [url = '', ca = '', cert = '', key = ''] = process.argv.slice(2);

const socket = new WebSocket(url, {
  agent: new Agent({
    ca: readFileSync(ca),
    clientCertCallback: async ({ servername }) => {
      console.log('asked by', servername);
      return { cert: readFileSync(cert), key: readFileSync(key) };
    },
  }),
});

socket.on('open', () => socket.send('hello'));
socket.on('message', (message) => {
  console.log('the server:', String(message));
  socket.close();
});
socket.on('close', (code) => console.log('closed:', code));
socket.on('error', (error) => {
  console.error(error);
  process.exitCode = 1;
});
