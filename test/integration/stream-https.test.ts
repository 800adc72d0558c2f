/** `node:https` over our sockets. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect, type TLSSocket } from '../../lib/index';
import { registerLeftover } from '../support/leftovers';
import { next, pki, readAll, record, to, VERSIONS, within } from './stream-helpers';

describe.each(VERSIONS)('https, %s', (version) => {
  let server: https.Server;
  let port: number;
  let forget: () => void;
  beforeAll(async () => {
    const options = {
      cert: pki.server.cert,
      key: pki.server.key,
      requestCert: true,
      rejectUnauthorized: false,
    };
    server = https.createServer(options, (request, response) => {
      const peer = (
        request.socket as { getPeerCertificate?: () => { subject?: { CN?: string } } }
      ).getPeerCertificate?.();
      response.setHeader('x-client', peer?.subject?.CN ?? 'nobody');
      if (request.method === 'POST') request.pipe(response);
      else response.end(`hello from ${request.url}`);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    port = (server.address() as AddressInfo).port;
    forget = registerLeftover(async () => void server.close());
  });
  afterAll(async () => {
    forget();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const options = (): ConnectionOptions => ({
    ...to(port, version),
    clientCertCallback: async () => pki.clients.ec256,
  });

  async function send(request: ReturnType<typeof https.request>, body?: Buffer) {
    request.end(body);
    const [response] = (await next(request, 'response')) as [IncomingMessage];
    return { response, body: await readAll(response) };
  }

  test('GET over createConnection, closed cleanly by Connection: close', async () => {
    const sockets: TLSSocket[] = [];
    const request = https.request({
      port,
      path: '/a',
      createConnection: () => {
        const socket = connect(options());
        sockets.push(socket);
        return socket as Duplex;
      },
    });
    const { response, body } = await send(request);
    expect(String(body)).toBe('hello from /a');
    expect(response.headers).toMatchObject({ 'x-client': 'client ec256', connection: 'close' });
    const [socket] = sockets;
    if (socket === undefined) throw new Error('no socket was made');
    const events = record(socket, ['error', 'close']);
    if (!socket.closed) await next(socket, 'close');
    expect(events.filter((event) => event.startsWith('error'))).toEqual([]);
    expect(socket.destroyed).toBe(true);
  });

  test('POST with a body, there and back', async () => {
    const body = Buffer.alloc(3_000_000, 'POST body ');
    const request = https.request({
      port,
      method: 'POST',
      path: '/',
      createConnection: () => connect(options()) as Duplex,
    });
    const answer = await send(request, body);
    expect(answer.body.equals(body)).toBe(true);
    expect(answer.response.statusCode).toBe(200);
  });

  test('an Agent of one connection is used again while it is kept alive', async () => {
    let made = 0;
    const sockets: TLSSocket[] = [];
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    Object.assign(agent, {
      createConnection: () => {
        made += 1;
        const socket = connect(options());
        sockets.push(socket);
        return socket;
      },
    });
    for (let i = 0; i < 3; i += 1) {
      const { body } = await send(https.request({ port, path: `/${i}`, agent }));
      expect(String(body)).toBe(`hello from /${i}`);
    }
    expect(made).toBe(1);
    const closed = next(sockets[0] as TLSSocket, 'close');
    agent.destroy();
    await closed;
  });

  // agent: false makes a new Agent of node:https, which knows nothing of createConnection.
  test('a class of agents of ours, and a timeout while suspended', async () => {
    class PatientAgent extends https.Agent {
      override createConnection(): Duplex {
        return connect({ ...options(), clientCertCallback: () => new Promise(() => {}) });
      }
    }
    const agent = new PatientAgent({ keepAlive: false });
    const request = https.request({ port, path: '/', agent });
    request.setTimeout(60);
    request.end();
    await next(request, 'timeout');
    const failed = next(request, 'error');
    request.destroy();
    expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  test("a handshake that fails is the request's error", async () => {
    const request = https.request({
      port,
      path: '/',
      createConnection: () =>
        connect({
          ...options(),
          clientCertCallback: () => {
            throw new Error('no card');
          },
        }) as Duplex,
    });
    request.end();
    const [error] = await within(
      once(request, 'error').catch((e) => [e]),
      'error',
    );
    expect(error).toMatchObject({ code: 'ERR_CLIENT_CERT_CALLBACK' });
  });
});
