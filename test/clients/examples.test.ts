/** The programs of examples/clients, as a reader runs them, against real servers. */
import { join } from 'node:path';
import {
  type handleUnaryCall,
  Server,
  ServerCredentials,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { WebSocketServer } from 'ws';
import { within } from '../support/client';
import { type ConnectProxy, startConnectProxy } from '../support/connect-proxy';
import {
  type HttpsServer,
  type HttpsServerOptions,
  startHttpsServer,
} from '../support/https-server';
import { makeProject, otherNode, type Project, runProgram } from '../support/installed';
import { registerLeftover } from '../support/leftovers';
import { startNginx } from '../support/nginx';
import { withServer } from '../support/server-process';
import { ONE, pki } from './requests';

const examples = join(__dirname, '../../examples/clients');
const { ec256 } = pki.clients;
const PACKAGES = ['axios', 'got', 'node-fetch', 'ws', '@grpc/grpc-js', 'https-proxy-agent'];

const [major = 0] = process.versions.node.split('.').map(Number);
/** Where undici 8 runs; nowhere, if this is Node 20 and no other is at hand. */
const forUndici8 = major >= 22 ? process.execPath : (otherNode(22) ?? otherNode(24));

let project: Project;
let server: HttpsServer | undefined;

beforeAll(() => {
  project = makeProject([...PACKAGES, 'undici']);
}, 60_000);
afterAll(() => project.remove());
afterEach(async () => {
  await server?.close();
  server = undefined;
});

interface Ended {
  readonly status: number | null;
  readonly output: string;
}

async function run(
  name: string,
  where: string,
  { more = [] as string[], node = process.execPath, from = project } = {},
): Promise<Ended> {
  const args = [where, pki.serverCa.certPath, ec256.certPath, ec256.keyPath, ...more];
  const { printed, status } = runProgram(from.add(join(examples, name)), args, { node });
  return { status: await within(name, status, 15_000), output: printed.output };
}

async function start(options?: HttpsServerOptions): Promise<string> {
  server = await startHttpsServer(options);
  return server.url;
}

/** It asked once, on one connection, as often as it was told to say so. */
const asked = (output: string) => output.match(/^asked by localhost$/gm)?.length;
/** Of the reports that it printed, as JSON or as JavaScript. */
const clients = (output: string) =>
  [...output.matchAll(/client"?: ?["']([^"']*)/g)].map(([, who]) => who);

test.each([
  ['https.mjs', 2],
  ['fetch.mjs', 2],
  ['undici.mjs', 2],
  ['axios.mjs', 1],
  ['got.mjs', 1],
  ['node-fetch.mjs', 1],
] as const)('%s', async (name, requests) => {
  const { status, output } = await run(name, await start());
  expect(clients(output)).toEqual(Array.from({ length: requests }, () => ONE));
  expect({ status, asked: asked(output) }).toEqual({ status: 0, asked: 1 });
});

