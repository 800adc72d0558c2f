/** `tls-client-cert/https`: pools, identities and sessions, by what Node's own server says it saw. */
import { createPrivateKey } from 'node:crypto';
import https from 'node:https';
import { Agent, type AgentOptions, type RequestOptions } from '../../lib/agents/https';
import { Credential, createSecureContext, type SecureContext } from '../../lib/index';
import { PROTOCOLS } from '../support/client';
import { type HttpsServer, startHttpsServer } from '../support/https-server';
import { type Answer, ca, get, ONE, OTHER, one, other, pki } from './requests';

let server: HttpsServer;
let agent: Agent;

beforeEach(async () => {
  server = await startHttpsServer();
});
afterEach(async () => {
  agent.destroy();
  await server.close();
});

function use(
  options: AgentOptions = {},
): (request?: RequestOptions, url?: string) => Promise<Answer> {
  agent = new Agent({ ca, ...options });
  return (request, url = server.url) => get(url, { ...request, agent });
}

describe('a pool', () => {
  test('keeps a connection for the next request, and asks once', async () => {
    const asked: string[] = [];
    const ask = use({
      clientCertCallback: async (request) => {
        asked.push(request.phase);
        return one;
      },
    });
    const first = await ask();
    expect(first).toMatchObject({ client: ONE, connection: 1, servername: 'localhost' });
    expect(first.socket.clientAuth).toMatchObject({ status: 'sent', requested: true, sent: true });
    const second = await ask();
    expect(second).toMatchObject({ client: ONE, connection: 1 });
    expect(second.socket).toBe(first.socket);
    expect(asked).toEqual(['handshake']);
  });

  test('keeps it by default, as the agent says of itself', async () => {
    const ask = use({ ...one, keepAlive: undefined });
    expect(agent).toMatchObject({ keepAlive: true, defaultPort: 443, protocol: 'https:' });
    expect(agent).toBeInstanceOf(https.Agent);
    await ask();
    expect(await ask()).toMatchObject({ connection: 1 });
  });

  test('keeps none with keepAlive: false', async () => {
    const ask = use({ ...one, keepAlive: false });
    expect(await ask()).toMatchObject({ connection: 1 });
    expect(await ask()).toMatchObject({ connection: 2 });
  });

  const credentials = { one: new Credential(one), other: new Credential(other) };
  const callbacks = { one: () => one, other: () => other };
  const { encodings } = pki;
  const DEEP = 'client deep';
  test.each<[name: string, first: RequestOptions, second: RequestOptions, seen: string]>([
    ['cert and key', one, other, OTHER],
    ['key objects', asObjects(one), asObjects(other), OTHER],
    [
      'callbacks',
      { clientCertCallback: callbacks.one },
      { clientCertCallback: callbacks.other },
      OTHER,
    ],
    ['credentials', { credential: credentials.one }, { credential: credentials.other }, OTHER],
    ['credentials by parts', { credential: one }, { credential: other }, OTHER],
    ['pfx', { ...one }, { pfx: [{ buf: encodings.pfx, passphrase: encodings.passphrase }] }, DEEP],
  ])('is one for each identity: %s', async (_name, first, second, seen) => {
    const ask = use();
    expect(await ask(first)).toMatchObject({ client: ONE, connection: 1 });
    expect(await ask(second)).toMatchObject({ client: seen, connection: 2 });
    // Neither was thrown away.
    expect(await ask({ ...first })).toMatchObject({ client: ONE, connection: 1 });
    expect(await ask({ ...second })).toMatchObject({ client: seen, connection: 2 });
  });

  function asObjects({ cert, key }: typeof one): RequestOptions {
    return { cert, key: createPrivateKey(key) as unknown as string };
  }

  test('takes equal bytes for equal, wherever they lie', async () => {
    const ask = use();
    const bytes = ({ cert, key }: typeof one) => ({
      cert: Buffer.from(cert),
      key: Buffer.from(key),
    });
    expect(await ask(bytes(one))).toMatchObject({ client: ONE, connection: 1 });
    expect(await ask(bytes(one))).toMatchObject({ client: ONE, connection: 1 });
  });

  test('is another for another trust, check, name or demand', async () => {
    const ask = use(one);
    const requests: RequestOptions[] = [
      {},
      { ca: [ca, pki.clientCaB.cert] },
      { rejectUnauthorized: false },
      { checkServerIdentity: () => undefined },
      { servername: '127.0.0.1' },
      { requireClientCert: true },
      { minVersion: 'TLSv1.3' },
    ];
    const connections: number[] = [];
    for (const request of requests) connections.push((await ask(request)).connection);
    expect(connections).toEqual(requests.map((_, i) => i + 1));
    expect((await ask({ requireClientCert: true })).connection).toBe(6);
  });

  test('is one for each host, as a redirect finds it, and each host asks', async () => {
    const asked: (string | null)[] = [];
    const ask = use({
      clientCertCallback: ({ servername }) => {
        asked.push(servername);
        return servername === 'localhost' ? one : null;
      },
    });
    expect(await ask()).toMatchObject({ client: ONE, connection: 1 });
    const elsewhere = `https://127.0.0.1:${server.port}/`;
    expect(await ask({}, elsewhere)).toMatchObject({ client: null, connection: 2 });
    expect(asked).toEqual(['localhost', null]);
  });

  test('tells no secrets by its name', async () => {
    const { encodings } = pki;
    const ask = use();
    await ask({ pfx: encodings.pfx, passphrase: encodings.passphrase });
    await ask(one);
    const names = Object.keys(agent.freeSockets);
    expect(names).toHaveLength(2);
    for (const name of names) {
      expect(name).toMatch(/^localhost:\d+:::[A-Za-z0-9+/]{43}=$/);
      expect(name).not.toContain(encodings.passphrase);
    }
  });

  test('is left by what is over, whatever became of the options meanwhile', async () => {
    const ask = use();
    const key = Buffer.from(one.key);
    const { socket } = await ask({ cert: one.cert, key });
    expect(Object.values(agent.freeSockets).flat()).toEqual([socket]);
    key.fill(0);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    server.sockets[0]?.destroy();
    await closed;
    expect(Object.keys(agent.freeSockets)).toEqual([]);
    expect(Object.keys(agent.sockets)).toEqual([]);
  });
});

