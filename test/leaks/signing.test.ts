/** Connections that are forgotten while a signature is waited for, a paused fibre in OpenSSL, leave nothing behind. */
import { PROTOCOLS } from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { HEAP_MARGIN, measureLeft, RSS_MARGIN } from './left';

const COUNT = 2_000;

test.each(PROTOCOLS)(
  `${COUNT} connections forgotten, %s`,
  async (maxVersion) => {
    const server = await startNodeServer({ identity: loadPki().server, maxVersion });
    const left = await measureLeft('signing-child', [server.port, COUNT]);
    expect(left).toMatchObject({ connections: 0, credentials: 0, contexts: 1 });
    expect(left.heap).toBeLessThan(HEAP_MARGIN);
    expect(left.external).toBeLessThan(HEAP_MARGIN);
    // A fibre that stayed would be 32 KiB, each.
    expect(left.rss).toBeLessThan(RSS_MARGIN);
    await server.close();
  },
  300_000,
);
