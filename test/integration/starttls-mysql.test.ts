/** What of a driver's answer to MySQL's greeting goes out in plaintext. */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { mysqlStream, upgrade } from '../../lib/starttls';
import { deferred, later, within } from '../support/client';
import { mysqlGreeting } from '../support/mysql-greeting';

const MYSQL = 0x1;
const PROTOCOL_41 = 0x200;
const SSL = 0x800;
const SSL_REQUEST_LENGTH = 36;
const GREETING = mysqlGreeting(PROTOCOL_41 | SSL);

const servers = new Set<net.Server>();
const sockets = new Set<{ destroy(): void }>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  sockets.clear();
  servers.clear();
});

/** Greets, and says what it has heard: once it is an SSLRequest, and once the client is gone. */
async function startServer() {
  const requested = deferred<Buffer>();
  const gone = deferred<Buffer>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    let heard = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      if (heard.length >= SSL_REQUEST_LENGTH) requested.resolve(heard);
    });
    socket.on('close', () => gone.resolve(heard));
    socket.write(GREETING);
  });
  servers.add(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, requested: requested.promise, gone: gone.promise };
}

/** Protocol::HandshakeResponse41, its 23 bytes of filler full of what should not be there. */
function answer(capabilities: number): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(capabilities, 0);
  head.writeUInt32LE(0x1000000, 4);
  head[8] = 45;
  return packet(Buffer.concat([head, Buffer.from('a secret, in the filler'), Buffer.from('me\0')]));
}

/** Protocol::HandshakeResponse320: the user's name is the sixth byte and what follows. */
function oldAnswer(user: string): Buffer {
  return packet(
    Buffer.concat([Buffer.from([0x85, 0, 0, 0, 1]), Buffer.from(`${user}\0SCRAMBLE\0db\0`)]),
  );
}

const packet = (payload: Buffer) =>
  Buffer.concat([Buffer.from([payload.length, 0, 0, 1]), payload]);

/** By both ways that an answer has: what the server hears, and what it fails with. */
const WAYS: [name: string, answering: (port: number, bytes: Buffer) => Promise<unknown>][] = [
  [
    'upgrade()',
    async (port, bytes) => {
      const socket = net.connect(port, '127.0.0.1');
      sockets.add(socket);
      await upgrade('mysql', socket, {
        onGreeting: (greeting) => {
          expect(greeting).toEqual(GREETING);
          return later(bytes, 5);
        },
      });
    },
  ],
  [
    'mysqlStream()',
    async (port, bytes) => {
      const stream = mysqlStream({ host: '127.0.0.1', port });
      sockets.add(stream);
      const [greeting] = await once(stream, 'data');
      expect(greeting).toEqual(GREETING);
      stream.write(bytes);
      await once(stream, 'close');
    },
  ],
];

describe.each(WAYS)('%s', (_name, answering) => {
  test.each([
    ['all of its filler', MYSQL | PROTOCOL_41, '\0\0\0\0'],
    // https://mariadb.com/kb/en/connection/#sslrequest-packet
    ["all but MariaDB's capabilities", PROTOCOL_41, 'ller'],
  ])('the head of an answer asks for TLS, without %s', async (_what, capabilities, end) => {
    const server = await startServer();
    const answered = answering(server.port, answer(capabilities)).catch(() => {});
    const heard = await within('request', server.requested);
    const head = Buffer.from([32, 0, 0, 1, capabilities & 0xff, 0x0a, 0, 0, 0, 0, 0, 1, 45]);
    expect(heard.subarray(0, SSL_REQUEST_LENGTH)).toEqual(
      Buffer.concat([head, Buffer.alloc(19), Buffer.from(end)]),
    );
    for (const socket of sockets) socket.destroy();
    await answered;
  });

  test('an answer older than 4.1, which begins with the user, is refused; the server hears nothing', async () => {
    const server = await startServer();
    await expect(
      answering(server.port, oldAnswer('administrator-of-payroll')),
    ).rejects.toMatchObject({
      code: 'ERR_STARTTLS_DRIVER',
      message: expect.not.stringContaining('administrator'),
    });
    expect(await within('end', server.gone)).toHaveLength(0);
  });

  test('so is what is too short to be an answer', async () => {
    const server = await startServer();
    const short = answer(PROTOCOL_41).subarray(0, SSL_REQUEST_LENGTH - 1);
    await expect(answering(server.port, short)).rejects.toMatchObject({
      code: 'ERR_STARTTLS_DRIVER',
    });
    expect(await within('end', server.gone)).toHaveLength(0);
  });
});
