/** Connections that were aborted leave nothing behind, whatever phase they were in, over both transports. */
import { startRawServer } from '../integration/stream-helpers';
import { type PhaseServers, startPhaseServers } from '../lifecycle/phase-servers';
import { PHASE_NAMES, type PhaseName, type PhasePorts } from '../lifecycle/phases';
import { HEAP_MARGIN, measureLeft, RSS_MARGIN } from './left';

const COUNTS = { socket: 2_000, stream: 1_000 };
const WARM_UP = 1_000;

let servers: PhaseServers;
beforeAll(async () => {
  servers = await startPhaseServers();
});
afterAll(() => servers.close());

async function expectNothingLeft(
  phase: PhaseName,
  ports: PhasePorts,
  transport: keyof typeof COUNTS,
) {
  const args = [phase, JSON.stringify(ports), transport, COUNTS[transport], WARM_UP];
  const left = await measureLeft('aborted-child', args);
  expect(left).toMatchObject({ connections: 0, socketTransports: 0, contexts: 1 });
  // What was answered last is kept for the next connection.
  expect(left.credentials).toBeLessThanOrEqual(1);
  expect(left.heap).toBeLessThan(HEAP_MARGIN);
  expect(left.external).toBeLessThan(HEAP_MARGIN);
  expect(left.rss).toBeLessThan(RSS_MARGIN);
  return left.transports;
}

describe.each(['socket', 'stream'] as const)(
  'thousands of connections over the %s',
  (transport) => {
    test.each(PHASE_NAMES)(
      'aborted while %s',
      async (phase) => {
        const transports = await expectNothingLeft(phase, servers.ports, transport);
        // Before the connection there is none.
        expect(transports).toEqual([phase === 'connecting' ? null : transport]);
      },
      300_000,
    );
  },
);

test.each(['facing garbage', 'reset'])(
  `${COUNTS.socket} connections that fail, %s`,
  async (fault) => {
    const raw = await startRawServer((socket) => {
      if (fault === 'facing garbage') socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      else socket.once('data', () => socket.resetAndDestroy());
      socket.on('end', () => socket.destroy());
    });
    await expectNothingLeft('open', { ...servers.ports, tls: raw.port }, 'socket');
    await raw.close();
  },
  300_000,
);
