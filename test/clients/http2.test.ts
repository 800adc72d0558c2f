/** `tls-client-cert/http2`: `http2.connect()` over our connections. */
import { once } from 'node:events';
import http2 from 'node:http2';
import type { LookupFunction, Socket } from 'node:net';
import { type CreateConnectionOptions, createConnection } from '../../lib/agents/http2';
import { Credential, connect, createSecureContext, type TLSSocket } from '../../lib/index';
import { deferred, within } from '../support/client';
import { captureHello } from '../support/client-hello';
import { type HttpsServer, type Report, startHttpsServer } from '../support/https-server';
import { startNodeServer } from '../support/node-server';
import { ca, ONE, OTHER, one, other, pki } from './requests';

/** RFC 8446, section 4.2. */
const POST_HANDSHAKE_AUTH = 49;

let server: HttpsServer;

beforeEach(async () => {
  server = await startHttpsServer({ http2: true });
});
afterEach(() => server.close());

function ask(session: http2.ClientHttp2Session, path = '/'): Promise<Report> {
  return within(
    'response',
    new Promise((resolve, reject) => {
      let text = '';
      session
        .request({ ':path': path })
        .setEncoding('utf8')
        .on('error', reject)
        .on('data', (chunk) => {
          text += chunk;
        })
        .on('end', () => resolve(JSON.parse(text)))
        .end();
    }),
  );
}

function open(
  options?: CreateConnectionOptions,
  sessionOptions: object = {},
  url: string | URL = server.url,
) {
  const connectOver = createConnection({ ca, ...options });
  const made: { socket?: TLSSocket } = {};
  const session = http2.connect(url, {
    ...sessionOptions,
    createConnection: (authority, given) => {
      made.socket = connectOver(authority, given);
      return made.socket;
    },
  });
  return { session, socket: made.socket as TLSSocket };
}

async function close(session: http2.ClientHttp2Session): Promise<void> {
  const closed = once(session, 'close');
  session.close();
  await within('close', closed);
}

test('requests wait for the answer, and share its connection', async () => {
  const credential = new Credential(one);
  const answer = deferred<Credential>();
  let asked = 0;
  const { session, socket } = open({
    clientCertCallback: () => {
      asked++;
      return answer.promise;
    },
  });
  const reports = Promise.all(['/a', '/b', '/c'].map((path) => ask(session, path)));
  setTimeout(answer.resolve, 20, credential);
  expect(await reports).toEqual(
    ['/a', '/b', '/c'].map((path) => expect.objectContaining({ path, client: ONE, connection: 1 })),
  );
  expect(asked).toBe(1);
  expect(socket.alpnProtocol).toBe('h2');
  expect(socket.clientAuth).toMatchObject({ status: 'sent', credential });
  await close(session);
  expect(socket.destroyed).toBe(true);
  // With a close_notify.
  expect(socket.writableFinished).toBe(true);
});

// What Node makes of a stream that is not its own, and what the documents say of it.
test("Node's session is connected before it is secure, and knows of no TLS", async () => {
  const { session, socket } = open({ clientCertCallback: async () => one });
  await within('connect', once(session, 'connect'));
  expect(socket.secureConnecting).toBe(true);
  await ask(session);
  expect(session).toMatchObject({ encrypted: false, alpnProtocol: 'h2c' });
  await close(session);
});

test('over a socket that was secured before', async () => {
  const socket = connect({
    host: 'localhost',
    port: server.port,
    ca,
    ALPNProtocols: ['h2'],
    clientCertCallback: async () => one,
  });
  await within('secureConnect', once(socket, 'secureConnect'));
  const session = http2.connect(server.url, { createConnection: () => socket });
  expect(await ask(session)).toMatchObject({ client: ONE });
  await close(session);
});

test('options of http2.connect() go before, and say who it is as a whole', async () => {
  const { session } = open(one, { clientCertCallback: () => other });
  expect(await ask(session)).toMatchObject({ client: OTHER });
  await close(session);
  const { session: second } = open({ ca: undefined, ...one }, { ca });
  expect(await ask(second)).toMatchObject({ client: ONE });
  await close(second);
});

test('a certificate that a secureContext holds does not go in place of an answer', () => {
  const secureContext = createSecureContext({ ca, ...one });
  const connectOver = createConnection({ secureContext });
  const options = { clientCertCallback: () => null };
  expect(() => connectOver(new URL(server.url), options as object)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
  );
});

