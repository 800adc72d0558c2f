/** Whoever writes, or ends, is called back: once, and from nobody's call, whatever becomes of the connection. */
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { postgresStream } from '../../lib/starttls';
import { deferred } from '../support/client';
import { type NodeServer, startNodeServer } from '../support/node-server';
import {
  type Client,
  clients,
  next,
  overPair,
  pki,
  startRawServer,
  suspended,
  to,
  turns,
} from './stream-helpers';

/** More than the kernel takes of what nobody reads. */
const TOO_MUCH = Buffer.alloc(16 * 1024 * 1024);

type Way = (server: NodeServer) => Promise<{ transport?: 'stream'; socket?: Duplex }>;

const WAYS: Record<string, Way> = {
  'its own net.Socket': async () => ({}),
  'its own net.Socket, as a stream': async () => ({ transport: 'stream' }),
  "the caller's net.Socket": async ({ port }) => {
    const socket = net.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return { socket };
  },
};

/** Two writes and an end, and who is told what of them, and of the end of all. */
function tell(stream: Duplex, first: Uint8Array | string = 'first') {
  const told: string[] = [];
  const codes: Record<string, string | undefined> = {};
  let calling = '';
  const callback = (name: string) => (error?: NodeJS.ErrnoException | null) => {
    told.push(name + calling);
    codes[name] = error?.code;
  };
  for (const name of ['end', 'finish', 'error']) stream.on(name, () => told.push(`'${name}'`));
  stream.on('close', () => told.push("'close'"));
  stream.write(first, callback('first'));
  stream.write('second', callback('second'));
  stream.end(callback('end()'));
  /** In `destroy()` nobody is called. */
  const within = (call: () => void) => {
    calling = ' at once';
    call();
    calling = '';
  };
  return { told, codes, within };
}

const all = (value: string) => ({ first: value, second: value, 'end()': value });
const mine = () => Object.assign(new Error('mine'), { code: 'MINE' });
const CALLBACKS = ['first', 'second', 'end()'];

let server: NodeServer;
beforeEach(async () => {
  server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) => socket.pause(),
  });
});
afterEach(() => server.close());

describe.each(Object.keys(WAYS))('destroy() over a server that does not read, over %s', (way) => {
  async function destroyed(client: Client, error?: Error) {
    const options = await (WAYS[way] as Way)(server);
    const socket = clients[client]({ ...to(server.port), ...options });
    await next(socket, 'secureConnect');
    const { told, codes, within } = tell(socket, TOO_MUCH);
    await turns(20);
    const closed = next(socket, 'close');
    within(() => socket.destroy(error));
    expect(socket.errored).toBe(error ?? null);
    await closed;
    await turns();
    expect(options.socket?.destroyed).not.toBe(false);
    return { told, codes };
  }

  test('without an error', async () => {
    const ours = await destroyed('ours');
    expect(ours.told).toEqual([...CALLBACKS, "'close'"]);
    expect(ours.codes).toEqual(all('ERR_TLS_CONNECTION_OVER'));
    expect((await destroyed('node')).told).toEqual(ours.told);
  });

  test('with an error', async () => {
    const ours = await destroyed('ours', mine());
    expect(ours.told).toEqual([...CALLBACKS, "'error'", "'close'"]);
    expect(ours.codes).toEqual(all('MINE'));
    const node = await destroyed('node', mine());
    expect(node.told.sort()).toEqual([...ours.told].sort());
  });
});

describe('destroy() before TLS', () => {
  test('in the middle of a handshake', async () => {
    const { socket, asked } = suspended(to(server.port));
    const { told, codes, within } = tell(socket);
    await asked;
    within(() => socket.destroy());
    await next(socket, 'close');
    expect(told).toEqual([...CALLBACKS, "'close'"]);
    expect(codes).toEqual(all('ERR_TLS_CONNECTION_OVER'));
  });
});

describe('over a Duplex that never says that it took a write', () => {
  async function open(client: Client) {
    const { socket, peer, below } = await overPair(server, client, to(server.port));
    const held: (() => void)[] = [];
    below._write = (_chunk, _encoding, callback) => void held.push(callback);
    return { socket, peer, held, below, ...tell(socket.resume()) };
  }

  test('destroy()', async () => {
    const told: string[][] = [];
    for (const client of ['ours', 'node'] as const) {
      const one = await open(client);
      await turns();
      const closed = next(one.socket, 'close');
      one.within(() => one.socket.destroy());
      await closed;
      told.push(one.told);
      if (client === 'ours') expect(one.codes).toEqual(all('ERR_TLS_CONNECTION_OVER'));
    }
    expect(told[0]).toEqual([...CALLBACKS, "'close'"]);
    expect(told[1]).toEqual(told[0]);
  });

  test('destroy(), and then it says so after all', async () => {
    const { socket, told, held, within } = await open('ours');
    await turns();
    within(() => socket.destroy());
    for (const callback of held) callback();
    await next(socket, 'close');
    await turns();
    expect(held).toHaveLength(1);
    expect(told).toEqual([...CALLBACKS, "'close'"]);
  });

  async function lost(client: Client, serverEnds: boolean, error?: Error) {
    const { socket, peer, below, told, codes } = await open(client);
    await turns();
    if (serverEnds) {
      const ended = next(socket, 'end');
      peer.end();
      await ended;
    }
    const over = Promise.all([next(socket, 'error', 2_000), next(socket, 'close', 2_000)]);
    below.destroy(error);
    await over;
    await turns();
    return { told, codes };
  }

  test.each([
    ['it goes after the server has ended', true, undefined],
    ['it fails after the server has ended', true, mine()],
    ['it goes', false, undefined],
    ['it fails', false, mine()],
  ])('%s', async (_, serverEnds, error) => {
    const ours = await lost('ours', serverEnds, error);
    const end = serverEnds ? ["'end'"] : [];
    expect(ours.told).toEqual([...end, ...CALLBACKS, "'error'", "'close'"]);
    expect(ours.codes).toEqual(all(error?.code ?? 'ECONNRESET'));
    const node = await lost('node', serverEnds, error);
    // There the stream's error and the write's are each an event of its own.
    expect([...new Set(node.told)].sort()).toEqual([...ours.told].sort());
  });
});

