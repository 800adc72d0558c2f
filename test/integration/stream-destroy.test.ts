/** destroy() from within every callback and event: one 'close', and nothing behind it. */
import {
  type ClientCertCallback,
  type ConnectionOptions,
  connect,
  SUSPEND,
  type Suspension,
  type TLSSocket,
} from '../../lib/index';
import { dial, secured } from '../support/client';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { createPair } from '../support/pair';
import { next, pki, record, to, turns, VERSIONS } from './stream-helpers';

const EVENTS = [
  'data',
  'lookup',
  'connect',
  'ready',
  'suspend',
  'secureConnect',
  'end',
  'drain',
  'finish',
  'timeout',
  'error',
  'close',
];

interface Arrangement {
  readonly options?: Partial<ConnectionOptions>;
  readonly prepare?: (socket: TLSSocket) => void;
}

interface Place {
  readonly name: string;
  /** Arranges for `destroy` to be called there. */
  readonly arrange: (destroy: () => void) => Arrangement;
}

const place = (name: string, arrange: Place['arrange']): Place => ({ name, arrange });

const onEvent = (
  name: string,
  prepare: (socket: TLSSocket) => void = () => {},
  options: Partial<ConnectionOptions> = {},
) =>
  place(`'${name}'`, (destroy) => ({
    options,
    prepare: (socket) => {
      prepare(socket);
      socket.on(name, destroy);
    },
  }));

const inCallback = (what: string, result: () => ReturnType<ClientCertCallback>) =>
  place(`a callback ${what}`, (destroy) => ({
    options: {
      clientCertCallback: () => {
        destroy();
        return result();
      },
    },
  }));

const inIdentityCheck = (what: string, result: Error | undefined) =>
  place(`checkServerIdentity${what}`, (destroy) => ({
    options: {
      checkServerIdentity: () => {
        destroy();
        return result;
      },
    },
  }));

/** In a listener of 'suspend', before or after it was resumed or aborted. */
const inSuspend = (how: 'resumed after' | 'aborted after' | 'resumed before') =>
  place(`'suspend', ${how}`, (destroy) => ({
    options: { clientCertCallback: () => SUSPEND },
    prepare: (socket) =>
      socket.on('suspend', (suspension: Suspension) => {
        if (how === 'resumed before') suspension.resume(pki.clients.ec256);
        destroy();
        if (how === 'resumed before') return;
        const use = how === 'resumed after' ? 'resume' : 'abort';
        expect(() => suspension[use]()).toThrow(
          expect.objectContaining({ code: 'ERR_SUSPENSION_SPENT' }),
        );
      }),
  }));

const answer = () => pki.clients.ec256;
const never = new Promise<null>(() => {});
const fail = () => {
  throw new Error('no');
};

const PLACES: readonly Place[] = [
  place('the caller', (destroy) => ({ prepare: destroy })),
  place('the next tick', (destroy) => ({ prepare: () => process.nextTick(destroy) })),
  place('a microtask', (destroy) => ({ prepare: () => queueMicrotask(destroy) })),
  onEvent('lookup', undefined, { host: 'localhost' }),
  onEvent('connect'),
  onEvent('ready'),
  onEvent('secureConnect'),
  onEvent('readable'),
  onEvent('data', (socket) => socket.write('x')),
  onEvent('end', (socket) => socket.resume().end('x')),
  onEvent('finish', (socket) => socket.end('x')),
  onEvent('drain', (socket) => socket.resume().write(Buffer.alloc(100_000))),
  onEvent('timeout', (socket) => socket.setTimeout(10)),
  onEvent('error', undefined, { ca: pki.clientCaA.cert }),
  onEvent('close', (socket) => socket.resume().end()),
  inIdentityCheck('', undefined),
  inIdentityCheck(', which then refuses', new Error('refused')),
  inCallback('that answers', answer),
  inCallback('that declines', () => null),
  inCallback('that suspends', () => SUSPEND),
  inCallback('that never settles', () => never),
  inCallback('that settles', async () => answer()),
  inCallback('that rejects', () => Promise.reject(new Error('no'))),
  inCallback('that answers wrongly', () => 'nonsense' as never),
  inCallback('that throws', fail),
  inSuspend('resumed after'),
  inSuspend('aborted after'),
  inSuspend('resumed before'),
  place('a callback, after it has looked at everything', (destroy) => ({
    options: {
      clientCertCallback: (request, { signal }) => {
        void [request.serverCertificates, request.supports(pki.clients.rsa)];
        destroy();
        expect(signal.aborted).toBe(true);
        expect(request.serverCertificates).toHaveLength(1);
        expect(() => request.supports(pki.clients.rsa)).toThrow(
          expect.objectContaining({ code: 'ERR_TLS_CONNECTION_OVER' }),
        );
        return answer();
      },
    },
  })),
  place('the time before its promise settles', (destroy) => ({
    options: {
      clientCertCallback: async () => {
        await turns(1);
        destroy();
        return answer();
      },
    },
  })),
  place("the signal's listener", (destroy) => ({
    options: {
      clientCertTimeout: 10,
      clientCertCallback: (_, { signal }) => {
        signal.addEventListener('abort', destroy);
        return never;
      },
    },
  })),
  place("a write's callback", (destroy) => ({ prepare: (socket) => socket.write('x', destroy) })),
  place("end()'s callback", (destroy) => ({ prepare: (socket) => socket.end('x', destroy) })),
];

