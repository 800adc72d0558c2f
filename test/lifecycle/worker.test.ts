/** Worker threads: each loads the addon for itself, and may end or be terminated at any time. */
import { PROTOCOLS } from '../support/client';
import { fewer, patience } from '../support/slowness';
import { type PhaseServers, startPhaseServers } from './phase-servers';
import { PHASE_NAMES } from './phases';
import { runChild } from './run-child';

let servers: PhaseServers;
beforeAll(async () => {
  servers = await startPhaseServers();
});
afterAll(() => servers.close());

test.each(PHASE_NAMES)(
  'workers end in each way, and the process at last, while %s',
  async (phase) => {
    const result = await runChild('worker-child', ['ends', servers.json, phase], {
      timeout: 40_000,
    });
    expect(result).toEqual({
      end: 7,
      lines: ['"there" terminated', '"there" 3', '"there" 1', '"there" 0', 'true', 'there'],
      errors: '',
    });
  },
  patience(50_000),
);

test(
  'terminated in the middle of many handshakes',
  async () => {
    const args = ['storm', servers.json, fewer(8)];
    const result = await runChild('worker-child', args, { timeout: 60_000 });
    expect(result).toEqual({ end: 0, lines: ['terminated'], errors: '' });
  },
  patience(70_000),
);

describe.each(['answered', 'signed'])('%s', (how) => {
  test.each(PROTOCOLS)('two workers and the main thread at once, %s', async (protocol) => {
    const good = fewer(25);
    const args = ['parallel', servers.json, how, protocol, good];
    const line = `{"good":${good}} 0`;
    expect(await runChild('worker-child', args)).toEqual({
      end: 0,
      lines: [line, line, String(good)],
      errors: '',
    });
  });
});

test('a worker loads the addon first, then the main thread, then another worker', async () => {
  const result = await runChild('worker-child', ['worker first', servers.json]);
  expect(result).toEqual({
    end: 0,
    lines: ['{"good":1} 0', 'true', '{"good":1} 0', 'true'],
    errors: '',
  });
});
