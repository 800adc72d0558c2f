/** What a peer can do wrong, phase by phase: each ends in one error with a code, and soon. */
import net, { type AddressInfo, type Socket } from 'node:net';
import { connect } from '../../lib/index';
import { startNodeServer } from '../support/node-server';
import { createPair } from '../support/pair';
import { startTap, tlsRecords } from '../support/tap';
import {
  type Client,
  clients,
  failure,
  next,
  pki,
  readBytes,
  record,
  startRawServer,
  suspended,
  to,
  VERSIONS,
} from './stream-helpers';

/** A server without TLS; returns the codes that both clients fail with. */
async function codesAgainst(
  onConnection: (socket: Socket) => void,
): Promise<Record<Client, string>> {
  const server = await startRawServer(onConnection);
  const codes = {} as Record<Client, string>;
  for (const client of ['ours', 'node'] as const) {
    const socket = clients[client](to(server.port));
    const events = record(socket, ['secureConnect', 'end', 'close']);
    codes[client] = String((await failure(socket)).code);
    if (client === 'ours') expect(events).toEqual(['close true']);
    expect(socket.destroyed).toBe(true);
  }
  await server.close();
  return codes;
}

describe('a peer that speaks no TLS', () => {
  test.each<[string, string | Buffer]>([
    ['plain HTTP', 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'],
    ['SSH', 'SSH-2.0-OpenSSH_9.0\r\n'],
    ['noise', Buffer.alloc(1_000, 0xa5)],
    ['zeros', Buffer.alloc(1_000)],
    ['an oversized record', Buffer.concat([Buffer.of(22, 3, 3, 255, 255), Buffer.alloc(65_535)])],
    ['many empty records', Buffer.alloc(5 * 40, Buffer.of(22, 3, 3, 0, 0))],
    ['a ServerHello of rubbish', Buffer.of(22, 3, 3, 0, 8, 2, 0, 0, 4, 3, 3, 9, 9)],
    ['application data', Buffer.of(23, 3, 3, 0, 3, 1, 2, 3)],
    ['a fatal alert', Buffer.of(21, 3, 3, 0, 2, 2, 40)],
  ])('%s, in answer to the hello: the code of node:tls', async (_, bytes) => {
    const codes = await codesAgainst((socket) => socket.once('data', () => socket.write(bytes)));
    expect(codes.ours).toMatch(/^ERR_SSL_/);
    expect(codes.ours).toBe(codes.node);
  });

  test('garbage before any hello', async () => {
    const codes = await codesAgainst((socket) => socket.write('220 mail.example ESMTP\r\n'));
    expect(codes.ours).toMatch(/^ERR_SSL_/);
    expect(codes.ours).toBe(codes.node);
  });

  test.each<[string, (socket: Socket) => void]>([
    ['FIN before the hello', (socket) => socket.end()],
    ['RST before the hello', (socket) => socket.resetAndDestroy()],
    ['FIN after the hello', (socket) => socket.once('data', () => socket.end())],
    ['RST after the hello', (socket) => socket.once('data', () => socket.resetAndDestroy())],
    [
      'FIN within a record',
      (socket) => socket.once('data', () => socket.end(Buffer.of(22, 3, 3, 0, 99, 2, 0))),
    ],
  ])('%s is ECONNRESET, as in node:tls', async (_, onConnection) => {
    const codes = await codesAgainst(onConnection);
    expect(codes).toEqual({ ours: 'ECONNRESET', node: 'ECONNRESET' });
  });
});

describe('no connection at all', () => {
  const unusedPort = async () => {
    const server = net.createServer().listen(0, '127.0.0.1');
    await next(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await next(server, 'close');
    return port;
  };
  const facts = async (client: Client, options: object) => {
    const socket = clients[client](options);
    const events = record(socket, ['connect', 'secureConnect', 'end', 'close']);
    const { code, syscall, port, address, hostname, message } = (await failure(socket)) as Error &
      NodeJS.ErrnoException & { port?: number; address?: string; hostname?: string };
    return { code, syscall, port, address, hostname, message, events };
  };

  test('a refused connection fails as it does with net', async () => {
    const options = { port: await unusedPort(), host: '127.0.0.1' };
    const ours = await facts('ours', options);
    expect(ours).toMatchObject({
      code: 'ECONNREFUSED',
      syscall: 'connect',
      events: ['close true'],
    });
    expect(ours).toEqual(await facts('node', options));
  });

  test('an unknown host fails as it does with net', async () => {
    // Without asking any name server, which may be out of reach or answer for everything.
    const lookup = (host: string, _: unknown, callback: (error: Error) => void) => {
      const error = new Error(`getaddrinfo ENOTFOUND ${host}`);
      callback(Object.assign(error, { code: 'ENOTFOUND', syscall: 'getaddrinfo', hostname: host }));
    };
    const options = { port: 1, host: 'nowhere.invalid', lookup };
    const ours = await facts('ours', options);
    expect(ours).toMatchObject({ code: 'ENOTFOUND', hostname: 'nowhere.invalid' });
    expect(ours).toEqual(await facts('node', options));
  });

  test('a missing Unix domain socket fails as it does with net', async () => {
    const options = { path: `${pki.dir}/no-such.sock` };
    const ours = await facts('ours', options);
    expect(ours).toEqual(await facts('node', options));
  });
});

describe.each(VERSIONS)('a server that goes wrong on the way, %s', (version) => {
  /** A server behind a proxy that the test can speak through. */
  async function behindProxy() {
    const server = await startNodeServer({ identity: pki.server });
    let toClient: Socket | undefined;
    const proxy = await startRawServer((socket) => {
      toClient = socket;
      const target = net.connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true });
      target.on('error', () => {});
      target.on('data', (bytes) => socket.write(bytes));
      socket.on('data', (bytes) => target.write(bytes));
      socket.on('end', () => target.end());
      socket.on('close', () => target.destroy());
    });
    return {
      port: proxy.port,
      inject: (bytes: Buffer | string) => toClient?.write(bytes),
      fin: () => toClient?.end(),
      rst: () => toClient?.resetAndDestroy(),
      async close() {
        await proxy.close();
        await server.close();
      },
    };
  }

  test('garbage after the handshake', async () => {
    const proxy = await behindProxy();
    const seen: string[][] = [];
    for (const client of ['ours', 'node'] as const) {
      const socket = clients[client](to(proxy.port, version));
      const events = record(socket, ['secureConnect', 'end', 'error', 'close']);
      // node:tls leaves an open connection open after such an error.
      const over = next(socket, client === 'ours' ? 'close' : 'error');
      await next(socket, 'secureConnect');
      socket.write('x');
      await readBytes(socket, 1);
      proxy.inject('this is no TLS record at all');
      await over;
      socket.destroy();
      seen.push(events);
    }
    expect(seen[0]).toEqual([...(seen[1] ?? []), 'close true']);
    expect(seen[0]?.[1]).toMatch(/^error ERR_SSL_/);
    await proxy.close();
  });

  test('a record that was changed on the way', async () => {
    const server = await startNodeServer({ identity: pki.server });
    const codes: unknown[] = [];
    for (const client of ['ours', 'node'] as const) {
      let spoil = false;
      const proxy = await startRawServer((socket) => {
        const target = net.connect(server.port, '127.0.0.1');
        target.on('error', () => {});
        socket.pipe(target);
        target.on('data', (bytes) => {
          // Within the body of the record, so that only its authentication fails.
          if (spoil) bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
          socket.write(bytes);
        });
      });
      const socket = clients[client](to(proxy.port, version));
      socket.write('x');
      await readBytes(socket, 1);
      spoil = true;
      const failed = next(socket, 'error');
      socket.write('y');
      codes.push(((await failed)[0] as NodeJS.ErrnoException).code);
      socket.destroy();
      await proxy.close();
    }
    expect(codes[0]).toMatch(/^ERR_SSL_/);
    expect(codes[0]).toBe(codes[1]);
    await server.close();
  });

  test.each([1, 5, 6, 60, 200, 500])('cut off after %i bytes of its flight', async (size) => {
    const server = await startNodeServer({ identity: pki.server });
    const proxy = await startRawServer((socket) => {
      const target = net.connect(server.port, '127.0.0.1');
      target.on('error', () => {});
      socket.pipe(target);
      let left = size;
      target.on('data', (bytes) => {
        socket.write(bytes.subarray(0, left));
        left -= Math.min(left, bytes.length);
        if (left === 0) socket.end();
      });
    });
    const socket = connect(to(proxy.port, version));
    const events = record(socket, ['secureConnect', 'end', 'close']);
    expect((await failure(socket)).code).toBe('ECONNRESET');
    expect(events).toEqual(['close true']);
    await proxy.close();
    await server.close();
  });

  test.each(['fin', 'rst'] as const)('gone by %s while suspended', async (how) => {
    const proxy = await behindProxy();
    const { socket, asked, answer } = suspended(to(proxy.port, version));
    const events = record(socket, ['secureConnect', 'end', 'error', 'close']);
    const signal = await asked;
    const failed = failure(socket, 2_000);
    proxy[how]();
    const error = await failed;
    expect(error.code).toBe('ECONNRESET');
    if (how === 'fin') expect(error.message).toContain('was not answered yet');
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toBe(error);
    expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
    answer(pki.clients.rsa);
    await new Promise((resolve) => setImmediate(resolve));
    expect(events).toEqual(['error ECONNRESET', 'close true']);
    await proxy.close();
  });

  test.each(['fin', 'rst'] as const)(
    'gone by %s between the answer and its flight',
    async (how) => {
      const proxy = await behindProxy();
      const { socket, asked, answer } = suspended(to(proxy.port, version));
      await asked;
      const failed = failure(socket, 2_000);
      proxy[how]();
      // In the same turn: the end has left the peer and was not seen here.
      answer(pki.clients.ec256);
      expect((await failed).code).toMatch(
        /^(ECONNRESET|EPIPE|ERR_SSL_UNEXPECTED_EOF_WHILE_READING)$/,
      );
      await proxy.close();
    },
  );

  test('gone when the answer has left, before the server replied', async () => {
    const server = await startNodeServer({ identity: pki.server });
    const tap = await startTap(server.port);
    const { socket, asked, answer } = suspended(to(tap.port, version));
    await asked;
    const records = tlsRecords(tap.fromClient).length;
    const failed = failure(socket, 2_000);
    answer(pki.clients.ec256);
    const cutWhenSent = () => {
      if (tlsRecords(tap.fromClient).length > records) tap.cut();
      else setImmediate(cutWhenSent);
    };
    cutWhenSent();
    expect((await failed).code).toMatch(/^(ECONNRESET|ERR_SSL_UNEXPECTED_EOF_WHILE_READING)$/);
    await tap.close();
    await server.close();
  });
});

