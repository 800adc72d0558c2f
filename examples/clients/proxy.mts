// node proxy.mts https://localhost:8443/ ca.pem cert.pem key.pem http://localhost:3128
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { type ConnectionOptions, connect } from 'tls-client-cert';

const [url = '', ca = '', cert = '', key = '', proxy = ''] = process.argv.slice(2);

/** Goes on in the proxy's tunnel by this package. */
class AskedProxyAgent extends HttpsProxyAgent<string> {
  readonly #options: ConnectionOptions;

  constructor(proxy: string, options: ConnectionOptions) {
    // To a proxy of https: these are for TLS to the proxy itself.
    super(proxy, { ca: options.ca as Buffer });
    this.#options = options;
  }

  override async connect(...[request, options]: Parameters<HttpsProxyAgent<string>['connect']>) {
    const plain = {
      host: options.host as string,
      port: options.port,
      secureEndpoint: false as const,
    };
    const tunnel = await super.connect(request, plain);
    // What cannot be written to brings the response of a proxy that refused.
    if (!tunnel.writable) return tunnel;
    const socket = connect({ ...this.#options, host: plain.host, socket: tunnel });
    return socket as unknown as typeof tunnel;
  }
}

const agent = new AskedProxyAgent(proxy, {
  ca: readFileSync(ca),
  clientCertCallback: async ({ servername }) => {
    console.log('asked by', servername);
    return { cert: readFileSync(cert), key: readFileSync(key) };
  },
});

const request = https.get(url, { agent }, (response) => {
  console.log(response.statusCode);
  response.setEncoding('utf8').on('data', console.log);
});
request.on('error', (error) => {
  console.error(error);
  process.exitCode = 1;
});
