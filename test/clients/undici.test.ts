/** `tls-client-cert/undici`: its connector in undici 7, in undici 8 where Node can, and in Node's own fetch. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getMaxListeners, once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Agent, Client, fetch as Fetch, Pool, request as Request } from 'undici';
import { type ConnectorOptions, connector } from '../../lib/agents/undici';
import { Credential, type TLSSocket } from '../../lib/index';
import { startRawServer } from '../integration/stream-helpers';
import { deferred, later, PROTOCOLS, within } from '../support/client';
import { type HttpsServer, type Report, reply, startHttpsServer } from '../support/https-server';
import { registerLeftover } from '../support/leftovers';
import { ca, ONE, OTHER, one, other, pki } from './requests';

interface Undici {
  readonly Agent: typeof Agent;
  readonly Client: typeof Client;
  readonly Pool: typeof Pool;
  readonly fetch: typeof Fetch;
  readonly request: typeof Request;
}

const [major = 0] = process.versions.node.split('.').map(Number);
// undici 8 does not load on Node 20.
const RELEASES = ['undici', ...(major >= 22 ? ['undici8'] : [])];

describe.each(RELEASES)('%s', (release) => {
  const undici: Undici = require(release);
  let server: HttpsServer;
  const open: { destroy(): Promise<void> }[] = [];

  beforeEach(async () => {
    server = await startHttpsServer();
  });
  afterEach(async () => {
    for (const dispatcher of open.splice(0)) await dispatcher.destroy();
    await server.close();
  });

  function agent(options: ConnectorOptions = {}, agentOptions: Agent.Options = {}): Agent {
    const made = new undici.Agent({ ...agentOptions, connect: connector({ ca, ...options }) });
    open.push(made);
    return made;
  }

  async function ask(dispatcher: Agent | Pool | Client, url = server.url): Promise<Report> {
    const { body } = await within(
      `response of ${url}`,
      undici.request(url, { dispatcher: dispatcher as Agent }),
    );
    return (await body.json()) as Report;
  }

  test('an Agent asks once for each connection, and keeps it', async () => {
    let asked = 0;
    const clientCertCallback = () => {
      asked++;
      return later(one);
    };
    const dispatcher = agent({ clientCertCallback }, { connections: 1 });
    expect(await ask(dispatcher)).toMatchObject({ client: ONE, connection: 1 });
    expect(await ask(dispatcher)).toMatchObject({ client: ONE, connection: 1 });
    expect(asked).toBe(1);
  });

  test('two Agents are two identities', async () => {
    const [first, second] = [agent(one), agent(other)];
    expect(await ask(first)).toMatchObject({ client: ONE, connection: 1 });
    expect(await ask(second)).toMatchObject({ client: OTHER, connection: 2, reused: false });
  });

  test('a Pool and a Client take it as well', async () => {
    const connect = connector({ ca, ...one });
    const dispatchers = [
      new undici.Pool(server.url, { connect }),
      new undici.Client(server.url, { connect }),
    ];
    open.push(...dispatchers);
    for (const dispatcher of dispatchers) {
      const { body } = await dispatcher.request({ path: '/a', method: 'GET' });
      expect(await body.json()).toMatchObject({ path: '/a', client: ONE });
    }
  });

  test('fetch takes it through its dispatcher', async () => {
    const response = await undici.fetch(server.url, { dispatcher: agent(one) });
    expect(await response.json()).toMatchObject({ client: ONE });
  });

  // Node's has the handlers of the undici that it was built with.
  if (release === 'undici' || major >= 26) {
    test("so does Node's own", async () => {
      const response = await fetch(server.url, { dispatcher: agent(one) } as object);
      expect(await response.json()).toMatchObject({ client: ONE });
    });
  }

  test.each(['agent', 'connector'])('HTTP/2 by allowH2 of the %s', async (whose) => {
    const h2 = await startHttpsServer({ http2: true });
    const of = (name: string) => (whose === name ? { allowH2: true } : {});
    const dispatcher = agent({ ...one, ...of('connector') }, of('agent'));
    const reports = await Promise.all(
      ['/a', '/b'].map((path) => ask(dispatcher, `${h2.url}${path}`)),
    );
    expect(reports).toMatchObject([{ client: ONE }, { client: ONE }]);
    await h2.close();
  });

  test('HTTP/2 is not offered otherwise', async () => {
    const h2 = await startHttpsServer({ http2: true });
    await expect(ask(agent(one), h2.url)).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
    });
    await h2.close();
  });

  test('URLs without TLS are connected to without', async () => {
    const plain = http.createServer((_request, response) => response.end('"plain"'));
    const forget = registerLeftover(async () => void plain.close());
    await once(plain.listen(0, '127.0.0.1'), 'listening');
    const { port } = plain.address() as AddressInfo;
    expect(await ask(agent(one), `http://localhost:${port}/`)).toBe('plain');
    forget();
    plain.closeAllConnections();
    plain.close();
  });

  test('socketPath leads elsewhere, under the name of the URL', async () => {
    const path = join(pki.dir, `undici-${process.pid}.sock`);
    const relay = net.createServer((socket) => {
      const target = net.connect(server.port, '127.0.0.1');
      socket.pipe(target).pipe(socket);
      socket.on('error', () => target.destroy());
      target.on('error', () => socket.destroy());
    });
    const forget = registerLeftover(async () => void relay.close());
    await once(relay.listen(path), 'listening');
    const nowhere = 'https://localhost:1/';
    expect(await ask(agent({ ...one, socketPath: path }), nowhere)).toMatchObject({ client: ONE });
    const ofAgent = agent(one, { socketPath: path } as Agent.Options);
    expect(await ask(ofAgent, nowhere)).toMatchObject({ client: ONE, servername: 'localhost' });
    forget();
    relay.close();
  });

  test('the name is that of the Host header', async () => {
    const { body } = await undici.request(`https://127.0.0.1:${server.port}/`, {
      dispatcher: agent(one),
      headers: { host: 'localhost' },
    });
    expect(await body.json()).toMatchObject({ servername: 'localhost' });
  });

  test("a redirect to another host is a question of that host's", async () => {
    const elsewhere = await startHttpsServer();
    await server.close();
    server = await startHttpsServer({
      handler: (request, response, report) => {
        if (request.url !== '/away') return reply(request, response, report);
        return response.writeHead(302, { location: `https://127.0.0.1:${elsewhere.port}/` }).end();
      },
    });
    const asked: (string | null)[] = [];
    const dispatcher = agent({
      clientCertCallback: ({ servername }) => {
        asked.push(servername);
        return servername === 'localhost' ? one : null;
      },
    });
    const response = await undici.fetch(`${server.url}away`, { dispatcher });
    expect(response.redirected).toBe(true);
    expect(await response.json()).toMatchObject({ client: null });
    expect(asked).toEqual(['localhost', null]);
    await elsewhere.close();
  });

  describe.each(PROTOCOLS)('sessions, %s', (version) => {
    const versions = { minVersion: version, maxVersion: version };
    const fresh = { pipelining: 0 };

    test('are resumed, by the connector that made them', async () => {
      const dispatcher = agent({ ...one, ...versions }, fresh);
      expect(await ask(dispatcher)).toMatchObject({ client: ONE, reused: false });
      expect(await ask(dispatcher)).toMatchObject({ client: ONE, reused: true });
    });

    test('leave a callback to answer, but with resumeAnswers', async () => {
      let asked = 0;
      const credential = new Credential(one);
      const options = {
        ...versions,
        clientCertCallback: async () => {
          asked++;
          return credential;
        },
      };
      const patient = agent(options, fresh);
      await ask(patient);
      expect(await ask(patient)).toMatchObject({ client: ONE, reused: false });
      expect(asked).toBe(2);
      const resuming = agent({ ...options, resumeAnswers: true }, fresh);
      await ask(resuming);
      expect(await ask(resuming)).toMatchObject({ client: ONE, reused: true });
      expect(asked).toBe(3);
    });
  });

  describe('timeout', () => {
    test('ends a connection that does not get secure', async () => {
      const raw = await startRawServer(() => {});
      await expect(
        ask(agent({ timeout: 40 }), `https://localhost:${raw.port}/`),
      ).rejects.toMatchObject({ code: 'UND_ERR_CONNECT_TIMEOUT' });
      await raw.close();
    });

    test('does not run while the question is unanswered', async () => {
      const dispatcher = agent({ timeout: 1_500, clientCertCallback: () => later(one, 1_600) });
      expect(await ask(dispatcher)).toMatchObject({ client: ONE });
    });

    test.each([
      ['in its first period', false],
      ['later', true],
    ])('runs anew behind an answer that comes %s', async (_when, later) => {
      const TIMEOUT = 123_456;
      const periods: (() => void)[] = [];
      const setTimer = setTimeout;
      const spy = jest.spyOn(globalThis, 'setTimeout').mockImplementation(((
        callback: () => void,
        delay: number,
        ...rest: []
      ) => {
        if (delay !== TIMEOUT) return setTimer(callback, delay, ...rest);
        // The test says when it is over.
        periods.push(callback);
        return setTimer(() => {}, 0);
      }) as typeof setTimeout);
      const asked = deferred();
      const answer = deferred<typeof one>();
      const answered = deferred();
      let goOn = () => {};
      const relay = await startRawServer((socket) => {
        const target = net.connect(server.port, '127.0.0.1');
        socket.pipe(target).pipe(socket);
        target.on('error', () => {});
        socket.on('close', () => target.destroy());
        void asked.promise.then(() => {
          target.unpipe(socket).pause();
          socket.once('data', () => answered.resolve());
        });
        goOn = () => target.pipe(socket);
      });
      const dispatcher = agent({
        timeout: TIMEOUT,
        // The server has the last word there.
        maxVersion: 'TLSv1.2',
        clientCertCallback: () => {
          asked.resolve();
          return answer.promise;
        },
      });
      try {
        const reply = ask(dispatcher, `https://localhost:${relay.port}/`);
        await within('question', asked.promise);
        if (later) periods.at(-1)?.();
        answer.resolve(one);
        await within('answer', answered.promise);
        periods.at(-1)?.();
        goOn();
        expect(await reply).toMatchObject({ client: ONE });
        expect(periods).toHaveLength(later ? 3 : 2);
      } finally {
        spy.mockRestore();
        await relay.close();
      }
    });

    test('runs again behind the answer', async () => {
      const relay = await startRawServer((socket) => {
        const target = net.connect(server.port, '127.0.0.1');
        socket.pipe(target).pipe(socket);
        target.on('error', () => {});
        socket.on('close', () => target.destroy());
        halt = () => target.unpipe(socket).pause();
      });
      let halt = () => {};
      const dispatcher = agent({
        timeout: 200,
        // The server has the last word there.
        maxVersion: 'TLSv1.2',
        clientCertCallback: () => {
          halt();
          return later(one, 250);
        },
      });
      await expect(ask(dispatcher, `https://localhost:${relay.port}/`)).rejects.toMatchObject({
        code: 'UND_ERR_CONNECT_TIMEOUT',
      });
      await relay.close();
    });

    test.each([
      ['50', 'ERR_INVALID_ARG_TYPE'],
      [-1, 'ERR_OUT_OF_RANGE'],
    ])('%p is refused', (timeout, code) => {
      expect(() => connector({ timeout: timeout as number })).toThrow(
        expect.objectContaining({ code }),
      );
    });
  });

  test.each<[name: string, options: ConnectorOptions, code: string]>([
    [
      'an authority that is not trusted',
      { ca: pki.clientCaB.cert },
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ],
    [
      'a callback that throws',
      {
        clientCertCallback: () => {
          throw new Error('no card');
        },
      },
      'ERR_CLIENT_CERT_CALLBACK',
    ],
    ['nothing sent', { requireClientCert: true }, 'ERR_CLIENT_CERT_REQUIRED'],
    ['a wrong option', { clientCertTimeout: -1 }, 'ERR_OUT_OF_RANGE'],
  ])("%s is the request's error", async (_name, options, code) => {
    await expect(ask(agent(options))).rejects.toMatchObject({ code });
  });

  test('a socket that is destroyed without a reason is an error of the request', async () => {
    const channel = 'tls-client-cert:request';
    const destroy = (message: unknown) => (message as { source: TLSSocket }).source.destroy();
    subscribe(channel, destroy);
    try {
      await expect(ask(agent({ clientCertCallback: () => one }))).rejects.toMatchObject({
        code: 'ERR_TLS_CONNECTION_OVER',
        message: expect.stringContaining(`localhost:${server.port}`),
      });
    } finally {
      unsubscribe(channel, destroy);
    }
  });

  test('a server that hangs up on a request gives the code to try again by', async () => {
    await server.close();
    server = await startHttpsServer({ handler: (request) => request.socket.destroy() });
    await expect(ask(agent(one))).rejects.toMatchObject({
      code: 'ECONNRESET',
      reason: 'unexpected eof while reading',
    });
  });

  test('an Agent that is destroyed ends its requests, and signal the question', async () => {
    const asked = deferred<AbortSignal>();
    const controller = new AbortController();
    const dispatcher = agent({
      signal: controller.signal,
      clientCertCallback: (_request, { signal }) => {
        asked.resolve(signal);
        return new Promise(() => {});
      },
    });
    // Any number of connections may listen to it.
    expect(getMaxListeners(controller.signal)).toBe(Infinity);
    const failed = expect(ask(dispatcher)).rejects.toMatchObject({ code: 'UND_ERR_DESTROYED' });
    const signal = await within('question', asked.promise);
    await dispatcher.destroy();
    await failed;
    expect(signal.aborted).toBe(false);
    controller.abort();
    expect(signal.aborted).toBe(true);
  });
});

test.each([null, 'options'])('%p is no options', (options) => {
  expect(() => connector(options as unknown as ConnectorOptions)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
  );
});
