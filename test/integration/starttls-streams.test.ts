/** The streams for drivers, as streams: their ends, their patience, and who lets go of them. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import type { ClientCertCallback, TLSSocket } from '../../lib/index';
import {
  type DriverStreamOptions,
  type LateStream,
  mysqlStream,
  postgresStream,
} from '../../lib/starttls';
import { deferred, later, within } from '../support/client';
import { loadPki } from '../support/pki';

const pki = loadPki();
const SSL_REQUEST_LENGTH = 8;

const open = new Set<{ destroy(): void }>();
const servers = new Set<net.Server>();
afterEach(() => {
  for (const one of open) one.destroy();
  for (const server of servers) server.close();
  open.clear();
  servers.clear();
});

/** Says 'S' to every SSLRequest, and speaks TLS from there. */
async function startServer(
  use: (secure: tls.TLSSocket) => void,
  where: { port: number; host: string } | { path: string } = { port: 0, host: '127.0.0.1' },
  allowHalfOpen = false,
) {
  const { cert, key } = pki.server;
  const secured = tls.createServer({ cert, key, ca: pki.clientCaA.cert, requestCert: true }, use);
  secured.on('tlsClientError', () => {});
  const accepted = deferred<net.Socket>();
  const server = net.createServer({ allowHalfOpen }, async (socket) => {
    open.add(socket);
    socket.on('error', () => {});
    accepted.resolve(socket);
    while (socket.read(SSL_REQUEST_LENGTH) === null) await once(socket, 'readable');
    socket.write('S');
    secured.emit('connection', socket);
  });
  servers.add(server);
  server.listen(where);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, accepted: accepted.promise };
}

function stream(options: DriverStreamOptions = {}) {
  const one = postgresStream({
    ca: pki.serverCa.cert,
    servername: 'localhost',
    clientCertCallback: () => later(pki.clients.ec256, 5),
    ...options,
  });
  open.add(one);
  return one;
}

/** Asked, and never answering. */
function pending() {
  const asked = deferred<AbortSignal>();
  const clientCertCallback: ClientCertCallback = (_request, { signal }) => {
    asked.resolve(signal);
    return new Promise<never>(() => {});
  };
  return { asked: asked.promise, clientCertCallback };
}

async function endOf(readable: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  readable.on('data', (chunk: Buffer) => chunks.push(chunk));
  await within('end', once(readable, 'end'));
  return Buffer.concat(chunks);
}

test('what is written, and ended, before there is a connection arrives, and the answer too', async () => {
  const answer = async (secure: tls.TLSSocket) => {
    secure.end(`${secure.getPeerCertificate().subject.CN} said ${await endOf(secure)}`);
  };
  const { port } = await startServer(answer, undefined, true);
  const one = stream();
  one.write('hel');
  one.end('lo');
  expect(one.secureSocket).toBeUndefined();
  expect(one.getPeerCertificate()).toEqual({});
  const closed = once(one, 'close');
  one.connect(port, '127.0.0.1');
  expect(String(await endOf(one))).toBe('client ec256 said hello');
  expect(one.secureSocket?.clientAuth.status).toBe('sent');
  await within('close', closed);
});

test("'connect' comes when it is secure; the settings of a socket can be made before and after", async () => {
  const { port } = await startServer(() => {});
  const one = stream();
  const settings = () => one.setNoDelay(false).setKeepAlive(true, 1000).unref().ref();
  expect(settings()).toBe(one);
  expect(one.connect(port, '127.0.0.1')).toBe(one);
  await within('connect', once(one, 'connect'));
  expect(one.secureSocket?.getProtocol()).toBe('TLSv1.3');
  expect(one.getPeerCertificate().subject.CN).toBe(
    one.secureSocket?.getPeerCertificate().subject.CN,
  );
  expect(settings()).toBe(one);
});

