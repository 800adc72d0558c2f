/** How connections end: scenario by scenario what `tls.connect` does, seen from all sides. */
import { once } from 'node:events';
import type { TLSSocket as NodeTLSSocket } from 'node:tls';
import { connect } from '../../lib/index';
import { startNodeServer } from '../support/node-server';
import { startTap, tlsRecords } from '../support/tap';
import {
  type Client,
  clients,
  next,
  pki,
  readAll,
  record,
  suspended,
  to,
  VERSIONS,
  type Version,
  within,
} from './stream-helpers';

interface Scenario {
  readonly name: string;
  /** Options of the client. */
  readonly options?: { readonly allowHalfOpen?: boolean };
  readonly serverOptions?: { readonly allowHalfOpen?: boolean };
  readonly client: (socket: NodeTLSSocket) => void;
  readonly server: (socket: NodeTLSSocket) => void;
}

const resume = (socket: NodeTLSSocket) => {
  socket.resume();
};
/** Not within 'secureConnection', where Node's TLS 1.3 server may forget its close_notify. */
const endsSoon = (socket: NodeTLSSocket) => {
  socket.resume();
  setImmediate(() => socket.end('from server'));
};
const afterSecure = (then: (socket: NodeTLSSocket) => void) => (socket: NodeTLSSocket) => {
  socket.resume();
  // Once the server has the client's Finished and says so: on TLS 1.3 the client is ahead.
  socket.once('data', () => then(socket));
};
const greets = (socket: NodeTLSSocket) => {
  socket.resume();
  socket.write('greeting');
};

const NEVER_ARRIVES = 'destroy() before connect';

const SCENARIOS: readonly Scenario[] = [
  { name: 'end()', client: afterSecure((socket) => socket.end()), server: greets },
  { name: 'end() unread', client: (s) => s.once('secureConnect', () => s.end()), server: resume },
  { name: 'end(data)', client: afterSecure((socket) => socket.end('last words')), server: greets },
  {
    name: 'end(data) before connect',
    client: (socket) => socket.resume().end('early'),
    server: resume,
  },
  { name: 'the server ends first', client: resume, server: endsSoon },
  {
    name: 'the server ends first, and nobody reads',
    client: () => {},
    server: (socket) => setImmediate(() => socket.resume().end()),
  },
  {
    name: 'the server ends first, the client half-open',
    options: { allowHalfOpen: true },
    client: (socket) => socket.resume().once('end', () => setTimeout(() => socket.end('late'), 20)),
    server: endsSoon,
  },
  ...[false, true].map((allowHalfOpen) => ({
    name: `the client ends first, the server half-open (allowHalfOpen ${allowHalfOpen})`,
    options: { allowHalfOpen },
    serverOptions: { allowHalfOpen: true },
    client: afterSecure((socket) => socket.end('from client')),
    server: (socket: NodeTLSSocket) => {
      greets(socket);
      socket.once('end', () => setTimeout(() => socket.end('late'), 20));
    },
  })),
  {
    name: 'both end at once',
    client: afterSecure((socket) => socket.end('from client')),
    server: endsSoon,
  },
  {
    name: 'destroySoon() after a write',
    client: afterSecure((socket) => {
      socket.write('last words');
      socket.destroySoon();
    }),
    server: greets,
  },
  {
    name: 'write and destroySoon() before connect',
    client: (socket) => {
      socket.write('early');
      socket.destroySoon();
    },
    server: resume,
  },
  { name: 'destroy()', client: afterSecure((socket) => socket.destroy()), server: greets },
  {
    name: 'destroy(error)',
    client: afterSecure((s) => s.destroy(Object.assign(new Error('mine'), { code: 'MINE' }))),
    server: greets,
  },
  {
    name: NEVER_ARRIVES,
    client: (socket) => {
      socket.destroy();
    },
    server: resume,
  },
];

/** All that can be seen of one connection: at the client, at the server, and on the wire. */
async function observe(scenario: Scenario, client: Client, version: Version) {
  const atServer: string[] = [];
  let closedAtServer: () => void = () => {};
  const serverClosed = new Promise<void>((resolve) => {
    closedAtServer = resolve;
  });
  const server = await startNodeServer({
    identity: pki.server,
    ...scenario.serverOptions,
    onConnection: (socket) => {
      const seen = record(socket, ['end', 'finish', 'error', 'close']);
      socket.once('close', () => {
        atServer.push(...seen);
        closedAtServer();
      });
      scenario.server(socket);
    },
  });
  const tap = await startTap(server.port);
  const socket = clients[client]({ ...to(tap.port, version), ...scenario.options });
  const events = record(socket);
  const closed = next(socket, 'close');
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk;
  });
  if (scenario.name.includes('unread') || scenario.name.includes('nobody')) {
    socket.removeAllListeners('data').pause();
    // As if nobody had ever said anything about reading.
    (socket as { readableFlowing: boolean | null }).readableFlowing = null;
  }
  scenario.client(socket);
  await closed;
  if (scenario.name !== NEVER_ARRIVES) await within(serverClosed, "'close' at the server");
  const wire = [tap.fromClient, tap.fromServer].map((bytes) => closeNotify(bytes, version));
  const flags = [socket.destroyed, socket.readableEnded, socket.writableFinished, socket.closed];
  await tap.close();
  await server.close();
  return { events, text, atServer, wire, flags };
}