/** Where the socket was about to close anyway. */
const alreadyOver = ({ name }: Place) =>
  ["'error'", "'close'", "the signal's listener"].includes(name);
/** Only a socket that we open ourselves tells these. */
const onlyOwn = ({ name }: Place) => ["'lookup'", "'connect'", "'ready'"].includes(name);

describe.each(VERSIONS)('destroy() in, %s:', (version) => {
  let server: NodeServer;
  beforeAll(async () => {
    server = await startNodeServer({
      identity: pki.server,
      onConnection: (socket) => {
        socket.write('greeting');
        socket.pipe(socket);
      },
    });
  });
  afterAll(() => server.close());

  const run = async (
    { name, arrange }: Place,
    error?: Error,
    over: 'socket' | 'pair' = 'socket',
  ) => {
    let socket: TLSSocket | undefined;
    let all: string[] = [];
    let before: number | undefined;
    const { options, prepare } = arrange(() => {
      if (socket === undefined) throw new Error('called before connect() returned');
      socket.destroy(error);
      before ??= all.length;
    });
    const { client, server: far } = createPair();
    if (over === 'pair') server.server.emit('connection', far);
    socket = connect({
      ...to(server.port, version),
      ...(over === 'pair' && { socket: client }),
      ...options,
    });
    // A listener for 'data' would start the flow, and none for 'readable' be called.
    all = record(socket, EVENTS.slice(name === "'readable'" ? 1 : 0));
    prepare?.(socket);
    await next(socket, 'close');
    await turns(4);
    expect(socket.destroyed).toBe(true);
    expect(all.filter((event) => event.startsWith('close'))).toHaveLength(1);
    expect(all.at(-1)).toMatch(/^close/);
    // A stream calls back before it emits 'finish', and looks at nothing in between; nor does a socket
    // between 'connect' and 'ready', in node:tls neither.
    return all.slice(before).filter((event) => event !== 'finish' && event !== 'ready');
  };

  test.each(PLACES)('$name', async (where) => {
    const behind = await run(where);
    if (!alreadyOver(where)) expect(behind).toEqual(['close false']);
  });

  test.each(PLACES)('$name, with an error', async (where) => {
    const behind = await run(where, Object.assign(new Error('mine'), { code: 'MINE' }));
    if (!alreadyOver(where)) expect(behind).toEqual(['error MINE', 'close true']);
  });

  test.each(PLACES.filter((where) => !onlyOwn(where)))('$name, over a Duplex', async (where) => {
    const behind = await run(where, undefined, 'pair');
    if (!alreadyOver(where)) expect(behind).toEqual(['close false']);
  });
});

test('a write cut short by destroy() is not reported as done', async () => {
  const server = await startNodeServer({
    identity: pki.server,
    onConnection: (socket) => socket.pause(),
  });
  const socket = dial(server);
  await secured(socket);
  const outcome = new Promise((resolve) => socket.write(Buffer.alloc(16 * 1024 * 1024), resolve));
  socket.on('error', () => {});
  setImmediate(() => socket.destroy());
  expect(await outcome).toMatchObject({ code: expect.any(String) });
  await server.close();
});