test.each([
  ['hostname', { protocol: 'https:', hostname: 'localhost' }],
  ['host', { protocol: 'https:', host: 'localhost' }],
  ['neither', {}],
])('a plain object with %s is taken as http2.connect() takes it', async (_name, authority) => {
  const looked: string[] = [];
  const lookup: LookupFunction = (hostname, _options, callback) => {
    looked.push(hostname);
    callback(null, [{ address: '127.0.0.1', family: 4 }]);
  };
  const place = { ...authority, port: server.port } as unknown as URL;
  const { session } = open(one, { lookup }, place);
  expect(await ask(session)).toMatchObject({ client: ONE, servername: 'localhost' });
  expect(looked).toEqual(['localhost']);
  await close(session);
});

test('localAddress and signal of http2.connect() are those of the connection', async () => {
  const controller = new AbortController();
  const { session, socket } = open(one, {
    localAddress: '127.0.0.2',
    signal: controller.signal,
  });
  await ask(session);
  expect(socket.localAddress).toBe('127.0.0.2');
  const closed = expect(within('error', once(session, 'close'))).rejects.toMatchObject({
    code: 'ABORT_ERR',
  });
  controller.abort();
  await closed;
  expect(socket.destroyed).toBe(true);
});

test('to a server without HTTP/2 nothing is said, not even the preface', async () => {
  const received: Buffer[] = [];
  const ended = deferred();
  const plain = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) => {
      socket.on('data', (data) => received.push(data)).on('close', () => ended.resolve());
    },
  });
  const { session } = open(one, {}, `https://localhost:${plain.port}`);
  const failed = ask(session).catch((error) => error);
  await expect(within('error', once(session, 'close'))).rejects.toMatchObject({
    code: 'ERR_TLS_ALPN_MISMATCH',
  });
  expect(await failed).toMatchObject({ code: 'ERR_TLS_ALPN_MISMATCH' });
  await within('end', ended.promise);
  expect(received).toEqual([]);
  await plain.close();
});

test('a server that knows ALPN and no HTTP/2 refuses by itself', async () => {
  const http1 = await startHttpsServer();
  const { session } = open(one, {}, http1.url);
  await expect(within('error', once(session, 'close'))).rejects.toMatchObject({
    code: 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
  });
  await http1.close();
});

test('a server that refuses the certificate fails the session', async () => {
  await server.close();
  server = await startHttpsServer({
    http2: true,
    rejectUnauthorized: true,
    ca: pki.clientCaB.cert,
  });
  const { session } = open(one);
  const failed = ask(session).catch((error) => error);
  await expect(within('error', once(session, 'close'))).rejects.toMatchObject({
    code: expect.stringMatching(/^(ERR_SSL_|ECONNRESET)/),
  });
  expect(await failed).toBeInstanceOf(Error);
});

test('a server that goes away closes the question, and fails the session', async () => {
  const asked = deferred<AbortSignal>();
  const sockets: Socket[] = [];
  server.server.on('connection', (socket) => sockets.push(socket as Socket));
  const { session } = open({
    clientCertCallback: (_request, { signal }) => {
      asked.resolve(signal);
      return new Promise(() => {});
    },
  });
  const failed = ask(session).catch((error) => error);
  const closed = expect(within('error', once(session, 'close'))).rejects.toMatchObject({
    code: 'ECONNRESET',
  });
  const signal = await within('question', asked.promise);
  sockets[0]?.destroy();
  await closed;
  expect(await failed).toMatchObject({ code: 'ECONNRESET' });
  expect(signal.aborted).toBe(true);
});

test.each(['destroy', 'close'] as const)('session.%s() closes the question', async (method) => {
  const asked = deferred<AbortSignal>();
  const { session, socket } = open({
    clientCertCallback: (_request, { signal }) => {
      asked.resolve(signal);
      return new Promise(() => {});
    },
  });
  const signal = await within('question', asked.promise);
  const closed = Promise.all([once(socket, 'close'), once(session, 'close')]);
  session[method]();
  await within('close', closed);
  expect(signal.aborted).toBe(true);
});

test('HTTP/2 is all that is offered, and no server is allowed to ask after the handshake', async () => {
  const hello = await captureHello((port) =>
    createConnection(one)(new URL(`https://localhost:${port}`)).on('error', () => {}),
  );
  expect(hello.alpnProtocols).toEqual(['h2']);
  expect(hello.servername).toBe('localhost');
  expect(hello.extensions).not.toContain(POST_HANDSHAKE_AUTH);
});

test.each(['http://localhost/', 'ftp://localhost/'])('%s is refused', (url) => {
  expect(() => createConnection()(new URL(url))).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
  );
});