if (forUndici8 !== undefined) {
  describe('undici 8', () => {
    let from: Project;
    beforeAll(() => {
      from = makeProject(['undici=undici8']);
    }, 60_000);
    afterAll(() => from.remove());

    test.each([
      // Node's own fetch has connections of its own, where it is another release's.
      ['fetch.mjs', major >= 26 ? 1 : 2],
      ['undici.mjs', 1],
    ] as const)('%s', async (name, questions) => {
      const { status, output } = await run(name, await start(), { node: forUndici8, from });
      expect(clients(output)).toEqual([ONE, ONE]);
      expect({ status, asked: asked(output) }).toEqual({ status: 0, asked: questions });
    });

    test('authenticated-fetch.mts', async () => {
      const known = await run('authenticated-fetch.mts', await start(), { node: forUndici8, from });
      expect(known.output).toMatch(/^GET \/ certificate: sent\n200 {/);
      expect(known.status).toBe(0);
      await server?.close();
      const url = await start({ requestCert: false });
      const unknown = await run('authenticated-fetch.mts', url, { node: forUndici8, from });
      expect(unknown).toMatchObject({
        status: 1,
        output: expect.stringContaining('the server does not know who asks: not-requested'),
      });
    });
  });
}

describe.each(['authenticated-fetch.mts', 'authenticated-https.mjs'])('%s', (name) => {
  test('lets a response through whose server knows who asked', async () => {
    const { status, output } = await run(name, await start());
    expect({ status, clients: clients(output) }).toEqual({ status: 0, clients: [ONE] });
    if (name.includes('fetch')) expect(output).toMatch(/^GET \/ certificate: sent\n200 {/);
  });

  test('fails one whose server did not ask', async () => {
    expect(await run(name, await start({ requestCert: false }))).toMatchObject({
      status: 1,
      output: expect.stringContaining('the server does not know who asks: not-requested'),
    });
  });
});

test.each(['node-fetch.mjs', 'http2.mjs'])('%s fails where nobody asks', async (name) => {
  const url = await start({ requestCert: false, http2: name === 'http2.mjs' });
  const { status, output } = await run(name, url);
  expect({ status, code: /ERR_CLIENT_CERT_REQUIRED/.exec(output)?.[0] }).toEqual({
    status: 1,
    code: 'ERR_CLIENT_CERT_REQUIRED',
  });
});

test('http2.mjs', async () => {
  const { status, output } = await run('http2.mjs', await start({ http2: true }));
  expect(clients(output)).toEqual([ONE, ONE]);
  expect({ status, asked: asked(output) }).toEqual({ status: 0, asked: 1 });
});

test('ws.mjs', async () => {
  const url = await start({ rejectUnauthorized: true });
  const sockets = new WebSocketServer({ server: server?.server });
  sockets.on('connection', (socket, { socket: below }) => {
    const { subject } = (below as import('node:tls').TLSSocket).getPeerCertificate();
    socket.on('message', (message) => socket.send(`${message}, ${subject.CN}`));
  });
  const { status, output } = await run('ws.mjs', url.replace('https', 'wss'));
  expect(output).toBe(`asked by localhost\nthe server: hello, ${ONE}\nclosed: 1005\n`);
  expect(status).toBe(0);
});

test('grpc.mts', async () => {
  const grpc = new Server();
  const stop = async () => grpc.forceShutdown();
  const forget = registerLeftover(stop);
  const text = { serialize: (value: string) => Buffer.from(value), deserialize: String };
  const definition: ServiceDefinition = {
    greet: {
      path: '/Greeter/Greet',
      requestStream: false,
      responseStream: false,
      requestSerialize: text.serialize,
      requestDeserialize: text.deserialize,
      responseSerialize: text.serialize,
      responseDeserialize: text.deserialize,
    },
  };
  const greet: handleUnaryCall<string, string> = (call, callback) => {
    const peer = call.getAuthContext().sslPeerCertificate;
    callback(null, `${call.request}, ${peer && 'subject' in peer && peer.subject.CN}`);
  };
  grpc.addService(definition, { greet });
  const pair = {
    private_key: Buffer.from(pki.server.key),
    cert_chain: Buffer.from(pki.server.cert),
  };
  const credentials = ServerCredentials.createSsl(Buffer.from(pki.clientCaA.cert), [pair], true);
  const port = await new Promise<number>((resolve, reject) => {
    grpc.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const { status, output } = await run('grpc.mts', `localhost:${port}`);
  expect(output).toBe(`asked by localhost\nthe server: hello, ${ONE}\n`);
  expect(status).toBe(0);
  forget();
  await stop();
});

describe.each(['http', 'https'] as const)('proxy.mts, %s', (protocol) => {
  let proxy: ConnectProxy;
  afterEach(() => proxy.close());

  test('goes through', async () => {
    proxy = await startConnectProxy({ protocol });
    const { status, output } = await run('proxy.mts', await start(), { more: [proxy.url] });
    expect(clients(output)).toEqual([ONE]);
    expect({ status, asked: asked(output) }).toEqual({ status: 0, asked: 1 });
    expect(proxy.targets).toEqual([`localhost:${server?.port}`]);
  });

  test('is refused', async () => {
    proxy = await startConnectProxy({ protocol, status: 407 });
    const { status, output } = await run('proxy.mts', await start(), { more: [proxy.url] });
    expect({ status, output }).toEqual({ status: 0, output: '407\n' });
  });
});

test.each(['https.mjs', 'fetch.mjs'])('%s, to nginx', async (name) => {
  await withServer(startNginx({ protocol: 'TLSv1.3' }), async (nginx) => {
    const { status, output } = await run(name, `https://localhost:${nginx.port}/`);
    expect(output.split(`subject=${ec256.subject}\nverify=SUCCESS`)).toHaveLength(3);
    expect({ status, asked: asked(output) }).toEqual({ status: 0, asked: 1 });
  });
});