test('a Unix domain socket', async () => {
  const path = join(tmpdir(), `tls-client-cert-${process.pid}-starttls`);
  // A turn later, or it ends without close_notify.
  await startServer((secure) => void setImmediate(() => secure.end('hello')), { path });
  expect(String(await endOf(stream().connect(path)))).toBe('hello');
});

test('who does not read is not sent more than there is room for', async () => {
  const data = randomBytes(16 * 1024 * 1024);
  const { port } = await startServer((secure) => {
    setImmediate(() => secure.end(data));
  });
  const one = stream().connect(port, '127.0.0.1');
  await within('connect', once(one, 'connect'));
  const { secureSocket } = one;
  await within('data', once(one, 'readable'));
  for (let before = -1; before !== secureSocket?.bytesRead; await later(null, 40)) {
    before = secureSocket?.bytesRead ?? 0;
  }
  expect(one.readableLength).toBeLessThan(1024 * 1024);
  expect((await endOf(one)).equals(data)).toBe(true);
});

test.each([1_000, 100_000])(
  'who reads slowly gets all %i bytes of a server that has ended, and its end',
  async (size) => {
    const data = randomBytes(size);
    const finished = deferred();
    const { port } = await startServer((secure) => {
      setImmediate(() => secure.end(data, finished.resolve));
    });
    const one = stream().connect(port, '127.0.0.1').pause();
    const closed = once(one, 'close');
    await within('finish', finished.promise);
    const chunks: Buffer[] = [];
    // Time enough, before each, to be destroyed in.
    await later(null, 40);
    for await (const chunk of one) {
      chunks.push(chunk);
      await later(null, 10);
    }
    expect(Buffer.concat(chunks).equals(data)).toBe(true);
    await within('close', closed);
  },
);

test('what is written to a server that has ended, before its end is read, arrives', async () => {
  const heard = deferred<Buffer>();
  const { port } = await startServer(
    (secure) => {
      endOf(secure).then(heard.resolve, heard.reject);
      setImmediate(() => secure.end('bye'));
    },
    undefined,
    true,
  );
  const one = stream().connect(port, '127.0.0.1').pause();
  await within('connect', once(one, 'connect'));
  await within('end', once(one.secureSocket as TLSSocket, 'end'));
  await later(null, 10);
  one.write('more');
  expect(String(await endOf(one.resume()))).toBe('bye');
  expect(String(await within('data', heard.promise))).toBe('more');
});

test('a server that ends: so do we, and close', async () => {
  const ended = deferred();
  const { port } = await startServer((secure) => {
    setImmediate(() => secure.end('bye'));
    secure.resume().once('end', ended.resolve);
  });
  const one = stream().connect(port, '127.0.0.1');
  const closed = once(one, 'close');
  expect(String(await endOf(one))).toBe('bye');
  await within('end', ended.promise);
  await within('close', closed);
  expect(one.writableFinished).toBe(true);
});

test('a server that ends without a word: so do we, even if nobody reads', async () => {
  const { port } = await startServer((secure) => void setImmediate(() => secure.end()));
  const one = stream().connect(port, '127.0.0.1').pause();
  const ended = once(one, 'end');
  const closed = once(one, 'close');
  await within('end', ended);
  await within('close', closed);
});

test('whoever destroys the TLS connection destroys the stream', async () => {
  const { port } = await startServer(() => {});
  const one = stream().connect(port, '127.0.0.1');
  await within('connect', once(one, 'connect'));
  one.secureSocket?.destroy();
  await within('close', once(one, 'close'));
});

test('whoever ends the TLS connection ends the stream', async () => {
  const { port } = await startServer((secure) => void secure.resume());
  const one = stream().connect(port, '127.0.0.1').resume();
  const closed = once(one, 'close');
  await within('connect', once(one, 'connect'));
  one.secureSocket?.end();
  await within('close', closed);
  expect(one.writableFinished).toBe(true);
});