describe('a tunnel that breaks', () => {
  test.each(['suspended', 'open'])('while %s says why, whoever waits', async (phase) => {
    const server = await startNodeServer({ identity: pki.server, requestCert: true });
    const { client, server: far } = createPair();
    const onward = net.connect(server.port, '127.0.0.1');
    far.pipe(onward).pipe(far);
    const broken = Object.assign(new Error('the proxy broke'), { code: 'EPROXY' });
    if (phase === 'open') {
      const socket = connect({
        ...to(server.port),
        socket: client,
        clientCertCallback: () => null,
      });
      await next(socket, 'secureConnect');
      const failed = failure(socket);
      client.destroy(broken);
      expect(await failed).toBe(broken);
    } else {
      const { socket, asked } = suspended({ ...to(server.port), socket: client });
      const signal = await asked;
      const failed = failure(socket);
      client.destroy(broken);
      const error = await failed;
      expect(error).toMatchObject({ code: 'EPROXY', cause: broken });
      expect(error.message).toContain('the proxy broke');
      expect(signal.reason).toBe(error);
    }
    onward.destroy();
    await server.close();
  });

  // Whoever shares the stream may end it: what was to show the certificate then stays here.
  test.each(VERSIONS)('ended by somebody else before our flight, %s', async (version) => {
    const server = await startNodeServer({ identity: pki.server });
    const raw = net.connect(server.port, '127.0.0.1');
    await next(raw, 'connect');
    raw.once('data', () => raw.end());
    const socket = connect({ ...to(server.port, version), socket: raw, ...pki.clients.ec256 });
    const events = record(socket, ['secureConnect', 'end', 'close']);
    const error = await failure(socket);
    expect(error.code).toBe('ECONNRESET');
    expect(events).toEqual(['close true']);
    expect(socket.clientAuth).toMatchObject({ status: 'failed', sent: false, error });
    await server.close();
  });
});
