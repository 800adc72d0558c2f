/**
 * What goes wrong, and what is done in each phase, with both clients and the same server: the same events in the
 * same order, and the same of the errors that programs look at. Where ours is another on purpose,
 * the case says so, and why.
 */

import type { Socket } from 'node:net';
import type { TLSSocket as NodeTLSSocket } from 'node:tls';
import { type NodeServerOptions, startNodeServer } from '../support/node-server';
import {
  type Client,
  clients,
  next,
  pki,
  type RawServer,
  record,
  startRawServer,
  to,
  VERSIONS,
} from './stream-helpers';

/** OpenSSL 3.5 has another name for it than 3.0. */
const HANDSHAKE_FAILURE = `ERR_SSL_${
  process.versions.openssl.startsWith('3.0') ? 'SSLV3' : 'SSL/TLS'
}_ALERT_HANDSHAKE_FAILURE`;

/** Of an error; where one is missing, so it has to be on both sides. */
const LOOKED_AT = [
  ...['code', 'errno', 'syscall', 'address', 'hostname', 'path', 'localPort'],
  ...['library', 'reason', 'function', 'cause'],
] as const;
/** Ours tells them of every error, as Node does of some. */
const OF_THE_SERVER = ['host', 'port', 'localAddress'] as const;

type Drive = (socket: NodeTLSSocket, client: Client) => unknown;

interface Ended {
  readonly events: string[];
  readonly error: Record<string, unknown> | undefined;
  readonly message: string | undefined;
}

async function run(client: Client, options: object, drive: Drive): Promise<Ended> {
  const socket = clients[client](options);
  const events = record(socket);
  const errors: Error[] = [];
  socket.on('error', (error) => errors.push(error));
  const closed = next(socket, 'close', 5_000);
  socket.resume();
  drive(socket, client);
  await closed;
  if (errors.length > 1) throw new Error(`the socket failed ${errors.length} times`);
  const all = errors[0] as (Error & Record<string, unknown>) | undefined;
  const pick = (names: readonly string[]) =>
    Object.fromEntries(names.flatMap((name) => (all && name in all ? [[name, all[name]]] : [])));
  const certificate = all?.cert as { fingerprint256?: string } | undefined;
  const error = all && {
    ...pick(LOOKED_AT),
    ...(certificate && { cert: certificate.fingerprint256 }),
    ...pick(OF_THE_SERVER),
  };
  return { events, error, message: all?.message };
}

/** Runs one after the other: each sees the server as the first did. */
async function both(options: object | (() => object), drive: Drive = () => {}) {
  const given = () => (typeof options === 'function' ? (options as () => object)() : options);
  const node = await run('node', given(), drive);
  const ours = await run('ours', given(), drive);
  return { ours, node };
}

/** The same but for what ours adds: whom it was about, and its own words where Node has OpenSSL's. */
function expectSame({ ours, node }: { ours: Ended; node: Ended }) {
  expect(ours.events).toEqual(node.events);
  expect(ours.error).toEqual(node.error && { ...ofTheServer(ours), ...node.error });
  const openssl =
    node.message?.startsWith('error:') || /^[0-9A-F]+:error:/.test(node.message ?? '');
  // Newer versions of Node add a hint of their own.
  if (!openssl) expect(ours.message).toBe(node.message?.replace(/; if the root CA .*/, ''));
  else expect(ours.message).toContain(String(node.error?.reason));
}

function ofTheServer({ error }: Ended) {
  return Object.fromEntries(
    Object.entries(error ?? {}).filter(([name]) => OF_THE_SERVER.includes(name as 'host')),
  );
}

