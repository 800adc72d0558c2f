/** Servers that ask after the handshake and go wrong leave nothing behind, however many. */
import { loadPki } from '../support/pki';
import { startPythonServer } from '../support/python-server';
import { runChild } from './run-child';

const COUNT = 10_000;
/** Until then what the allocator keeps grows by some 40 MB on Node 26, and no further. */
const WARM_UP = 8_000;
/** KiB, for all of them together. */
const MARGIN = 10 * 1024;

test(`${COUNT} connections, each with one fault or another`, async () => {
  const pki = loadPki();
  const server = await startPythonServer({
    identity: pki.server,
    clientCa: pki.clientCaA.certPath,
  });
  const result = await runChild('faults-child', [server.port, COUNT, WARM_UP], {
    flags: ['--expose-gc'],
    timeout: 150_000,
  });
  await server.stop();
  expect({ end: result.end, errors: result.errors }).toEqual({ end: 0, errors: '' });
  const left = JSON.parse(result.lines[0] ?? '');
  expect(left).toMatchObject({ connections: 0, unsettled: 0 });
  // Each is told of, but for a server that was answered and then closes as it should.
  const untold = left.endings.filter((ending: string) => ending.endsWith('no error'));
  expect(untold).toEqual(['close, answers: no error']);
  expect(left.endings).toContain('close, suspends: ECONNRESET');
  expect(left.endings).toContain('stall, never answers: ERR_CLIENT_CERT_TIMEOUT');
  expect(left.heap).toBeLessThan(MARGIN);
  expect(left.external).toBeLessThan(MARGIN);
  expect(left.rss).toBeLessThan(MARGIN);
}, 180_000);
