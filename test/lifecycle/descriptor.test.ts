/** A process that has a connection through a descriptor: its memory, its CPU, its end. */
import type { TLSSocket } from 'node:tls';
import { pki } from '../integration/stream-helpers';
import { KEPT_FREED } from '../support/kept-freed';
import { startNodeServer } from '../support/node-server';
import { overDescriptors } from '../support/over-descriptors';
import { type PythonServer, startPythonServer } from '../support/python-server';
import { patience } from '../support/slowness';
import { runChild } from './run-child';

/** The last line that the child printed; it ended well. */
async function resultOf(args: readonly (string | number)[], timeout = 15_000) {
  const { end, lines, errors } = await runChild('descriptor-child', args, { timeout });
  expect({ end, errors }).toEqual({ end: 0, errors: '' });
  return { ...JSON.parse(lines.at(-1) ?? '{}'), lines: lines.slice(0, -1) };
}

overDescriptors('memory', () => {
  test(
    'stays where it is while a gigabyte waits for a server that does not read',
    async () => {
      const TOTAL = 1024;
      let received = 0;
      let peer: TLSSocket | undefined;
      const server = await startNodeServer({
        identity: pki.server,
        onConnection: (socket) => {
          peer = socket.pause();
          // Long enough for what is not held back to be written.
          setTimeout(() => {
            socket.on('data', (chunk: Buffer) => {
              received += chunk.length;
            });
            socket.once('end', () => socket.end()).resume();
          }, 1_000);
        },
      });
      const { transport, grown, lines } = await resultOf(['memory', server.port, TOTAL], 60_000);
      expect({ transport, lines }).toEqual({ transport: 'socket', lines: ['blocked'] });
      expect(peer).toBeDefined();
      expect(received).toBe(TOTAL * 1024 * 1024);
      expect(grown).toBeLessThan(16 + KEPT_FREED / 1024 / 1024);
      await server.close();
    },
    patience(70_000),
  );
});

overDescriptors('the descriptor is closed under us', () => {
  test.each([
    ['open', 'own'],
    ['open', 'passed'],
    ['suspended', 'own'],
    ['suspended', 'passed'],
  ])('while %s, the socket %s', async (phase, kind) => {
    const server = await startNodeServer({ identity: pki.server });
    const { transport, events, idle } = await resultOf(['closed', server.port, phase, kind]);
    expect({ transport, idle }).toEqual({ transport: 'socket', idle: true });
    expect(events).toEqual([expect.stringMatching(/^error E/), 'close']);
    await server.close();
  });
});

overDescriptors('the event loop rests', () => {
  let server: PythonServer;
  beforeAll(async () => {
    server = await startPythonServer({
      identity: pki.server,
      clientCa: pki.clientCaA.certPath,
    });
  });
  afterAll(() => server.stop());

  test.each([10_000, 110_000, 1_000_000])('while suspended with %i bytes unread', async (size) => {
    const result = await resultOf(['idle', server.port, 'suspended', size]);
    expect(result).toMatchObject({ transport: 'socket', idle: true, held: true });
  });

  test.each([
    [10_000, 'close'],
    [110_000, 'close'],
    [1_000_000, 'close'],
  ])('while nobody reads %i bytes, and the %s behind them', async (size, end) => {
    const result = await resultOf(['idle', server.port, 'paused', size, end]);
    expect(result).toMatchObject({ transport: 'socket', idle: true, held: true, read: size });
    expect(result.error).toBeUndefined();
  });
});

overDescriptors('ref() and unref()', () => {
  test.each(
    ['before', 'after'].flatMap((when) =>
      ['own', 'passed'].flatMap((kind) => [
        [when, kind, 'unref', false],
        [when, kind, 'ref', true],
      ]),
    ),
  )('%s the connection, the socket %s: %s()', async (when, kind, state, closed) => {
    const server = await startNodeServer({ identity: pki.server });
    // As long as the server keeps it, only unref() lets the process end before the socket does.
    const args = ['referenced', server.port, String(when), String(kind), String(state)];
    expect(await resultOf(args)).toMatchObject({ transport: 'socket', closed });
    await server.close();
  });
});

overDescriptors('a listener throws', () => {
  test("in 'data': an uncaught exception, and the data goes on", async () => {
    const server = await startNodeServer({ identity: pki.server });
    expect(await resultOf(['throws', server.port])).toEqual({
      transport: 'socket',
      read: 3 * 1024 * 1024,
      lines: ['uncaught from data'],
    });
    await server.close();
  });
});