test('end() calls back with what kept it from ending', async () => {
  const { port } = await startServer(() => {});
  const one = stream({ ca: undefined });
  const errors: unknown[] = [];
  one.on('error', (error) => errors.push(error));
  const called = deferred<unknown>();
  one.end(called.resolve);
  one.connect(port, '127.0.0.1');
  expect(await within('callback', called.promise)).toMatchObject({
    code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  });
  expect(one.writableFinished).toBe(false);
  expect(errors).toEqual([await called.promise]);
});

test('end() calls back with an error when the TLS connection is destroyed over it', async () => {
  const { asked, clientCertCallback } = pending();
  const { port } = await startServer(() => {});
  const one = stream({ clientCertCallback });
  const called = deferred<unknown>();
  one.end(called.resolve);
  one.connect(port, '127.0.0.1');
  await within('question', asked);
  // Rejects with an 'error', which there is no reason for.
  const closed = once(one, 'close');
  one.secureSocket?.destroy();
  expect(await within('callback', called.promise)).toMatchObject({ code: 'ERR_STREAM_DESTROYED' });
  await within('close', closed);
});

test('a server that resets: an error, once', async () => {
  const { port, accepted } = await startServer(() => {});
  const one = stream().connect(port, '127.0.0.1');
  await within('connect', once(one, 'connect'));
  const errors: NodeJS.ErrnoException[] = [];
  one.on('error', (error) => errors.push(error)).resume();
  (await accepted).resetAndDestroy();
  // Without events.once, which would reject.
  await within('close', new Promise((resolve) => one.once('close', resolve)));
  expect(errors).toMatchObject([{ code: 'ECONNRESET' }]);
});

