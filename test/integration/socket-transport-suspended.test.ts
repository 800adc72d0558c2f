/** What lies behind a request that is unanswered stays with the kernel, and a server that goes meanwhile is heard all the same. */
import { once } from 'node:events';
import net from 'node:net';
import { connect } from '../../lib/index';
import { deferred, endedBy, secured, within } from '../support/client';
import { tcpConnection } from '../support/kernel-sockets';
import { startNodeServer } from '../support/node-server';
import { overDescriptors } from '../support/over-descriptors';
import { type PythonServer, startPythonServer } from '../support/python-server';
import { pki, startRawServer, suspended, to, turns, VERSIONS } from './stream-helpers';

/** More than is received ahead; the kernel holds the rest, and the server's end behind it. */
const BEHIND = 110_000;
/** Of tcpConnection(). */
const CLOSE_WAIT = 8;

let server: PythonServer;

beforeAll(async () => {
  server = await startPythonServer({
    identity: pki.server,
    clientCa: pki.clientCaA.certPath,
  });
});

afterAll(() => server.stop());

overDescriptors('with more than 64 KiB behind its request the server goes', () => {
  test.each(['fin', 'reset'])('by %s: the signal and the error come at once', async (how) => {
    const asked = deferred<AbortSignal>();
    const answer = deferred<null>();
    const socket = connect({
      ...to(server.port),
      // Nothing but the server's end can end the wait.
      clientCertTimeout: 0,
      clientCertCallback: (_request, { signal }) => {
        asked.resolve(signal);
        return answer.promise;
      },
    });
    await secured(socket);
    expect(socket.transport).toBe('socket');
    const read: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => read.push(chunk));
    const failed = endedBy(socket);
    // Not every failure of this test gets as far as waiting for it.
    failed.catch(() => {});
    socket.write(`ask-then-source ${BEHIND}\n${how} cue\n`);
    const signal = await within('question', asked.promise);
    const unread = () => tcpConnection(socket.localPort ?? 0, server.port)?.unread ?? 0;
    const holds = async () => {
      while (!socket.destroyed && unread() === 0) await turns(1);
    };
    await within('more than is received ahead', holds());
    expect(signal.aborted).toBe(false);
    const aborted = once(signal, 'abort');
    server.cue();
    await within('abort', aborted, 2_000);
    const error = await failed;
    expect(error.code).toBe('ECONNRESET');
    expect(socket.clientAuth.status).toBe('failed');
    // An answer that comes too late does no harm.
    answer.resolve(null);
    await turns();
    expect(socket.closed).toBe(true);
    if (how === 'fin') expect(error.message).toContain('was not answered yet');
  });

  test('before anybody reads as far as the request: the signal aborts as soon as it is asked', async () => {
    const asked = deferred<AbortSignal>();
    const socket = connect({
      ...to(server.port),
      clientCertTimeout: 0,
      clientCertCallback: (_request, { signal }) => {
        asked.resolve(signal);
        return new Promise(() => {});
      },
    });
    await secured(socket);
    const failed = endedBy(socket);
    socket.pause();
    // All of it fits what is received ahead and the kernel's own buffer, the end included.
    socket.write('source 20000\nask-then-source 70000\nfin\n');
    const hasEnded = async () => {
      while (tcpConnection(socket.localPort ?? 0, server.port)?.state !== CLOSE_WAIT)
        await turns(1);
    };
    await within("the server's end", hasEnded());
    await turns();
    socket.resume();
    const signal = await within('question', asked.promise);
    if (!signal.aborted) await within('abort', once(signal, 'abort'), 2_000);
    expect((await failed).code).toBe('ECONNRESET');
  });
});

overDescriptors('what comes while a handshake is suspended', () => {
  test.each(VERSIONS)('stays with the kernel, but for 64 KiB of it, %s', async (version) => {
    const node = await startNodeServer({ identity: pki.server });
    const target = net.connect(node.port, '127.0.0.1').on('error', () => {});
    // Between the two, so that what follows the request is what no server would send.
    const relay = await startRawServer((near) => near.pipe(target).pipe(near));
    const { socket, asked } = suspended(to(relay.port, version));
    await asked;
    expect(socket.transport).toBe('socket');
    const [near] = relay.sockets;
    target.unpipe(near);
    const unread = () => tcpConnection(near?.remotePort ?? 0, relay.port)?.unread ?? 0;
    await new Promise((written) => near?.write(Buffer.alloc(BEHIND, 0x17), written));
    let last = -1;
    for (let calm = 0; calm < 20; last = unread()) {
      await turns(1);
      calm = unread() === last ? calm + 1 : 0;
    }
    // It is read in pieces of a record.
    expect(last).toBeGreaterThanOrEqual(BEHIND - 64 * 1024 - 16 * 1024);
    expect(last).toBeLessThanOrEqual(BEHIND - 48 * 1024);
    expect(socket.secureConnecting).toBe(true);
    socket.destroy();
    target.destroy();
    await relay.close();
    await node.close();
  });
});
