/** When ciphertext goes through a socket's descriptor, and what becomes of that. */
import net, { type Socket } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { type ConnectionOptions, connect, type TLSSocket } from '../../lib/index';
import { endedBy, hangUp, secured } from '../support/client';
import { socketDescriptors, tcpConnection } from '../support/kernel-sockets';
import { registerLeftover } from '../support/leftovers';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { overDescriptors } from '../support/over-descriptors';
import { createPair } from '../support/pair';
import {
  failure,
  next,
  pki,
  type RawServer,
  readBytes,
  startRawServer,
  suspended,
  to,
  turns,
  VERSIONS,
  within,
} from './stream-helpers';

let server: NodeServer;
/** Accepts, and says nothing. */
let silent: RawServer;

beforeAll(async () => {
  server = await startNodeServer({ identity: pki.server });
  silent = await startRawServer((socket) => socket.resume());
});

afterAll(async () => {
  await silent.close();
  await server.close();
});

const options = (version?: (typeof VERSIONS)[number]) => to(server.port, version);

/** A socket of the caller's, connected. */
async function dialRaw(port = server.port): Promise<Socket> {
  const raw = net.connect(port, '127.0.0.1');
  raw.on('error', () => {});
  await next(raw, 'connect');
  return raw;
}

/** It works, whatever it goes over. */
async function exercise(socket: TLSSocket): Promise<void> {
  await secured(socket);
  const echoed = readBytes(socket, 5);
  socket.write('hello');
  expect(String(await echoed)).toBe('hello');
}

/** Resolves once `look` holds, looking again at each turn of the event loop. */
function eventually(what: string, look: () => boolean): Promise<void> {
  let given = true;
  const holds = async () => {
    while (given && !look()) await turns(1);
  };
  return within(holds(), what).finally(() => {
    given = false;
  });
}

overDescriptors('the socket transport is taken', () => {
  test.each(VERSIONS)('for a host and a port, %s', async (version) => {
    const socket = connect(options(version));
    expect(socket.transport).toBeNull();
    const connected = next(socket, 'connect');
    await connected;
    expect(socket.transport).toBe('socket');
    await exercise(socket);
    expect(socket.transport).toBe('socket');
    await hangUp(socket);
    expect(socket.transport).toBe('socket');
  });

  test('for the path of a Unix socket', async () => {
    const { cert, key } = pki.server;
    const unix = tls.createServer({ cert, key }, (peer) => peer.pipe(peer));
    const forget = registerLeftover(async () => void unix.close());
    const path = join(pki.dir, `transport-${process.pid}.sock`);
    await next(unix.listen(path), 'listening');
    const { port, host, ...rest } = options();
    const socket = connect({ ...rest, path });
    await exercise(socket);
    expect(socket.transport).toBe('socket');
    await hangUp(socket);
    forget();
    await new Promise((resolve) => unix.close(resolve));
  });

  test.each(['connected', 'connecting'])('for a %s net.Socket', async (state) => {
    const raw = state === 'connected' ? await dialRaw() : net.connect(server.port, '127.0.0.1');
    expect(raw.connecting).toBe(state === 'connecting');
    const socket = connect({ ...options(), socket: raw });
    expect(socket.transport).toBeNull();
    await exercise(socket);
    expect(socket.transport).toBe('socket');
    expect(raw.destroyed).toBe(false);
    await hangUp(socket);
    expect(raw.destroyed).toBe(true);
  });

  test("with transport: 'auto', and with undefined", async () => {
    for (const transport of ['auto', undefined] as const) {
      const socket = connect({ ...options(), transport });
      await exercise(socket);
      expect(socket.transport).toBe('socket');
      await hangUp(socket);
    }
  });
});

