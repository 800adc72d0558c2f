/** Connections that were aborted leave nothing behind, whatever phase they were in. */
import { startRawServer } from '../integration/stream-helpers';
import { type PhaseServers, startPhaseServers } from '../lifecycle/phase-servers';
import { PHASE_NAMES, type PhaseName, type PhasePorts } from '../lifecycle/phases';
import { expectNothingGrown, measureLeft } from './left';

const MANY = { count: 2_000, warmUp: 1_000 };
/** Each has megabytes to write. */
const FEWER = { count: 500, warmUp: 200 };

const TIMEOUT = 300_000;

async function expectNothingLeft(phase: PhaseName, ports: PhasePorts, transport: string) {
  const { count, warmUp } = phase === 'writing' ? FEWER : MANY;
  const args = [phase, JSON.stringify(ports), transport, count, warmUp];
  const left = await measureLeft('aborted-child', args);
  expect(left).toMatchObject({ connections: 0, socketTransports: 0, contexts: 1 });
  // What was answered last is kept for the next connection.
  expect(left.credentials).toBeLessThanOrEqual(1);
  expectNothingGrown(left);
  return { early: left.early, transports: left.transports, all: count + warmUp };
}

/** The tests of one transport, a file each: jest runs them side by side. */
export function describeAborted(transport: 'socket' | 'stream'): void {
  let servers: PhaseServers;
  beforeAll(async () => {
    servers = await startPhaseServers();
  });
  afterAll(() => servers.close());

  test.each(PHASE_NAMES)(
    'aborted while %s',
    async (phase) => {
      const { early, transports } = await expectNothingLeft(phase, servers.ports, transport);
      // None failed on its way there. Before the connection there is no transport.
      expect(early).toBe(0);
      expect(transports).toEqual([phase === 'connecting' ? null : transport]);
    },
    TIMEOUT,
  );

  test.each(['facing garbage', 'reset'])(
    'that fail, %s',
    async (fault) => {
      const raw = await startRawServer((socket) => {
        if (fault === 'facing garbage') socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
        else socket.once('data', () => socket.resetAndDestroy());
        socket.on('end', () => socket.destroy());
      });
      const ports = { ...servers.ports, tls: raw.port };
      const { early, all } = await expectNothingLeft('open', ports, transport);
      expect(early).toBe(all);
      await raw.close();
    },
    TIMEOUT,
  );
}
