/** A connection that breaks off is an error with a code, never an `'end'`; and ours never does it. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { Duplex } from 'node:stream';
import tls, { type TLSSocket as NodeTLSSocket } from 'node:tls';
import { connect } from '../../lib/index';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { createPair, type PairEnd } from '../support/pair';
import { startTap, type Tap, tlsRecords } from '../support/tap';
import {
  clients,
  failure,
  next,
  pki,
  readAll,
  readBytes,
  record,
  suspended,
  to,
  VERSIONS,
} from './stream-helpers';

describe.each(VERSIONS)('truncation, %s', (version) => {
  let server: NodeServer;
  let tap: Tap;
  beforeEach(async () => {
    server = await startNodeServer({
      identity: pki.server,
      onConnection: (socket) => socket.write('half of the'),
    });
    tap = await startTap(server.port);
  });
  afterEach(async () => {
    await tap.close();
    await server.close();
  });

  // FIN without close_notify, which node:tls takes for the regular end.
  test('an open connection that is cut is an error, not an end', async () => {
    const seenBy = async (client: 'ours' | 'node') => {
      const socket = clients[client](to(tap.port, version));
      const events = record(socket, ['secureConnect', 'end', 'error', 'close']);
      const closed = next(socket, 'close');
      const read = await readBytes(socket, 11);
      tap.cut();
      await closed;
      expect(String(read)).toBe('half of the');
      return events;
    };
    expect(await seenBy('ours')).toEqual([
      'secureConnect',
      'error ERR_SSL_UNEXPECTED_EOF_WHILE_READING',
      'close true',
    ]);
    expect(await seenBy('node')).toEqual(['secureConnect', 'end', 'close false']);
  });

  test('it is one for an iterating reader, too', async () => {
    const socket = connect(to(tap.port, version));
    const read = async () => {
      for await (const _ of socket) tap.cut();
    };
    await expect(read()).rejects.toMatchObject({ code: 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING' });
  });

  test('it is one after we ended, and with allowHalfOpen', async () => {
    for (const allowHalfOpen of [false, true]) {
      const half = await startNodeServer({
        identity: pki.server,
        allowHalfOpen: true,
        onConnection: (socket) => socket.write('half of the'),
      });
      const through = await startTap(half.port);
      const socket = connect({ ...to(through.port, version), allowHalfOpen });
      const events = record(socket, ['finish', 'end', 'error', 'close']);
      const closed = next(socket, 'close');
      await readBytes(socket, 11);
      socket.end();
      await next((await half.sawClient()).socket.resume(), 'end');
      through.cut();
      await closed;
      expect(events).toEqual([
        'finish',
        'error ERR_SSL_UNEXPECTED_EOF_WHILE_READING',
        'close true',
      ]);
      await through.close();
      await half.close();
    }
  });

  test('a reset is ECONNRESET, as in node:tls', async () => {
    const codes = async (client: 'ours' | 'node', nth: number) => {
      const raw = next(server.server, 'connection');
      const socket = clients[client](to(server.port, version));
      const events = record(socket, ['end', 'error', 'close']);
      const closed = next(socket, 'close');
      await readBytes(socket, 11);
      await server.sawClient(nth);
      const [below] = (await raw) as [NodeTLSSocket];
      below.resetAndDestroy();
      await closed;
      return events;
    };
    const ours = await codes('ours', 1);
    expect(ours).toEqual(['error ECONNRESET', 'close true']);
    expect(await codes('node', 2)).toEqual(ours);
  });

  test('a cut in a suspended handshake is ECONNRESET, and the answer comes too late', async () => {
    const { socket, asked, answer } = suspended(to(tap.port, version));
    const events = record(socket, ['secureConnect', 'end', 'error', 'close']);
    const closed = next(socket, 'close');
    const signal = await asked;
    tap.cut();
    await closed;
    answer(pki.clients.ec256);
    expect(events).toEqual(['error ECONNRESET', 'close true']);
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: 'ECONNRESET' });
  });

  test('data that came before close_notify is read, however late', async () => {
    const socket = connect(to(tap.port, version));
    const closed = next(socket, 'close');
    await next(socket, 'readable');
    const { socket: peer } = await server.sawClient();
    peer.end(' whole');
    await next(peer, 'finish');
    expect(String(await readAll(socket))).toBe('half of the whole');
    expect(await closed).toEqual([false]);
  });
});

/** Takes its time for each write, as a stream over something slow does. */
class SlowDuplex extends Duplex {
  readonly #far: PairEnd;
  slow = false;

  constructor(far: PairEnd) {
    super({ allowHalfOpen: true });
    this.#far = far;
    far.on('data', (chunk: Buffer) => this.push(chunk));
    far.on('end', () => this.push(null));
  }

  override _read(): void {}

  override _write(chunk: Buffer, _: BufferEncoding, callback: (error?: Error | null) => void) {
    if (!this.slow) this.#far.write(chunk, callback);
    else setTimeout(() => (this.destroyed ? callback() : this.#far.write(chunk, callback)), 30);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#far.end(callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#far.destroy();
    callback(error);
  }
}

describe.each(VERSIONS)('our own close_notify, %s', (version) => {
  const lastIsCloseNotify = (sent: Buffer) => {
    const last = tlsRecords(sent).at(-1);
    return version === 'TLSv1.2' ? last?.type === 'alert' : last?.body.length === 19;
  };

  test.each([
    ['in answer to the end of the server', 'end'],
    ['by destroySoon()', 'destroySoon'],
  ])('reaches the server over a slow transport: %s', async (_, how) => {
    const server = await startNodeServer({
      identity: pki.server,
      onConnection: (socket) => socket.resume().write('greeting'),
    });
    const { client: far, server: near } = createPair();
    server.server.emit('connection', near);
    const slow = new SlowDuplex(far);
    const socket = connect({ ...to(0, version), socket: slow });
    const closed = next(socket, 'close');
    await readBytes(socket, 8);
    const { socket: peer } = await server.sawClient();
    const peerEnded = next(peer, 'end');
    slow.slow = true;
    if (how === 'end') peer.end();
    else socket.destroySoon();
    expect(await closed).toEqual([false]);
    expect(lastIsCloseNotify(far.sent)).toBe(true);
    expect(slow.destroyed).toBe(true);
    await peerEnded;
    await server.close();
  });
});

test('a server that refuses a certificate without a word: the error names the certificate', async () => {
  const server = tls.createServer({
    cert: pki.server.cert,
    key: pki.server.key,
    ca: pki.clientCaB.cert,
    requestCert: true,
    rejectUnauthorized: true,
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { cert, key } = pki.clients.ec256;
  const { port } = server.address() as AddressInfo;
  const error = await failure(connect({ ...to(port), clientCertCallback: () => ({ cert, key }) }));
  expect(error).toMatchObject({
    code: 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING',
    identity: expect.stringContaining('CN=client ec256'),
  });
  expect(error.message).toContain('may have refused it');
  server.close();
});
