/** A process may end in any way, in any phase of a connection, and ends as it would without one. */
import { startRawServer } from '../integration/stream-helpers';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { startPythonServer } from '../support/python-server';
import { runChild } from './run-child';

const WAYS = {
  'process.exit': 7,
  'an uncaught exception': 1,
  SIGTERM: 'SIGTERM',
  'its natural end': 0,
} as const;

describe.each(['connecting', 'handshaking', 'suspended', 'open', 'asked later'])(
  'a process that ends while %s',
  (phase) => {
    test.each(Object.entries(WAYS))('by %s', async (way, end) => {
      const server = await startNodeServer({ identity: loadPki().server });
      // Accepts, and says nothing.
      const silent = await startRawServer((socket) => socket.resume());
      const asking = await startPythonServer({ identity: loadPki().server });
      const ports = { handshaking: silent.port, 'asked later': asking.port } as const;
      const port = ports[phase as keyof typeof ports] ?? server.port;
      const result = await runChild('exit-child', [phase, way, port]);
      expect({ ...result, errors: '' }).toEqual({ end, lines: [phase], errors: '' });
      expect(result.errors.includes('on purpose')).toBe(end === 1);
      await asking.stop();
      await silent.close();
      await server.close();
    });
  },
);
