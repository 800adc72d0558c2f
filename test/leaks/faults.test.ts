/** Servers that ask later and go wrong leave nothing behind, however many. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { REGISTER } from '../lifecycle/run-child';
import { registerLeftover } from '../support/leftovers';
import { loadPki } from '../support/pki';
import { Printed } from '../support/printed';
import { startPythonServer } from '../support/python-server';
import { measureLeft } from './left';

const COUNT = 10_000;
/** What V8 and the allocator keep has grown by then, and grows no further. */
const WARM_UP = 1_000;
/** KiB, for all of them together. */
const MARGIN = 10 * 1024;
/**
 * A guard against what hangs, and no measure: each connection costs some ms of both processes' time, and
 * others may want the machine.
 */
const PATIENCE = 600_000;

async function startFaultServer() {
  const file = join(__dirname, 'children/fault-server.ts');
  const child = spawn(process.execPath, ['--require', REGISTER, file], { stdio: 'pipe' });
  const printed = new Printed('fault server', child);
  const line = await printed.waitFor(/^PORT \d+$/m, 15_000);
  const stop = async () => {
    child.kill('SIGKILL');
    await printed.ended;
    forget();
  };
  const forget = registerLeftover(stop);
  return { port: Number(line.slice('PORT '.length)), stop };
}

test(`${COUNT} connections, each with one fault or another`, async () => {
  const pki = loadPki();
  const [python, forging] = await Promise.all([
    startPythonServer({ identity: pki.server, clientCa: pki.clientCaA.certPath }),
    startFaultServer(),
  ]);
  const left = await measureLeft('faults-child', [python.port, forging.port, COUNT, WARM_UP], {
    // The young generation grows with the time that V8 has, and would be most of what is seen.
    flags: ['--max-semi-space-size=1'],
    timeout: PATIENCE,
  });
  await Promise.all([python.stop(), forging.stop()]);
  expect(left).toMatchObject({ connections: 0, unsettled: 0 });
  // Each is told of, but for a server that was answered and then closes as it should.
  const untold = (left.endings as string[]).filter((ending) => ending.endsWith('no error'));
  expect(untold).toEqual(['TLSv1.3 close, answers: no error']);
  expect(left.endings).toEqual(
    expect.arrayContaining([
      'TLSv1.3 close, suspends: ECONNRESET',
      'TLSv1.3 stall, never answers: ERR_CLIENT_CERT_TIMEOUT',
      'TLSv1.3 forged alert, suspends: ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
      'TLSv1.3 forged again-fin, never answers: ECONNRESET',
      'TLSv1.2 close, suspends: ECONNRESET',
      'TLSv1.2 alert, never answers: ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
      'TLSv1.2 again, answers: ENOUGH',
      'TLSv1.2 again-fin, suspends: ECONNRESET',
      'TLSv1.2 stall, never answers: ERR_CLIENT_CERT_TIMEOUT',
    ]),
  );
  expect(left.heap).toBeLessThan(MARGIN);
  expect(left.external).toBeLessThan(MARGIN);
  expect(left.rss).toBeLessThan(MARGIN);
}, 660_000);
