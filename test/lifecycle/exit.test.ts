/** A process may end in any way, in any phase of a connection, and ends as it would without one. */
import { type PhaseServers, startPhaseServers } from './phase-servers';
import { ASKING_PHASES, PHASE_NAMES } from './phases';
import { runChild } from './run-child';

let servers: PhaseServers;
beforeAll(async () => {
  servers = await startPhaseServers();
});
afterAll(() => servers.close());

describe.each(PHASE_NAMES)('a process that ends while %s', (phase) => {
  test.each([
    ['process.exit', 7],
    ['an uncaught exception', 1],
  ])('by %s', async (way, end) => {
    const result = await runChild('exit-child', [way, servers.json, phase]);
    expect({ ...result, errors: '' }).toEqual({ end, lines: ['there'], errors: '' });
    expect(result.errors.includes('on purpose')).toBe(end === 1);
  });
});

test.each(ASKING_PHASES)(
  'a process that ends in the callback or signer itself: %s',
  async (phase) => {
    const result = await runChild('exit-child', [
      'process.exit in the callback',
      servers.json,
      phase,
    ]);
    expect(result).toEqual({ end: 7, lines: [], errors: '' });
  },
);

// A process for each way is enough where no code of the process runs any more, or all of it does.
test.each([
  ['SIGTERM', 'SIGTERM'],
  ['its natural end', 0],
])('a process that ends with a connection in each phase, by %s', async (way, end) => {
  const result = await runChild('exit-child', [way, servers.json]);
  expect(result).toEqual({ end, lines: ['there'], errors: '' });
});
