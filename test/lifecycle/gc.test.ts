/** Connections that were aborted leave nothing behind, whatever phase they were in. */
import { startRawServer } from '../integration/stream-helpers';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { runChild } from './run-child';

const COUNT = 2_000;
/** KiB of JavaScript's heap that may be left after all of them: less than one for each. */
const HEAP_MARGIN = 1_500;
/**
 * KiB of memory: what the allocator keeps levels off near 30,000 above the warm-up's end, however
 * many follow. The SSL that each connection holds is some 50.
 */
const RSS_MARGIN = 40_000;

test.each(['connecting', 'handshaking', 'suspended', 'answered', 'open', 'facing garbage'])(
  `${COUNT} connections aborted while %s`,
  async (phase) => {
    const server = await startNodeServer({ identity: loadPki().server });
    const raw = await startRawServer((socket) => {
      if (phase === 'facing garbage') socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      else socket.resume();
      socket.on('end', () => socket.destroy());
    });
    const { port } = ['handshaking', 'facing garbage'].includes(phase) ? raw : server;
    const result = await runChild('gc-child', [phase, port, COUNT], {
      flags: ['--expose-gc'],
      timeout: 60_000,
    });
    expect({ end: result.end, errors: result.errors }).toEqual({ end: 0, errors: '' });
    const left = JSON.parse(result.lines[0] ?? '');
    // What was answered last is kept for the next connection.
    const credentials = ['answered', 'open'].includes(phase) ? 1 : 0;
    expect(left).toMatchObject({ connections: 0, credentials, contexts: 1 });
    expect(left.heap).toBeLessThan(HEAP_MARGIN);
    expect(left.external).toBeLessThan(HEAP_MARGIN);
    expect(left.rss).toBeLessThan(RSS_MARGIN);
    await raw.close();
    await server.close();
  },
  90_000,
);
