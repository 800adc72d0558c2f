/** What a lot of plaintext, received and let go of, costs besides: counts, which no slow machine changes. */
import { KEPT_FREED } from '../support/kept-freed';
import { patience, runChild } from './run-child';

let counted: { scavenges: number; pageFaults: number };
beforeAll(async () => {
  // Of another size nothing would be done about it.
  const flags = ['--min-semi-space-size=1', '--max-semi-space-size=16'];
  const { end, lines, errors } = await runChild('received-child', [], { flags, timeout: 40_000 });
  expect({ end, errors }).toEqual({ end: 0, errors: '' });
  counted = JSON.parse(lines[0] ?? '');
}, patience(50_000));

test('it is collected while it is young, long before 16 MiB of it have the whole heap marked', () => {
  // 512 MiB: every 32 MiB or less often by V8 alone.
  expect(counted.scavenges).toBeGreaterThan(30);
});

test('its memory is used again, and not mapped again', () => {
  // 131,072 pages; a sanitizer keeps what was freed.
  expect(counted.pageFaults - KEPT_FREED / 4096).toBeLessThan(15_000);
});
