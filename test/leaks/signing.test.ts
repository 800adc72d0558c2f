/** Connections that are forgotten while a signature is waited for, a paused fibre in OpenSSL, leave nothing behind. */
import { PROTOCOLS } from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { expectNothingGrown, measureLeft } from './left';

const COUNT = 2_000;

test.each(PROTOCOLS)(
  `${COUNT} connections forgotten, %s`,
  async (maxVersion) => {
    const server = await startNodeServer({ identity: loadPki().server, maxVersion });
    const left = await measureLeft('signing-child', [server.port, COUNT]);
    expect(left).toMatchObject({ connections: 0, credentials: 0, contexts: 1 });
    // A fibre that stayed would be 32 KiB, each.
    expectNothingGrown(left);
    await server.close();
  },
  300_000,
);
