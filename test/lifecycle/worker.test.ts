/** Worker threads: each loads the addon for itself, and may be terminated at any time. */
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { startPythonServer } from '../support/python-server';
import { fewer, patience, runChild } from './run-child';

let server: NodeServer;
beforeAll(async () => {
  server = await startNodeServer({ identity: loadPki().server });
});
afterAll(() => server.close());

test.each(['connecting', 'suspended', 'open'])('terminated while %s, many times', async (phase) => {
  const result = await runChild('worker-child', ['terminate', server.port, fewer(8), phase]);
  expect(result).toEqual({ end: 0, lines: ['terminated', 'true'], errors: '' });
});

test('terminated while asked later, many times', async () => {
  const asking = await startPythonServer({ identity: loadPki().server });
  const result = await runChild('worker-child', [
    'terminate',
    asking.port,
    fewer(8),
    'asked later',
    server.port,
  ]);
  await asking.stop();
  expect(result).toEqual({ end: 0, lines: ['terminated', 'true'], errors: '' });
});

test(
  'terminated in the middle of many handshakes',
  async () => {
    const result = await runChild('worker-child', ['storm', server.port, fewer(8)], {
      timeout: 60_000,
    });
    expect(result).toEqual({ end: 0, lines: ['terminated'], errors: '' });
  },
  patience(70_000),
);

test('two workers at once', async () => {
  const good = fewer(25);
  const result = await runChild('worker-child', ['parallel', server.port, good]);
  expect(result).toEqual({ end: 0, lines: [`{"good":${good}} {"good":${good}}`], errors: '' });
});

test('a worker loads the addon first, then the main thread, then another worker', async () => {
  const result = await runChild('worker-child', ['worker first', server.port, 1]);
  expect(result).toEqual({
    end: 0,
    lines: ['{"good":1}', 'true', '{"good":1}', 'true'],
    errors: '',
  });
});

test.each(['suspended', 'open'])('the process exits while a worker is %s', async (phase) => {
  const result = await runChild('worker-child', ['exit', server.port, 1, phase]);
  expect(result).toEqual({ end: 7, lines: [], errors: '' });
});