/** Whether close_notify was the last thing said: on TLS 1.3 known by its size alone. */
function closeNotify(bytes: Buffer, version: Version): boolean {
  const last = tlsRecords(bytes).at(-1);
  return version === 'TLSv1.2' ? last?.type === 'alert' : last?.body.length === 2 + 1 + 16;
}

describe.each(VERSIONS)('the end, %s', (version) => {
  test.each(SCENARIOS)('$name: as node:tls', async (scenario) => {
    const ours = await observe(scenario, 'ours', version);
    expect(ours).toEqual(await observe(scenario, 'node', version));
    if (scenario.name.startsWith('destroy(')) return;
    expect(ours.wire[0]).toBe(true);
    expect(ours.events.at(-1)).toBe('close false');
  });

  // node:tls shuts the connection down in the middle of its handshake, which then fails.
  test.each(['before connect', 'before the handshake', 'while suspended'])(
    'end() %s waits for the handshake and closes cleanly',
    async (when) => {
      const server = await startNodeServer({ identity: pki.server });
      const { socket, asked, answer } = suspended(to(server.port, version));
      const events = record(socket, ['secureConnect', 'end', 'finish', 'error', 'close']);
      const closed = next(socket, 'close');
      if (when === 'before connect') socket.end();
      if (when === 'before the handshake') socket.once('connect', () => socket.end());
      await asked;
      if (when === 'while suspended') socket.end('words written while suspended');
      expect(events).toEqual([]);
      answer(pki.clients.ec256);
      const text = await readAll(socket);
      await closed;
      expect(events).toEqual(['secureConnect', 'finish', 'end', 'close false']);
      expect(String(text)).toBe(when === 'while suspended' ? 'words written while suspended' : '');
      expect((await server.sawClient()).chainLength).toBe(1);
      await server.close();
    },
  );

  test('destroySoon() before connect completes the handshake and says goodbye', async () => {
    const server = await startNodeServer({ identity: pki.server, onConnection: resume });
    const tap = await startTap(server.port);
    const socket = connect(to(tap.port, version));
    const events = record(socket, ['secureConnect', 'finish', 'error', 'close']);
    socket.destroySoon();
    await next(socket, 'close');
    expect(events).toEqual(['secureConnect', 'finish', 'close false']);
    expect(await within(serverEnd(server), 'end at the server')).toBe(true);
    expect(closeNotify(tap.fromClient, version)).toBe(true);
    await tap.close();
    await server.close();
  });

  test('writing after end() fails as in node:tls', async () => {
    const server = await startNodeServer({ identity: pki.server });
    const codes = async (client: Client) => {
      const socket = clients[client](to(server.port, version));
      await next(socket, 'secureConnect');
      const failed = next(socket, 'error');
      const closed = next(socket, 'close');
      socket.end();
      const error = await new Promise<unknown>((resolve) => socket.write('x', resolve));
      const [emitted] = await failed;
      await closed;
      const late = await new Promise<unknown>((resolve) => socket.write('x', resolve));
      return [error, emitted, late].map((e) => (e as NodeJS.ErrnoException).code);
    };
    expect(await codes('ours')).toEqual(await codes('node'));
    await server.close();
  });

  test.each([false, true])(
    "writing after the server's end, allowHalfOpen %s: as node:tls",
    async (allowHalfOpen) => {
      const server = await startNodeServer({ identity: pki.server, onConnection: endsSoon });
      const told = async (client: Client) => {
        const socket = clients[client]({ ...to(server.port, version), allowHalfOpen });
        socket.on('error', () => {}).resume();
        const closed = next(socket, 'close');
        await next(socket, 'end');
        // By now it has ended by itself, unless it may stay half open.
        await new Promise(process.nextTick);
        const ended = socket.writableEnded;
        const error = await new Promise<unknown>((resolve) => socket.write('x', resolve));
        socket.end();
        await closed;
        return { ended, code: (error as NodeJS.ErrnoException | undefined)?.code };
      };
      const ours = await told('ours');
      expect(ours).toEqual({ ended: !allowHalfOpen, code: allowHalfOpen ? undefined : 'EPIPE' });
      expect(ours).toEqual(await told('node'));
      await server.close();
    },
  );
});

async function serverEnd(server: Awaited<ReturnType<typeof startNodeServer>>): Promise<boolean> {
  const { socket } = await server.sawClient();
  if (!socket.readableEnded) await once(socket, 'end');
  return socket.readableEnded;
}
