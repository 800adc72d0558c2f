/** What a lot of data, let go of, costs besides: counts, which no slow machine changes. */
import { KEPT_FREED } from '../support/kept-freed';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { patience } from '../support/slowness';
import { runChild } from './run-child';

// Of a larger size nothing would be done about it; it grows by what survives while programs load.
const flags = ['--min-semi-space-size=1', '--max-semi-space-size=4'];

async function count(name: string, ...args: number[]) {
  const { end, lines, errors } = await runChild(name, args, { flags, timeout: 40_000 });
  expect({ end, errors }).toEqual({ end: 0, errors: '' });
  return JSON.parse(lines[0] ?? '') as { scavenges: number; pageFaults: number };
}

describe('plaintext that was received', () => {
  let counted: { scavenges: number; pageFaults: number };
  beforeAll(async () => {
    counted = await count('received-child');
  }, patience(50_000));

  test('is collected while it is young, long before 16 MiB of it have the whole heap marked', () => {
    // 512 MiB: every 32 MiB or less often by V8 alone.
    expect(counted.scavenges).toBeGreaterThan(30);
  });

  test('leaves memory that is used again, and not mapped again', () => {
    // 131,072 pages; a sanitizer keeps what was freed.
    expect(counted.pageFaults - KEPT_FREED / 4096).toBeLessThan(15_000);
  });
});

describe('ciphertext that is sent through a stream', () => {
  let server: NodeServer;
  beforeAll(async () => {
    server = await startNodeServer({
      identity: loadPki().server,
      onConnection: (socket) => socket.on('error', () => {}).resume(),
    });
  });
  afterAll(() => server.close());

  test(
    'is collected while it is young',
    async () => {
      // 256 MiB: every 32 MiB or less often by V8 alone.
      expect((await count('sent-child', server.port)).scavenges).toBeGreaterThan(15);
    },
    patience(50_000),
  );
});