describe('the stream transport is taken', () => {
  const over = async (more: Partial<ConnectionOptions>) => {
    const socket = connect({ ...options(), ...more });
    await exercise(socket);
    expect(socket.transport).toBe('stream');
    await hangUp(socket);
  };

  test("with transport: 'stream'", async () => {
    await over({ transport: 'stream' });
    await over({ transport: 'stream', socket: await dialRaw() });
  });

  test('over another TLS connection', async () => {
    const outer = await startNodeServer({
      identity: pki.server,
      onConnection: (peer) => {
        const inner = net.connect(server.port, '127.0.0.1');
        inner.on('error', () => {});
        peer.pipe(inner).pipe(peer);
      },
    });
    const below = tls.connect(to(outer.port));
    await next(below, 'secureConnect');
    await over({ socket: below });
    await outer.close();
  });

  test('over a derived class of net.Socket', async () => {
    class Derived extends net.Socket {}
    await over({ socket: new Derived().connect(server.port, '127.0.0.1') });
  });

  test('over a Duplex', async () => {
    const { client, server: far } = createPair();
    server.server.emit('connection', far);
    await over({ socket: client });
  });

  test.each(['data', 'readable'])("where somebody listens to '%s'", async (event) => {
    const raw = await dialRaw();
    let heard = 0;
    raw.on(event, () => {
      heard += 1;
    });
    const socket = connect({ ...options(), socket: raw });
    // Two readers of one stream: with 'readable' nothing may come of it.
    if (event === 'data') await exercise(socket);
    else await next(raw, 'readable');
    expect(socket.transport).toBe('stream');
    expect(heard).toBeGreaterThan(0);
    await hangUp(socket);
  });

  test('where bytes wait to be written', async () => {
    const deaf = await startRawServer((peer) => peer.pause());
    const raw = await dialRaw(deaf.port);
    raw.write(Buffer.alloc(32 * 1024 * 1024));
    expect(raw.writableLength).toBeGreaterThan(0);
    const socket = connect({ ...options(), socket: raw });
    await turns();
    expect(socket.transport).toBe('stream');
    await hangUp(socket);
    await deaf.close();
  });

  test('after setEncoding()', async () => {
    const raw = (await dialRaw(silent.port)).setEncoding('utf8');
    const socket = connect({ ...options(), socket: raw });
    await turns();
    expect(socket.transport).toBe('stream');
    await hangUp(socket);
  });

  test.each([-1, undefined])('where the handle shows %p as its descriptor', async (fd) => {
    const raw = await dialRaw();
    const { _handle: handle } = raw as unknown as { _handle: object };
    Object.defineProperty(handle, 'fd', { value: fd });
    await over({ socket: raw });
  });
});

test.each(['socket', 'Stream', '', true, 1, {}])('transport: %p is refused', (transport) => {
  expect(() => connect({ ...options(), transport: transport as never })).toThrow(
    expect.objectContaining({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }),
  );
});

describe('a passed socket that has read before', () => {
  /** Says a line in clear, at once or when it is asked to, and then does TLS. */
  const speaksFirst = (first: 'server' | 'client') =>
    startRawServer((peer) => {
      const secure = () => {
        peer.write('220 go ahead\r\n');
        server.server.emit('connection', peer);
      };
      if (first === 'server') secure();
      else peer.once('data', secure);
    });

  test.each(['server', 'client'] as const)('a line in clear, the %s first', async (first) => {
    const starts = await speaksFirst(first);
    const raw = await dialRaw(starts.port);
    if (first === 'client') raw.write('STARTTLS\r\n');
    const [line] = await next(raw, 'data');
    expect(String(line)).toBe('220 go ahead\r\n');
    raw.removeAllListeners('data');
    const socket = connect({ ...options(), socket: raw });
    await exercise(socket);
    await hangUp(socket);
    await starts.close();
  });

  // A fatal alert: handshake_failure.
  const ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 40]);

  test.each(['kept by the socket', 'put back'])('TLS behind the line, %s', async (how) => {
    const hasty = await startRawServer((peer) => {
      peer.write(Buffer.concat([Buffer.from('220 hello\r\n'), ALERT]));
    });
    const raw = await dialRaw(hasty.port);
    const all = 11 + ALERT.length;
    raw.once('readable', () => {});
    await eventually('the line', () => raw.readableLength === all);
    if (how === 'kept by the socket') {
      expect(String(raw.read(11))).toBe('220 hello\r\n');
    } else {
      raw.unshift((raw.read() as Buffer).subarray(11));
    }
    raw.removeAllListeners('readable');
    expect(raw.readableLength).toBe(ALERT.length);
    const socket = connect({ ...options(), socket: raw });
    // OpenSSL's versions do not agree on what comes before.
    expect((await failure(socket)).code).toMatch(/ALERT_HANDSHAKE_FAILURE$/);
    await hasty.close();
  });
});

