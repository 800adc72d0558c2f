/** What a server may make us hold is bounded, before it has sent it. */
import { Connection } from '../../lib/index';
import { dial, endedBy, failure, hangUp, secured, within } from '../support/client';
import { ForgingServer } from '../support/forging-server';
import { KEPT_FREED } from '../support/kept-freed';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { HANDSHAKE } from '../support/records';

const pki = loadPki();

describe('a message that says it has 16 MiB', () => {
  let server: ForgingServer;
  beforeAll(async () => {
    server = await ForgingServer.start({ identity: pki.server });
  });
  afterAll(() => server.close());

  test.each([
    ['NewSessionTicket', 4],
    ['CertificateRequest', 13],
    ['KeyUpdate', 24],
    ['Certificate', 11],
  ])('%s: an error as soon as it says so', async (_name, type) => {
    const met = server.nextPeer();
    const socket = dial(server, { minVersion: 'TLSv1.3', postHandshakeAuth: true });
    const ended = endedBy(socket);
    await secured(socket);
    socket.resume();
    const peer = await within('peer', met);
    peer.inject(HANDSHAKE, Buffer.of(type, 0xff, 0xff, 0xff, 0, 0, 0, 0));
    expect((await ended).code).toMatch(/^ERR_SSL_(EXCESSIVE_MESSAGE_SIZE|UNEXPECTED_MESSAGE)$/);
    await hangUp(socket);
  });
});

describe('a chain', () => {
  const serving = (count: number): Promise<NodeServer> =>
    startNodeServer({
      identity: { cert: pki.server.cert + pki.clientCaA.cert.repeat(count), key: pki.server.key },
    });

  test('of a hundred certificates is read', async () => {
    const server = await serving(100);
    await hangUp(await secured(dial(server)));
    await server.close();
  });

  test('of more than 100 KiB is an error', async () => {
    const server = await serving(400);
    const error = await failure(dial(server));
    expect(error.code).toBe('ERR_SSL_EXCESSIVE_MESSAGE_SIZE');
    await server.close();
  });
});

test.each([
  ['of 8 MiB', Buffer.alloc(8 * 1024 * 1024, 0x30)],
  ['that says it has 4 GiB', Buffer.from('3084ffffffff0201', 'hex')],
  ['of nothing', Buffer.alloc(0)],
])('a session %s is not offered, and no error', (_name, session) => {
  const before = process.memoryUsage().rss;
  const connection = new Connection({ host: 'localhost', session });
  expect(connection.handshake().status).toBe('want-read');
  expect((connection.drain() as Buffer).length).toBeLessThan(4096);
  connection.destroy();
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024 + KEPT_FREED);
});

test('what comes without a TLS record in it is an error at once', async () => {
  const connection = new Connection({ host: 'localhost' });
  connection.handshake();
  connection.receive(Buffer.alloc(1024 * 1024, 'HTTP/1.1 400 Bad Request\r\n'));
  const result = connection.handshake();
  expect(result.status).toBe('failed');
  connection.destroy();
});
