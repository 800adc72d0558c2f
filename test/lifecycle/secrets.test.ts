/** What is kept for connections to come is no plain text of keys or passphrases. */
import { runChild } from './run-child';

test('keys and passphrases are gone from the heap when their owner lets go of them', async () => {
  const { end, lines, errors } = await runChild('secrets-child', [], { timeout: 60_000 });
  expect({ end, errors }).toEqual({ end: 0, errors: '' });
  expect(JSON.parse(lines[0] ?? '')).toEqual({ whileHeld: [true, true], after: [false, false] });
}, 70_000);