describe("a request's own options", () => {
  test('go before the agent’s, and undefined is none', async () => {
    const ask = use(one);
    expect(await ask({ cert: undefined, key: undefined, pfx: undefined })).toMatchObject({
      client: ONE,
    });
    expect(await ask(other)).toMatchObject({ client: OTHER });
    await expect(ask({ ca: pki.clientCaB.cert })).rejects.toMatchObject({
      code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    });
  });

  test.each<[name: string, common: AgentOptions, request: RequestOptions, seen: string | null]>([
    ['a callback, cert and key', one, { clientCertCallback: () => other }, OTHER],
    ['cert and key, a callback', { clientCertCallback: () => one }, other, OTHER],
    ['a credential, cert and key', one, { credential: other }, OTHER],
    ['nobody, a callback', { clientCertCallback: () => one }, { clientCertCallback: null }, null],
    ['nobody, cert and key', one, { clientCertCallback: () => null }, null],
  ])('say who it is as a whole: %s', async (_name, common, request, seen) => {
    const ask = use(common);
    expect(await ask(request)).toMatchObject({ client: seen });
    expect(await ask()).toMatchObject({ client: ONE });
  });

  test('may bring a callback, but no certificate, to a context that is settled', async () => {
    const ask = use({ ca: undefined, secureContext: createSecureContext({ ca }) });
    const clientCertCallback = () => one;
    expect(await ask({ clientCertCallback })).toMatchObject({ client: ONE });
    expect(await ask()).toMatchObject({ client: null });
    expect(() => https.get(server.url, { ...other, agent })).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining("'options.cert' of a request cannot change"),
      }),
    );
  });
});

describe('a secureContext of the agent', () => {
  test.each<[name: string, request: RequestOptions]>([
    ['clientCertCallback', { clientCertCallback: () => null }],
    ['clientCertCallback', { clientCertCallback: () => other }],
    ['clientCertCallback', { clientCertCallback: null }],
    ['sessionCredential', { sessionCredential: new Credential(other) }],
  ])('that holds a certificate refuses a request with its own %s', async (name, request) => {
    const ask = use({ ca: undefined, secureContext: createSecureContext({ ca, ...one }) });
    expect(await ask({ requireClientCert: true })).toMatchObject({ client: ONE });
    expect(() => https.get(server.url, { ...request, agent })).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining(`'options.${name}' of a request cannot keep`),
      }),
    );
    const secureContext = createSecureContext({ ca });
    expect(await ask({ clientCertCallback: () => other, secureContext })).toMatchObject({
      client: OTHER,
    });
  });

  test('does not ask its callback for a request that says who it is', async () => {
    const secureContext = createSecureContext({ ca });
    secureContext.setClientCertCallback(() => one);
    const ask = use({ ca: undefined, secureContext });
    expect(await ask()).toMatchObject({ client: ONE });
    expect(await ask({ clientCertCallback: () => other })).toMatchObject({ client: OTHER });
    expect(await ask({ clientCertCallback: null })).toMatchObject({ client: null });
    expect(await ask({ sessionCredential: null })).toMatchObject({ client: null });
  });

  test('that is none is refused', () => {
    agent = new Agent({ secureContext: {} as SecureContext });
    expect(() => https.get(server.url, { agent })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });

  test('comes without the sessionCredential of the agent to a request that says who it is', async () => {
    const credential = new Credential(one);
    const ask = use({
      ca: undefined,
      keepAlive: false,
      secureContext: createSecureContext({ ca }),
      sessionCredential: credential,
    });
    const answers = [credential, null];
    const clientCertCallback = () => answers.shift();
    const first = await ask({ clientCertCallback });
    expect(first).toMatchObject({ client: ONE });
    expect(await ask({ clientCertCallback })).toMatchObject({ client: null, reused: false });
    expect(answers).toEqual([]);
  });
});