describe('a driver that lets go', () => {
  const closedAt = (socket: net.Socket) =>
    within('close', socket.closed ? Promise.resolve([]) : once(socket, 'close'));

  test.each([
    ['without a word', undefined],
    ['with an error', new Error('enough')],
  ])('%s, while a question waits: the callback and the server hear of it', async (_how, error) => {
    const { asked, clientCertCallback } = pending();
    const { port, accepted } = await startServer(() => {});
    const one = stream({ clientCertCallback }).connect(port, '127.0.0.1');
    const errors: Error[] = [];
    one.on('error', (seen) => errors.push(seen));
    const signal = await within('question', asked);
    one.destroy(error);
    expect(signal.aborted).toBe(true);
    await closedAt(await accepted);
    expect(errors).toEqual(error === undefined ? [] : [error]);
  });

  test('before the server has answered', async () => {
    const accepted = deferred<net.Socket>();
    const server = net.createServer((socket) => {
      open.add(socket);
      accepted.resolve(socket.resume());
    });
    servers.add(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const one = stream().connect((server.address() as AddressInfo).port, '127.0.0.1');
    const socket = await within('connection', accepted.promise);
    one.destroy();
    await closedAt(socket);
    expect(one.secureSocket).toBeUndefined();
  });

  test('about when the server answers: no handshake goes on', async () => {
    const { port, accepted } = await startServer(() => {});
    const one = stream().connect(port, '127.0.0.1');
    const socket = await accepted;
    socket.once('readable', () => setImmediate(() => one.destroy()));
    await closedAt(socket);
    expect(one.secureSocket?.destroyed).not.toBe(false);
  });
});

test('options that are wrong: an error of the stream', async () => {
  const { port } = await startServer(() => {});
  const one = stream({ minVersion: 'TLSv9' as never }).connect(port, '127.0.0.1');
  const [error] = await within('error', once(one, 'error'));
  expect(error).toBeInstanceOf(TypeError);
});

describe('whom the server has to be', () => {
  const options = { host: 'other.example', port: 1, path: 'nowhere' };
  const identityOf = async (
    more: DriverStreamOptions,
    dialled: (one: ReturnType<typeof stream>) => void,
  ) => {
    const judged = deferred<string>();
    const checkServerIdentity = (name: string) => {
      judged.resolve(name);
      return undefined;
    };
    dialled(stream({ servername: undefined, checkServerIdentity, ...more }));
    return within('server', judged.promise);
  };

  test('the host that the driver connects to, whatever the options say', async () => {
    const { port } = await startServer(() => {});
    expect(await identityOf(options, (one) => one.connect(port, 'localhost'))).toBe('localhost');
    expect(await identityOf(options, (one) => one.connect(port, '127.0.0.1'))).toBe('127.0.0.1');
  });

  test('on a Unix domain socket, localhost', async () => {
    const path = join(tmpdir(), `tls-client-cert-${process.pid}-identity`);
    await startServer(() => {}, { path });
    expect(await identityOf(options, (one) => one.connect(path))).toBe('localhost');
  });

  test('the servername, where there is one', async () => {
    const { port } = await startServer(() => {});
    const named = { ...options, servername: 'third.example' };
    expect(await identityOf(named, (one) => one.connect(port, '127.0.0.1'))).toBe('third.example');
  });
});

describe.each<[string, (options: DriverStreamOptions, port: number) => LateStream]>([
  ['postgresStream()', (options, port) => stream(options).connect(port, 'db.example')],
  ['mysqlStream()', (options, port) => mysqlStream({ ...options, host: 'db.example', port })],
])('%s', (_name, dialled) => {
  const failing = async (options: DriverStreamOptions, port = 1) => {
    const one = dialled(options, port);
    open.add(one);
    return (await within('error', once(one, 'error')))[0];
  };
  const lookup: net.LookupFunction = (_host, { all }, found) => {
    const address = { address: '127.0.0.1', family: 4 };
    if (all) found(null, [address]);
    else found(null, address.address, address.family);
  };
  /** Takes connections, and says nothing. */
  const startSilent = async () => {
    const server = net.createServer((socket) => open.add(socket.resume()));
    servers.add(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  };

  test('connects as the options say', async () => {
    const port = await startSilent();
    // Of documentation, so nobody's here (RFC 5737).
    expect(await failing({ lookup, localAddress: '192.0.2.1' }, port)).toMatchObject({
      code: 'EADDRNOTAVAIL',
    });
  });

  test('waits as long as it is told for a server that says nothing', async () => {
    const error = await failing({ lookup, upgradeTimeout: 30 }, await startSilent());
    expect(error).toMatchObject({ code: 'ERR_STARTTLS_FAILED', reason: 'timeout' });
    expect(error.message).toContain('30 ms');
  });

  test('does not blame the server for the time until there is a connection', async () => {
    const error = await failing({ lookup: () => {}, upgradeTimeout: 30 });
    expect(error).toMatchObject({ code: 'ERR_STARTTLS_FAILED', reason: 'timeout' });
    expect(error.message).toContain('no connection to the server within 30 ms');
  });

  test.each([
    ['localAddress', 'eth0', 'ERR_INVALID_IP_ADDRESS'],
    ['localPort', '1', 'ERR_INVALID_ARG_TYPE'],
    ['lookup', 'db', 'ERR_INVALID_ARG_TYPE'],
    ['hints', -1, 'ERR_INVALID_ARG_VALUE'],
  ])('%s: %j is an error of the stream', async (name, value, code) => {
    expect(await failing({ [name]: value })).toMatchObject({ code });
  });

  test('so is a port that is none', async () => {
    expect(await failing({}, 65_536)).toMatchObject({ code: 'ERR_SOCKET_BAD_PORT' });
  });

  test.each([
    ['upgradeTimeout', '1', 'ERR_INVALID_ARG_TYPE'],
    ['upgradeTimeout', 0, 'ERR_OUT_OF_RANGE'],
    ['keepAliveInitialDelay', '1', 'ERR_INVALID_ARG_TYPE'],
  ])('%s: %j is thrown', (name, value, code) => {
    expect(() => dialled({ [name]: value }, 1)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(`options.${name}`) }),
    );
  });
});

test('MySQL: nobody there', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const one = mysqlStream({ host: '127.0.0.1', port });
  const [error] = await within('error', once(one, 'error'));
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
});
