/** Connections that end while a signature is waited for, a paused fibre in OpenSSL, leave nothing behind. */
import { PROTOCOLS } from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { startPythonServer } from '../support/python-server';
import { HEAP_MARGIN, measureLeft, RSS_MARGIN } from './left';

const COUNT = 2_000;

async function expectNothingLeft(how: string, port: number): Promise<void> {
  const left = await measureLeft('signing-child', [how, port, COUNT]);
  expect(left).toMatchObject({ connections: 0, credentials: 0, contexts: 1 });
  expect(left.heap).toBeLessThan(HEAP_MARGIN);
  expect(left.external).toBeLessThan(HEAP_MARGIN);
  // A fibre that stayed would be 32 KiB, each.
  expect(left.rss).toBeLessThan(RSS_MARGIN);
}

test.each(PROTOCOLS)(
  `${COUNT} connections destroyed, %s`,
  async (maxVersion) => {
    const server = await startNodeServer({ identity: loadPki().server, maxVersion });
    await expectNothingLeft('destroyed', server.port);
    await server.close();
  },
  90_000,
);

test.each(PROTOCOLS)(
  `${COUNT} connections forgotten, %s`,
  async (maxVersion) => {
    const server = await startNodeServer({ identity: loadPki().server, maxVersion });
    await expectNothingLeft('forgotten', server.port);
    await server.close();
  },
  90_000,
);

test(`${COUNT} connections destroyed, asked later`, async () => {
  const server = await startPythonServer({ identity: loadPki().server });
  // The minus tells the child that the server has to be told to ask.
  await expectNothingLeft('destroyed', -server.port);
  await server.stop();
}, 90_000);
