/** What a server may make us hold is bounded, before it has sent it. */
import { Connection, connect } from '../../lib/index';
import { dial, endedBy, failure, hangUp, PROTOCOLS, secured, within } from '../support/client';
import { ForgingServer } from '../support/forging-server';
import { KEPT_FREED } from '../support/kept-freed';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { createPair } from '../support/pair';
import { loadPki } from '../support/pki';
import { HANDSHAKE, vector } from '../support/records';
import { tlsRecords } from '../support/tap';

const pki = loadPki();

/** The beginning of a message that says it has 16 MiB. */
const huge = (type: number) => Buffer.of(type, 0xff, 0xff, 0xff, 0, 0, 0, 0);

describe('a message that says it has 16 MiB, after a handshake of TLS 1.3', () => {
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
    peer.inject(HANDSHAKE, huge(type));
    expect((await ended).code).toMatch(/^ERR_SSL_(EXCESSIVE_MESSAGE_SIZE|UNEXPECTED_MESSAGE)$/);
    await hangUp(socket);
  });
});

describe('a message that says it has 16 MiB, in a handshake of TLS 1.2', () => {
  let server: NodeServer;
  beforeAll(async () => {
    server = await startNodeServer({ identity: pki.server, maxVersion: 'TLSv1.2' });
  });
  afterAll(() => server.close());

  /** What the server sent, up to the message of the type, of which there is but the beginning. */
  function cut(sent: Buffer, type: number): Buffer | undefined {
    let at = 0;
    for (const record of tlsRecords(sent)) {
      for (let message = 0; record.type === 'handshake' && message < record.body.length; ) {
        if (record.body[message] === type) {
          const body = Buffer.concat([record.body.subarray(0, message), huge(type)]);
          return Buffer.concat([sent.subarray(0, at), Buffer.of(HANDSHAKE, 3, 3), vector(2, body)]);
        }
        message += 4 + record.body.readUIntBE(message + 1, 3);
      }
      at += 5 + record.body.length;
    }
    return undefined;
  }

  test.each([
    ['Certificate', 11],
    ['ServerKeyExchange', 12],
    ['CertificateRequest', 13],
    ['ServerHelloDone', 14],
    ['NewSessionTicket', 4],
  ])('%s: an error as soon as it says so', async (_name, type) => {
    const { client: near, server: far } = createPair();
    const { client, server: other } = createPair();
    server.server.emit('connection', far);
    other.pipe(near);
    let sent = Buffer.alloc(0);
    let passed = 0;
    near.on('data', (chunk: Buffer) => {
      sent = Buffer.concat([sent, chunk]);
      const upTo = cut(sent, type);
      other.write((upTo ?? sent).subarray(passed));
      passed = sent.length;
      if (upTo !== undefined) near.removeAllListeners('data');
    });
    const socket = connect({ socket: client, servername: 'localhost', ca: pki.serverCa.cert });
    expect((await failure(socket)).code).toBe('ERR_SSL_EXCESSIVE_MESSAGE_SIZE');
    near.destroy();
    other.destroy();
  });
});

describe.each(PROTOCOLS)('a chain, %s', (maxVersion) => {
  const serving = (count: number): Promise<NodeServer> =>
    startNodeServer({
      identity: { cert: pki.server.cert + pki.clientCaA.cert.repeat(count), key: pki.server.key },
      maxVersion,
    });

  test('of a hundred certificates is read', async () => {
    const server = await serving(100);
    const socket = await secured(dial(server));
    expect(socket.getProtocol()).toBe(maxVersion);
    await hangUp(socket);
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
