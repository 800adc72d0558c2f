/** Each answer brings its own chain, which the manual page's callback cannot do (its BUGS). */
import { X509Certificate } from 'node:crypto';
import { Credential, createSecureContext } from '../../lib/index';
import {
  credentialOf,
  deferred,
  dial,
  expectIdentity,
  hangUp,
  PROTOCOLS,
  pemsOf,
  secured,
  withSServer,
} from '../support/client';
import { loadPki } from '../support/pki';
import { startSServer } from '../support/s-server';

const pki = loadPki();
const { deepClient, clientB, clientCaA, intermediateA, intermediateA2 } = pki;
const required = { requestCert: 'required', clientCa: pki.clientCasPath } as const;
const { cert, key } = deepClient;
const chain = [intermediateA2.cert, intermediateA.cert];

describe.each(PROTOCOLS)('%s', (protocol) => {
  test.each<[string, ConstructorParameters<typeof Credential>[0], string[]]>([
    ['a list', { cert, key, chain }, chain],
    ['one PEM text of several', { cert, key, chain: deepClient.chain }, chain],
    ['the leaf followed by its chain', { cert: cert + deepClient.chain, key }, chain],
    [
      'some behind the leaf, some in `chain`',
      { cert: cert + intermediateA2.cert, key, chain: intermediateA.cert },
      chain,
    ],
    [
      'DER and X509Certificate',
      { cert, key, chain: chain.map((pem) => new X509Certificate(pem)) },
      chain,
    ],
    ['with its root', { cert, key, chain: [...chain, clientCaA.cert] }, [...chain, clientCaA.cert]],
    [
      'a single one',
      { cert, key, chain: new X509Certificate(intermediateA2.cert).raw },
      chain.slice(0, 1),
    ],
    ['none', { cert, key }, []],
    ['an empty list', { cert, key, chain: [] }, []],
  ])('from %s: sent as it is, and in that order', async (_from, options, expected) => {
    const credential = new Credential(options);
    expect(pemsOf(credential.chain)).toEqual(expected);
    // No authority is named or checked here: a chain that leads nowhere is sent all the same.
    await withSServer({ protocol }, async (server) => {
      const socket = await secured(dial(server, { clientCertCallback: () => credential }));
      const seen = await server.sawClient();
      expect(pemsOf(seen.chain)).toEqual([cert, ...expected]);
      await hangUp(socket);
    });
  });

  test('a PFX is ordered, and its root left out', async () => {
    const { pfx, passphrase } = pki.encodings;
    const credential = new Credential({ pfx, passphrase });
    expect(pemsOf(credential.chain)).toEqual(chain);
    await withSServer({ ...required, protocol }, async (server) => {
      const socket = await secured(dial(server, { clientCertCallback: () => credential }));
      await expectIdentity(server, deepClient);
      await hangUp(socket);
    });
  });

  test('a static certificate brings its own as well', async () => {
    await withSServer({ ...required, protocol }, async (server) => {
      const socket = await secured(dial(server, { cert: cert + deepClient.chain, key }));
      await expectIdentity(server, deepClient);
      await hangUp(socket);
    });
  });

  test('a server that needs the intermediates refuses a leaf without them', async () => {
    await withSServer({ ...required, protocol }, async (server) => {
      const socket = dial(server, { clientCertCallback: () => ({ cert, key }) });
      socket.resume();
      const error = await new Promise<{ alert?: string }>((resolve) =>
        socket.once('error', resolve),
      );
      expect(error.alert).toBe('unknown_ca');
    });
  });

  test('two connections of one context answer with different chains at the same time', async () => {
    const servers = await Promise.all(
      [0, 1].map(() => startSServer({ identity: pki.server, ...required, protocol })),
    );
    const identities = [deepClient, clientB];
    const asked = [deferred(), deferred()];
    const context = createSecureContext({
      ca: pki.serverCa.cert,
      clientCertCallback: async (request) => {
        const which = request.servername === 'localhost' ? 0 : 1;
        asked[which]?.resolve();
        // Neither is answered before both were asked.
        await Promise.all(asked.map(({ promise }) => promise));
        return credentialOf(identities[which] ?? clientB);
      },
    });
    const sockets = await Promise.all(
      servers.map((server, which) =>
        secured(
          dial(server, {
            secureContext: context,
            servername: ['localhost', 'other.localhost'][which],
            checkServerIdentity: () => undefined,
          }),
        ),
      ),
    );
    await Promise.all(
      servers.map((server, which) => expectIdentity(server, identities[which] ?? clientB)),
    );
    await Promise.all(sockets.map(hangUp));
    await Promise.all(servers.map((server) => server.stop()));
  });

  test('one credential after another on one context leaves nothing of the first behind', async () => {
    const identities = [deepClient, clientB, deepClient, pki.clients.rsa];
    const queue = [...identities];
    const context = createSecureContext({
      ca: pki.serverCa.cert,
      clientCertCallback: () => credentialOf(queue.shift() ?? clientB),
    });
    await withSServer({ ...required, protocol }, async (server) => {
      for (const [index, identity] of identities.entries()) {
        const socket = await secured(dial(server, { secureContext: context }));
        await expectIdentity(server, identity, index + 1);
        await hangUp(socket);
      }
    });
  });
});

test("trusted certificates never leak into a credential's chain", async () => {
  // Node and OpenSSL would complete the chain from the trust store.
  const ca = [pki.serverCa.cert, clientCaA.cert, intermediateA.cert, intermediateA2.cert];
  await withSServer({}, async (server) => {
    for (const [index, options] of [
      { clientCertCallback: () => ({ cert, key }) },
      { cert, key },
    ].entries()) {
      const socket = await secured(dial(server, { ca, ...options }));
      expect((await server.sawClient(index + 1)).chainLength).toBe(1);
      await hangUp(socket);
    }
  });
});