/** With each transport of ours; Node does not know the option. */
describe.each(['auto', 'stream'] as const)('transport %s', (transport) => {
  describe.each(VERSIONS)('%s', (version) => {
    const against = async (
      serverOptions: Partial<NodeServerOptions>,
      options: object = {},
      drive?: Drive,
    ) => {
      const server = await startNodeServer({ identity: pki.server, ...serverOptions });
      const given = { ...to(server.port, version), ...options, transport };
      const result = await both(given, drive);
      await server.close();
      return result;
    };
    const other = version === 'TLSv1.2' ? 'TLSv1.3' : 'TLSv1.2';
    const ciphers = {
      'TLSv1.2': ['ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305'],
      'TLSv1.3': ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256'],
    }[version];

    test.each<[string, Partial<NodeServerOptions>, object, string]>([
      ['self-signed', { identity: pki.untrustedServer }, {}, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
      [
        'of an unknown authority',
        {},
        { ca: pki.clientCaA.cert },
        'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      ],
      ['of another name', { identity: pki.wrongNameServer }, {}, 'ERR_TLS_CERT_ALTNAME_INVALID'],
      ['expired', { identity: pki.expiredServer }, {}, 'CERT_HAS_EXPIRED'],
      ['revoked', { identity: pki.revokedServer }, { crl: pki.crl }, 'CERT_REVOKED'],
      [
        'of another version',
        { minVersion: other, maxVersion: other },
        {},
        'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
      ],
      [
        'without a common cipher',
        { ciphers: ciphers[0] as string },
        { ciphers: ciphers[1] },
        HANDSHAKE_FAILURE,
      ],
      [
        'without a common application protocol',
        { ALPNProtocols: ['a'] },
        { ALPNProtocols: ['b'] },
        'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
      ],
    ])('a server that is %s', async (_, serverOptions, options, code) => {
      const result = await against(serverOptions, options);
      expectSame(result);
      expect(result.ours.error).toMatchObject({ code, host: expect.any(String) });
      expect(result.ours.events).toEqual(['connect', 'ready', `error ${code}`, 'close true']);
    });

    test('a check of the name that refuses: the very error', async () => {
      const mine = Object.assign(new Error('not the one'), { code: 'MINE' });
      const result = await against({}, { checkServerIdentity: () => mine });
      expectSame(result);
      expect(result.ours.message).toBe('not the one');
    });

    test('a server that goes without close_notify is an error, where Node tells of an end', async () => {
      // Truncation: whoever cuts the connection could otherwise make a part look like the whole.
      const cut = (socket: NodeTLSSocket) => {
        socket.write('x');
        setImmediate(() => socket.destroy());
      };
      const { ours, node } = await against({ onConnection: cut });
      const before = ['connect', 'ready', 'secureConnect'];
      expect(node.events).toEqual([...before, 'end', 'finish', 'close false']);
      const code = 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING';
      expect(ours.events).toEqual([...before, `error ${code}`, 'close true']);
    });

    test('a server that ends properly', async () => {
      const end = (socket: NodeTLSSocket) => void setImmediate(() => socket.end('bye'));
      const result = await against({ onConnection: end });
      expectSame(result);
      expect(result.ours.error).toBeUndefined();
    });

    test('a server that resets the open connection', async () => {
      let raw: Socket | undefined;
      const server = await startNodeServer({
        identity: pki.server,
        onConnection: (socket) => socket.once('data', () => raw?.resetAndDestroy()),
      });
      server.server.on('connection', (socket: Socket) => {
        raw = socket;
      });
      const result = await both({ ...to(server.port, version), transport }, (socket) =>
        socket.on('secureConnect', () => socket.write('x')),
      );
      expectSame(result);
      expect(result.ours.error).toMatchObject({ code: 'ECONNRESET', syscall: 'read' });
      await server.close();
    });

    test('a server that demands a certificate', async () => {
      const demanding = { requestCert: true, rejectUnauthorized: true };
      const result = await against(demanding);
      if (version === 'TLSv1.2') {
        expectSame(result);
        return;
      }
      // On TLS 1.3 it comes after the handshake; the error is the last that Node's client has to
      // say as well, but it then goes on to an end as if there had been none.
      const { ours, node } = result;
      const failed = ['connect', 'ready', 'secureConnect', `error ${node.error?.code}`];
      expect(node.events).toEqual([...failed, 'end', 'finish', 'close false']);
      expect(ours.events).toEqual([...failed, 'close true']);
      expect(ours.error).toMatchObject({
        ...node.error,
        code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      });
    });

    describe('what the client does itself', () => {
      const mine = new Error('mine');
      test.each<[string, Drive]>([
        ['destroy() at once', (socket) => socket.destroy()],
        ['destroy(error) at once', (socket) => socket.destroy(mine)],
        ["destroy() in 'connect'", (socket) => socket.on('connect', () => socket.destroy())],
        [
          "destroy(error) in 'connect'",
          (socket) => socket.on('connect', () => socket.destroy(mine)),
        ],
        ["destroy() in 'ready'", (socket) => socket.on('ready', () => socket.destroy())],
        [
          "destroy() in 'secureConnect'",
          (socket) => socket.on('secureConnect', () => socket.destroy()),
        ],
        [
          "destroy(error) in 'secureConnect'",
          (socket) => socket.on('secureConnect', () => socket.destroy(mine)),
        ],
        [
          'destroy() twice',
          (socket) => socket.on('secureConnect', () => socket.destroy(mine).destroy()),
        ],
        ["destroy() in 'data'", (socket) => socket.on('data', () => socket.destroy()).write('x')],
        [
          'write() after end()',
          (socket) =>
            socket.on('secureConnect', () => {
              socket.end('a');
              socket.write('b');
            }),
        ],
        ['end() twice', (socket) => socket.on('secureConnect', () => socket.end('a').end('b'))],
        [
          'write() after destroy()',
          (socket) =>
            socket.on('secureConnect', () => {
              socket.destroy();
              socket.write('b');
            }),
        ],
        ['end(data) before it is secure', (socket) => socket.end('data')],
        ['end() in secureConnect', (socket) => socket.on('secureConnect', () => socket.end())],
        [
          'a write of null',
          (socket) =>
            socket.on('secureConnect', () => {
              try {
                socket.write(null as never);
              } catch (error) {
                socket.destroy(error as Error);
              }
            }),
        ],
      ])('%s', async (_, drive) => {
        expectSame(await against({}, {}, drive));
      });

      test('end() before it is secure: the handshake comes first, where Node ends at once', async () => {
        // An end before the client's last flight cuts it off: on TLS 1.2 Node's connection fails by it.
        const { ours, node } = await against({}, {}, (socket) => socket.end());
        const rest = ['end', 'close false'];
        expect(ours.events).toEqual(['connect', 'ready', 'secureConnect', 'finish', ...rest]);
        expect(node.events.slice(0, 3)).toEqual(['connect', 'ready', 'finish']);
      });

      test.each([
        ['connecting', 'connect'],
        ['open', 'secureConnect'],
      ])('a signal that aborts while it is %s', async (_, event) => {
        let controller = new AbortController();
        const server = await startNodeServer({ identity: pki.server });
        const options = () => {
          controller = new AbortController();
          const { signal } = controller;
          return { ...to(server.port, version), transport, signal };
        };
        const result = await both(options, (socket) =>
          socket.on(event, () => controller.abort(mine)),
        );
        expectSame(result);
        expect(result.ours.error).toMatchObject({ code: 'ABORT_ERR', cause: mine });
        await server.close();
      });
    });
  });

  describe('what is no TLS server', () => {
    const against = async (onConnection: (socket: Socket) => void, drive?: Drive) => {
      const raw = await startRawServer(onConnection);
      const result = await both({ ...to(raw.port), transport }, drive);
      await raw.close();
      return result;
    };
    const records = (hex: string) => Buffer.from(hex, 'hex');

    test.each<[string, (socket: Socket) => void, string]>([
      [
        'speaks plain HTTP',
        (socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
        'ERR_SSL_WRONG_VERSION_NUMBER',
      ],
      [
        'sends an alert',
        (socket) => socket.once('data', () => socket.end(records('15030300020228'))),
        HANDSHAKE_FAILURE,
      ],
      [
        'resets at the first byte',
        (socket) => socket.once('data', () => socket.resetAndDestroy()),
        'ECONNRESET',
      ],
    ])('a server that %s', async (_, onConnection, code) => {
      const result = await against(onConnection);
      expectSame(result);
      expect(result.ours.error).toMatchObject({ code });
    });

    test.each<[string, (socket: Socket) => void]>([
      ['at once', (socket) => socket.destroy()],
      ['its side at once', (socket) => socket.end()],
      ['at the first byte', (socket) => socket.once('data', () => socket.destroy())],
      [
        'after close_notify',
        (socket) => socket.once('data', () => socket.end(records('15030300020100'))),
      ],
      [
        'by close_notify alone',
        (socket) => socket.once('data', () => socket.write(records('15030300020100'))),
      ],
    ])('a server that closes %s: the text that programs match on', async (_, onConnection) => {
      const { ours, node } = await against(onConnection);
      expect(ours.error).toEqual(node.error);
      expect(ours.error).toMatchObject({ code: 'ECONNRESET', host: '127.0.0.1' });
      expect(ours.message).toBe(node.message);
      expect(ours.message).toBe(
        'Client network socket disconnected before secure TLS connection was established',
      );
      // Node emits 'end' before. Ours does not: nothing came to its proper end.
      expect(node.events).toEqual(['connect', 'ready', 'end', 'error ECONNRESET', 'close true']);
      expect(ours.events).toEqual(['connect', 'ready', 'error ECONNRESET', 'close true']);
    });

    test('a server that says nothing: timeout is an event, and destroys nothing', async () => {
      const raw = await startRawServer((socket) => socket.resume());
      const result = await both({ ...to(raw.port), transport, timeout: 25 }, (socket) =>
        socket.on('timeout', () => socket.destroy()),
      );
      expectSame(result);
      expect(result.ours.events).toEqual(['connect', 'ready', 'close false']);
      await raw.close();
    });

    test('a write that destroy() cuts off is told of, where Node 20 calls it done', async () => {
      const told: Record<string, unknown> = {};
      const { ours, node } = await against(
        (socket) => socket.resume(),
        (socket, client) => {
          socket.write('a', (error) => {
            told[client] = (error as NodeJS.ErrnoException | null | undefined)?.code;
          });
          socket.on('connect', () => socket.destroy());
        },
      );
      expect(ours.events).toEqual(node.events);
      const old = process.version.startsWith('v20.');
      expect(told).toEqual({
        ours: 'ERR_TLS_CONNECTION_OVER',
        node: old ? undefined : 'ECANCELED',
      });
    });
  });

  describe('no server', () => {
    let gone: RawServer;
    beforeAll(async () => {
      gone = await startRawServer(() => {});
      await gone.close();
    });
    const notFound = Object.assign(new Error('getaddrinfo ENOTFOUND nowhere.test'), {
      code: 'ENOTFOUND',
      errno: -3008,
      syscall: 'getaddrinfo',
      hostname: 'nowhere.test',
    });

    test.each<[string, object, string]>([
      ['nobody listens', {}, 'ECONNREFUSED'],
      ['nobody listens, by a name', { host: 'localhost', family: 4 }, 'ECONNREFUSED'],
      ['an address that is not ours to call from', { localAddress: '192.0.2.1' }, 'EADDRNOTAVAIL'],
      ['no such path', { path: '/nowhere/tls.sock' }, 'ENOENT'],
      [
        'no such name',
        {
          host: 'nowhere.test',
          lookup: (_name: string, _options: object, done: (error: Error) => void) =>
            process.nextTick(done, notFound),
        },
        'ENOTFOUND',
      ],
      [
        'a name of no address',
        {
          host: 'nowhere.test',
          autoSelectFamily: false,
          lookup: (_name: string, _options: object, done: (...args: unknown[]) => void) =>
            process.nextTick(done, null, 'no address', 4),
        },
        'ERR_INVALID_IP_ADDRESS',
      ],
    ])('%s', async (_, options, code) => {
      const result = await both({ ...to(gone.port), transport, ...options });
      expectSame(result);
      expect(result.ours.error).toMatchObject({ code });
    });
  });
});