overDescriptors('descriptors', () => {
  /** Of our end of the connection. */
  const inodeOf = (socket: TLSSocket | Socket, port = server.port) => {
    const inode = tcpConnection(socket.localPort ?? 0, port)?.inode;
    if (!inode) throw new Error('no such connection');
    return inode;
  };

  const PHASES = ['handshake', 'suspended', 'open'] as const;

  /** A connection that has come so far. */
  async function reach(phase: (typeof PHASES)[number], more: ConnectionOptions = {}) {
    if (phase === 'suspended') {
      const { socket, asked } = suspended({ ...options(), ...more });
      await asked;
      return { socket, port: server.port };
    }
    const port = phase === 'handshake' ? silent.port : server.port;
    const socket = connect({ ...to(port), ...more });
    if (phase === 'open') await secured(socket);
    else await eventually('a transport', () => socket.transport !== null);
    return { socket, port };
  }

  test.each(PHASES)('one for a host and a port, none after destroy() (%s)', async (phase) => {
    const { socket, port } = await reach(phase);
    const inode = inodeOf(socket, port);
    expect(socketDescriptors(inode)).toHaveLength(1);
    const closed = next(socket, 'close');
    socket.destroy();
    await closed;
    expect(socketDescriptors(inode)).toEqual([]);
  });

  test.each(PHASES)('none of a passed socket after destroy() (%s)', async (phase) => {
    const raw = await dialRaw(phase === 'handshake' ? silent.port : server.port);
    const { socket, port } = await reach(phase, { socket: raw });
    const inode = inodeOf(raw, port);
    expect(socketDescriptors(inode)).toHaveLength(2);
    const closed = next(socket, 'close');
    socket.destroy();
    await closed;
    expect(socketDescriptors(inode)).toEqual([]);
  });

  test('none after destroy() while connecting', async () => {
    const before = socketDescriptors().length;
    const socket = connect(options());
    const closed = next(socket, 'close');
    socket.destroy();
    await closed;
    await eventually('end', () => socketDescriptors().length === before);
    expect(socket.transport).toBeNull();
  });

  test.each(['we', 'the server'])('none after %s ended the connection', async (who) => {
    const socket = connect(options());
    await exercise(socket);
    const inode = inodeOf(socket);
    const closed = next(socket, 'close');
    if (who === 'we') socket.end();
    else server.connections.at(-1)?.socket.end();
    await closed;
    expect(socketDescriptors(inode)).toEqual([]);
  });

  test('nothing of a thousand connections that are reset at once', async () => {
    const COUNT = 1000;
    const before = socketDescriptors().length;
    const heard = new Set<Socket>();
    const rude = await startRawServer((peer) => {
      peer.once('data', () => {
        heard.add(peer);
        if (heard.size === COUNT) for (const each of heard) each.resetAndDestroy();
      });
    });
    const endOf = async () => {
      const socket = connect(to(rude.port));
      const { code } = await failure(socket, 15_000);
      return `${socket.transport} ${code}`;
    };
    const ends = await Promise.all(Array.from({ length: COUNT }, endOf));
    expect(new Set(ends)).toEqual(new Set(['socket ECONNRESET']));
    await rude.close();
    await eventually('end', () => socketDescriptors().length <= before);
  });

  test.each(PHASES)(
    'its owner destroys a passed socket: as over the stream (%s)',
    async (phase) => {
      const errors = [];
      for (const transport of ['auto', 'stream'] as const) {
        const raw = await dialRaw(phase === 'handshake' ? silent.port : server.port);
        const { socket } = await reach(phase, { socket: raw, transport });
        const inode = tcpConnection(raw.localPort ?? 0, raw.remotePort ?? 0)?.inode;
        expect(socket.transport).toBe(transport === 'auto' ? 'socket' : 'stream');
        const ended = endedBy(socket);
        raw.destroy();
        const { code, message } = await ended;
        errors.push({ code, message, status: socket.clientAuth.status });
        expect(socketDescriptors(inode)).toEqual([]);
      }
      expect(errors[0]?.code).toBe('ECONNRESET');
      expect(errors[0]).toEqual(errors[1]);
    },
  );
});
