/** A server that goes while its request is unanswered and more than anybody keeps lies behind it. */
import { once } from 'node:events';
import { connect } from '../../lib/index';
import { deferred, endedBy, secured, within } from '../support/client';
import { tcpConnection } from '../support/kernel-sockets';
import { overDescriptors } from '../support/over-descriptors';
import { type PythonServer, startPythonServer } from '../support/python-server';
import { pki, to, turns } from './stream-helpers';

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
