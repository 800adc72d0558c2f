/** What ends while a signature is waited for, a paused fibre in OpenSSL, takes nothing along. */
import { PROTOCOLS } from '../support/client';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { type PythonServer, startPythonServer } from '../support/python-server';
import { fewer, patience, runChild } from './run-child';

const pki = loadPki();
let servers: Record<(typeof PROTOCOLS)[number], NodeServer>;
let asking: PythonServer;

beforeAll(async () => {
  const [tls12, tls13] = await Promise.all(
    PROTOCOLS.map((maxVersion) => startNodeServer({ identity: pki.server, maxVersion })),
  );
  servers = { 'TLSv1.2': tls12 as NodeServer, 'TLSv1.3': tls13 as NodeServer };
  asking = await startPythonServer({ identity: pki.server });
});

afterAll(async () => {
  await Promise.all([servers['TLSv1.2'].close(), servers['TLSv1.3'].close(), asking.stop()]);
});

const PLACES = [...PROTOCOLS, 'asked later'] as const;
/** The minus tells the child that the server has to be told to ask. */
const portOf = (place: (typeof PLACES)[number]) =>
  place === 'asked later' ? -asking.port : servers[place].port;

describe.each(PLACES)('%s', (place) => {
  test.each(
    Object.entries({
      'process.exit': 7,
      'an uncaught exception': 1,
      SIGTERM: 'SIGTERM',
      'its natural end': 0,
    }),
  )('the process ends by %s', async (way, end) => {
    const result = await runChild('signing-exit-child', [way, portOf(place)]);
    expect({ ...result, errors: '' }).toEqual({ end, lines: ['signing'], errors: '' });
    expect(result.errors.includes('on purpose')).toBe(end === 1);
  });

  test('the process ends by process.exit in sign()', async () => {
    const args = ['process.exit in sign()', portOf(place)];
    expect(await runChild('signing-exit-child', args)).toEqual({ end: 7, lines: [], errors: '' });
  });

  test(
    'a worker is terminated, many times',
    async () => {
      const args = ['terminate', portOf(place), fewer(6), servers['TLSv1.3'].port];
      const result = await runChild('signing-worker-child', args, { timeout: 30_000 });
      expect(result).toEqual({ end: 0, lines: ['terminated', 'true'], errors: '' });
    },
    patience(40_000),
  );

  test('the process exits while a worker waits', async () => {
    const result = await runChild('signing-worker-child', ['exit', portOf(place), 1]);
    expect(result).toEqual({ end: 7, lines: [], errors: '' });
  });
});

describe.each(PROTOCOLS)('%s', (protocol) => {
  test('two workers and the main thread sign at the same time', async () => {
    const good = fewer(25);
    const result = await runChild('signing-worker-child', ['parallel', portOf(protocol), good]);
    expect(result).toEqual({
      end: 0,
      lines: [`{"good":${good}} {"good":${good}}`, String(good)],
      errors: '',
    });
  });

  test('what a listener throws after a late signature is an uncaught exception', async () => {
    const args = ["a throw in 'secureConnect'", portOf(protocol)];
    expect(await runChild('signing-exit-child', args)).toEqual({
      end: 0,
      lines: ['uncaughtException on purpose'],
      errors: '',
    });
  });
});
