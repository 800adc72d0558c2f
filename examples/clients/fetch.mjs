// node fetch.mjs https://localhost:8443/ ca.pem cert.pem key.pem
import { readFileSync } from 'node:fs';
import { connector } from 'tls-client-cert/undici';
import { Agent, fetch, setGlobalDispatcher } from 'undici';

const [url = '', ca = '', cert = '', key = ''] = process.argv.slice(2);

const dispatcher = new Agent({
  connections: 1, // to each host: every connection asks
  connect: connector({
    ca: readFileSync(ca),
    clientCertCallback: async ({ servername }) => {
      console.log('asked by', servername);
      return { cert: readFileSync(cert), key: readFileSync(key) };
    },
  }),
});

const response = await fetch(url, { dispatcher });
console.log(response.status, await response.text());

// From here on for every fetch, Node's own as well.
setGlobalDispatcher(dispatcher);
const second = await globalThis.fetch(url);
console.log(second.status, await second.text());

await dispatcher.close();