describe("a driver's stream", () => {
  /** Says 'S' to the request for TLS, if it says anything. */
  const startPostgres = (says: 'S' | 'nothing') =>
    startRawServer((socket) => {
      if (says === 'nothing') return;
      socket.once('readable', () => {
        socket.read();
        socket.write('S');
        server.server.emit('connection', socket);
      });
    });

  const stream = () => postgresStream({ ca: pki.serverCa.cert, servername: 'localhost' });

  async function closed(one: Duplex) {
    await next(one, 'close');
    await turns();
  }

  test('nobody there: the error, as with net.Socket', async () => {
    const gone = await startRawServer(() => {});
    await gone.close();
    const told: string[][] = [];
    for (const one of [stream(), new net.Socket()]) {
      const result = tell(one);
      one.connect(gone.port, '127.0.0.1');
      await closed(one);
      told.push([...result.told].sort());
      if (!(one instanceof net.Socket)) {
        expect(result.told).toEqual([...CALLBACKS, "'error'", "'close'"]);
        expect(result.codes).toEqual(all('ECONNREFUSED'));
      }
    }
    expect(told[0]).toEqual(told[1]);
  });

  test.each<[string, (port: number, one: ReturnType<typeof stream>) => unknown]>([
    ['before it connects', () => {}],
    ['while it connects', (port, one) => one.connect(port, '127.0.0.1')],
  ])('destroyed %s', async (_, prepare) => {
    const raw = await startPostgres('nothing');
    for (const error of [undefined, mine()]) {
      const one = stream();
      const { told, codes, within } = tell(one);
      prepare(raw.port, one);
      within(() => one.destroy(error));
      await closed(one);
      expect(told).toEqual([...CALLBACKS, ...(error ? ["'error'"] : []), "'close'"]);
      expect(codes).toEqual(all(error?.code ?? 'ERR_TLS_CONNECTION_OVER'));
    }
    await raw.close();
  });

  test.each(['destroyed', 'refused'])('%s while the server has not answered', async (how) => {
    const asked = deferred();
    const raw = await startRawServer((socket) => socket.once('data', () => asked.resolve()));
    const one = stream();
    const { told, codes, within } = tell(one);
    one.connect(raw.port, '127.0.0.1');
    await asked.promise;
    if (how === 'destroyed') within(() => one.destroy());
    else raw.sockets[0]?.write('N');
    await closed(one);
    const refused = how === 'refused';
    expect(told).toEqual([...CALLBACKS, ...(refused ? ["'error'"] : []), "'close'"]);
    expect(codes).toEqual(all(refused ? 'ERR_STARTTLS_REFUSED' : 'ERR_TLS_CONNECTION_OVER'));
    await raw.close();
  });

  test.each([undefined, mine()])('destroyed after TLS, with %p', async (error) => {
    const raw = await startPostgres('S');
    const one = stream();
    one.connect(raw.port, '127.0.0.1');
    await next(one, 'connect');
    const { told, codes, within } = tell(one, TOO_MUCH);
    await turns(20);
    within(() => one.destroy(error));
    await closed(one);
    expect(told).toEqual([...CALLBACKS, ...(error ? ["'error'"] : []), "'close'"]);
    expect(codes).toEqual(all(error?.code ?? 'ERR_TLS_CONNECTION_OVER'));
    await raw.close();
  });
});

describe('writing whenever the last write is done', () => {
  const ENOUGH = 32 * 1024 * 1024;

  /** How much it writes before the event loop comes round. */
  async function writesInATurn(socket: Duplex, size: number): Promise<number> {
    const turn = new Promise((resolve) => setImmediate(resolve));
    let written = 0;
    let goesOn = true;
    const more = () => {
      written += size;
      if (goesOn && written < ENOUGH) socket.write(Buffer.alloc(size), more);
    };
    more();
    await turn;
    goesOn = false;
    return written;
  }

  // The kernel's buffers end it sooner or later; here nothing would.
  test.each([4, 64, 512])('lets others have a turn, %i KiB at a time', async (kibibytes) => {
    const { socket, below } = await overPair(server, 'ours', to(server.port));
    socket.on('error', () => {});
    below._write = (_chunk, _encoding, callback) => callback();
    below._writev = null as never;
    // What is written with the handshake may wait for a turn of its own.
    await turns(5);
    const size = kibibytes * 1024;
    expect(await writesInATurn(socket, size)).toBeLessThanOrEqual(4 * 1024 * 1024 + 2 * size);
    const closed = next(socket, 'close');
    socket.destroy();
    below.destroy();
    await closed;
  });
});
