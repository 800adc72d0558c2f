/** No memory on a thread of libuv's pool: the process ends, and no store stays locked. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from '../lifecycle/run-child';
import { openssl } from '../support/openssl';
import { buildPreloaded } from '../support/system-faults';

const BITS = 2056;
/** Nothing else is as long. */
const SIGNATURE = BITS / 8;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tls-client-cert-memory-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('a signature for which there is none', async () => {
  const store = join(folder, 'store.pem');
  // Key and certificate, one behind the other.
  const made = ['-newkey', `rsa:${BITS}`, '-nodes', '-keyout', store, '-out', store];
  await openssl(['req', '-x509', '-subj', '/CN=memory', ...made], folder);
  const library = buildPreloaded('failing-new');
  try {
    const { end, lines, errors } = await runChild(
      '../../signers/children/memory-child',
      [store, SIGNATURE],
      { env: { LD_PRELOAD: library.path } },
    );
    expect({ end, lines }).toEqual({ end: 'SIGABRT', lines: [`signed: ${SIGNATURE}`] });
    expect(errors).toContain('std::bad_alloc');
  } finally {
    library.remove();
  }
});
