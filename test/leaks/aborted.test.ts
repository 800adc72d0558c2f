/** Connections that were aborted leave nothing behind, whatever phase they were in. */
import { startRawServer } from '../integration/stream-helpers';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { HEAP_MARGIN, measureLeft, RSS_MARGIN } from './left';

const COUNT = 2_000;
test.each([
  'connecting',
  'handshaking',
  'suspended',
  'answered',
  'open',
  'facing garbage',
  'reset',
])(
  `${COUNT} connections aborted while %s`,
  async (phase) => {
    const server = await startNodeServer({ identity: loadPki().server });
    const raw = await startRawServer((socket) => {
      if (phase === 'facing garbage') socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      else if (phase === 'reset') socket.once('data', () => socket.resetAndDestroy());
      else socket.resume();
      socket.on('end', () => socket.destroy());
    });
    const { port } = ['handshaking', 'facing garbage', 'reset'].includes(phase) ? raw : server;
    const left = await measureLeft('aborted-child', [phase, port, COUNT]);
    // What was answered last is kept for the next connection.
    const credentials = ['answered', 'open'].includes(phase) ? 1 : 0;
    expect(left).toMatchObject({ connections: 0, socketTransports: 0, credentials, contexts: 1 });
    expect(left.heap).toBeLessThan(HEAP_MARGIN);
    expect(left.external).toBeLessThan(HEAP_MARGIN);
    expect(left.rss).toBeLessThan(RSS_MARGIN);
    await raw.close();
    await server.close();
  },
  90_000,
);
