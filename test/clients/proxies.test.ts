/** Tunnels through HTTP proxies, with TLS to the proxy as well, that die at any moment. */
import http from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { request, Agent as UndiciAgent } from 'undici';
import { Agent, type AgentOptions } from '../../lib/agents/https';
import { type ConnectorOptions, connector } from '../../lib/agents/undici';
import type { ClientCertCallback } from '../../lib/index';
import { deferred, within } from '../support/client';
import {
  type ConnectProxy,
  type ConnectProxyOptions,
  startConnectProxy,
} from '../support/connect-proxy';
import { type HttpsServer, type Report, reply, startHttpsServer } from '../support/https-server';
import { ca, get, ONE, one } from './requests';

/** Our agent, which opens the tunnel by itself. */
class TunnelAgent extends Agent {
  readonly #proxy: ConnectProxy;

  constructor(proxy: ConnectProxy, options: AgentOptions) {
    super(options);
    this.#proxy = proxy;
  }

  override createConnection(
    options: https.RequestOptions,
    callback: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    openTunnel(this.#proxy, `${options.host}:${options.port}`).then(
      (socket) => callback(null, this.connect({ ...options, socket })),
      (error) => callback(error, undefined as unknown as Duplex),
    );
  }
}

function openTunnel(proxy: ConnectProxy, path: string): Promise<Duplex> {
  const secure = proxy.url.startsWith('https');
  return new Promise((resolve, reject) => {
    (secure ? https : http)
      .request(proxy.url, { method: 'CONNECT', path, ca, agent: false })
      .once('connect', ({ statusCode }, socket) => {
        if (statusCode === 200) resolve(socket);
        else reject(Object.assign(new Error('no tunnel'), { code: `HTTP_${statusCode}` }));
      })
      .once('error', reject)
      .end();
  });
}

interface Client {
  ask(url: string): Promise<Report>;
  destroy(): void;
}

const CLIENTS: Record<
  string,
  (proxy: ConnectProxy, options: AgentOptions & ConnectorOptions) => Client
> = {
  'our Agent': (proxy, options) => {
    const agent = new TunnelAgent(proxy, options);
    return { ask: (url) => get(url, { agent }), destroy: () => agent.destroy() };
  },
  undici: (proxy, options) => {
    const secure = connector(options);
    const dispatcher = new UndiciAgent({
      connect: (parameters, callback) => {
        openTunnel(proxy, `${parameters.hostname}:${parameters.port}`).then(
          (socket) => secure({ ...parameters, httpSocket: socket } as never, callback),
          (error) => callback(error, null),
        );
      },
    });
    return {
      ask: async (url) => (await (await request(url, { dispatcher })).body.json()) as Report,
      destroy: () => void dispatcher.destroy(),
    };
  },
};

describe.each(['http', 'https'] as const)('a proxy spoken to by %s:', (protocol) => {
  describe.each(Object.keys(CLIENTS))('%s', (name) => {
    let server: HttpsServer;
    let proxy: ConnectProxy;
    let client: Client;

    /** Tests that need another server start it first. */
    async function start(
      options: AgentOptions & ConnectorOptions = one,
      proxyOptions: Partial<ConnectProxyOptions> = {},
    ) {
      proxy = await startConnectProxy({ protocol, ...proxyOptions });
      client = (CLIENTS[name] as (typeof CLIENTS)[string])(proxy, { ca, ...options });
    }
    const ask = () => within('response', client.ask(server.url));
    const failure = () => expect(ask()).rejects;

    beforeEach(async () => {
      server = await startHttpsServer();
    });
    afterEach(async () => {
      client.destroy();
      // Whatever happened, nobody keeps a tunnel.
      await within('end of all tunnels', proxy.drained());
      await proxy.close();
      await server.close();
    });

    test('asks within the tunnel, and goes on in it', async () => {
      let asked = 0;
      await start({
        clientCertCallback: async () => {
          asked++;
          return one;
        },
      });
      expect(await ask()).toMatchObject({ client: ONE, servername: 'localhost' });
      expect(proxy.targets).toEqual([`localhost:${server.port}`]);
      expect(asked).toBe(1);
    });

    test.each(['at once', 'at the first word'] as const)('dies %s', async (cut) => {
      await start(one, { cut });
      await failure().toMatchObject({ code: 'ECONNRESET' });
    });

    test('dies while the question is open', async () => {
      const asked = deferred<AbortSignal>();
      const clientCertCallback: ClientCertCallback = (_request, { signal }) => {
        asked.resolve(signal);
        return new Promise(() => {});
      };
      await start({ clientCertCallback });
      const failed = failure().toMatchObject({ code: 'ECONNRESET' });
      const signal = await within('question', asked.promise);
      proxy.cut();
      await failed;
      expect(signal.aborted).toBe(true);
    });

    test('dies when the answer is on its way', async () => {
      await start({
        // The server has the last word there.
        maxVersion: 'TLSv1.2',
        clientCertCallback: async () => {
          proxy.cut();
          return one;
        },
      });
      await failure().toMatchObject({ code: 'ECONNRESET' });
    });

    test('dies between request and response', async () => {
      await server.close();
      server = await startHttpsServer({ handler: () => proxy.cut() });
      await start();
      await failure().toMatchObject({ code: 'ECONNRESET' });
    });

    test('dies when a response was begun', async () => {
      await server.close();
      server = await startHttpsServer({
        handler: (_request, response) => {
          response.setHeader('content-length', 100).write('{', () => setImmediate(proxy.cut));
        },
      });
      await start();
      await failure().toMatchObject({
        code: expect.stringMatching(/^(ECONNRESET|UND_ERR_SOCKET)$/),
      });
    });

    test('refuses', async () => {
      await start(one, { status: 403 });
      await failure().toMatchObject({ code: 'HTTP_403' });
    });
  });
});

test('the tunnel has no part in whose session it is', async () => {
  const proxy = await startConnectProxy({ protocol: 'http' });
  const server = await startHttpsServer({ handler: reply });
  const agent = new TunnelAgent(proxy, { ca, ...one, keepAlive: false });
  expect(await get(server.url, { agent })).toMatchObject({ client: ONE, reused: false });
  expect(await get(server.url, { agent })).toMatchObject({ client: ONE, reused: true });
  await proxy.close();
  await server.close();
});