describe("the agent's servername", () => {
  test.each(['other.test', ''])('%p is sent and checked, as by https.Agent', async (servername) => {
    const seen: unknown[] = [];
    for (const Class of [Agent, https.Agent]) {
      const checked: string[] = [];
      const checkServerIdentity = (name: string) => void checked.push(name);
      agent = new Class({ ca, servername, checkServerIdentity }) as Agent;
      const report = await get(server.url, { agent });
      seen.push([report.servername, checked]);
      agent.destroy();
    }
    expect(seen[0]).toEqual([servername || false, [servername || 'localhost']]);
    expect(seen[0]).toEqual(seen[1]);
  });
});

describe.each(PROTOCOLS)('sessions, %s', (version) => {
  const fresh = { keepAlive: false, minVersion: version, maxVersion: version };

  test('are resumed by the identity that they were made under, and by no other', async () => {
    const ask = use({ ...fresh, ...one });
    expect(await ask()).toMatchObject({ client: ONE, reused: false });
    expect(await ask()).toMatchObject({ client: ONE, reused: true, connection: 2 });
    expect(await ask(other)).toMatchObject({ client: OTHER, reused: false });
    const resumed = await ask(other);
    expect(resumed).toMatchObject({ client: OTHER, reused: true });
    expect(resumed.socket.clientAuth).toMatchObject({ status: 'resumed', requested: false });
    expect(await ask()).toMatchObject({ client: ONE, reused: true });
  });

  test('leave a callback to answer for each connection', async () => {
    const answers = [one, other];
    const ask = use({ ...fresh, clientCertCallback: async () => answers.shift() });
    expect(await ask()).toMatchObject({ client: ONE, reused: false });
    expect(await ask()).toMatchObject({ client: OTHER, reused: false });
    expect(answers).toEqual([]);
  });

  test('spare the callback with resumeAnswers', async () => {
    let asked = 0;
    const credential = new Credential(one);
    const clientCertCallback = async () => {
      asked++;
      return credential;
    };
    const ask = use({ ...fresh, resumeAnswers: true, clientCertCallback });
    expect(await ask()).toMatchObject({ client: ONE, reused: false });
    const second = await ask();
    expect(second).toMatchObject({ client: ONE, reused: true });
    expect(second.socket.clientAuth).toMatchObject({ status: 'resumed', credential });
    // The session is another's by now, and still knows whose.
    expect(await ask()).toMatchObject({ client: ONE, reused: true });
    expect(asked).toBe(1);
    expect(await ask({ clientCertCallback: () => other })).toMatchObject({
      client: OTHER,
      reused: false,
    });
  });

  test('of a server that asks nobody are resumed, but with requireClientCert', async () => {
    await server.close();
    server = await startHttpsServer({ requestCert: false });
    const ask = use({ ...fresh, clientCertCallback: () => one });
    expect(await ask()).toMatchObject({ client: null, reused: false });
    expect(await ask()).toMatchObject({ client: null, reused: true });
    await expect(ask({ requireClientCert: true })).rejects.toMatchObject({
      code: 'ERR_CLIENT_CERT_REQUIRED',
    });
  });

  test('are forgotten beyond maxCachedSessions, the oldest first', async () => {
    const ask = use({ ...fresh, ...one, maxCachedSessions: 1 });
    const byAddress = `https://127.0.0.1:${server.port}/`;
    await ask();
    expect(await ask()).toMatchObject({ reused: true });
    expect(await ask({}, byAddress)).toMatchObject({ reused: false });
    expect(await ask({}, byAddress)).toMatchObject({ reused: true });
    expect(await ask()).toMatchObject({ reused: false });
  });

  test('are not kept with maxCachedSessions: 0', async () => {
    const ask = use({ ...fresh, ...one, maxCachedSessions: 0 });
    await ask();
    expect(await ask()).toMatchObject({ reused: false });
  });
});

test.each<[name: string, value: unknown, code: string]>([
  ['maxCachedSessions', '1', 'ERR_INVALID_ARG_TYPE'],
  ['maxCachedSessions', -1, 'ERR_OUT_OF_RANGE'],
  ['resumeAnswers', 1, 'ERR_INVALID_ARG_TYPE'],
  ['proxyEnv', {}, 'ERR_INVALID_ARG_VALUE'],
  ['scheduling', 'any', 'ERR_INVALID_ARG_VALUE'],
])('%s: %p is refused by %s', (name, value, code) => {
  agent = new Agent();
  expect(() => new Agent({ [name]: value })).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(name) }),
  );
});

test('null is no options, as for https.Agent', async () => {
  agent = new Agent(null);
  expect(await get(server.url, { agent, ca, ...one })).toMatchObject({ client: ONE });
});

test('what is wrong with a connection’s options is thrown by the request', () => {
  agent = new Agent({ clientCertTimeout: -1 });
  expect(() => https.get(server.url, { agent })).toThrow(
    expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
  );
});
