/** One context for many connections: its callback, the connections' own, and static certificates. */
import {
  type ClientCertCallback,
  Credential,
  createSecureContext,
  SecureContext,
  SUSPEND,
  type Suspension,
} from '../../lib/index';
import {
  credentialOf,
  deferred,
  dial,
  expectIdentity,
  expectNobody,
  hangUp,
  later,
  PROTOCOLS,
  pemsOf,
  secured,
  within,
  withSServer,
} from '../support/client';
import { startNodeServer } from '../support/node-server';
import { type Identity, loadPki } from '../support/pki';
import type { SServer } from '../support/s-server';

const pki = loadPki();
const ca = pki.serverCa.cert;
const { rsa, ec256, ed25519 } = pki.clients;
const { pfx, passphrase } = pki.encodings;
const credentials = { a: credentialOf(ec256), b: credentialOf(pki.clientB) };
const answerA: ClientCertCallback = () => credentials.a;
const answerB: ClientCertCallback = () => credentials.b;

/** Whether a callback stands in the SSL_CTX itself: SSL_CTX_get_client_cert_cb(3). */
const isRegistered = (context: SecureContext) =>
  SecureContext.nativeOf(context).asksForClientCert();

describe('set and get', () => {
  test('mirror the C functions, and null registers none at all', () => {
    const context = createSecureContext({ ca });
    expect(context.getClientCertCallback()).toBeNull();
    expect(isRegistered(context)).toBe(false);
    context.setClientCertCallback(answerA);
    expect(context.getClientCertCallback()).toBe(answerA);
    expect(isRegistered(context)).toBe(true);
    context.setClientCertCallback(answerB);
    expect(context.getClientCertCallback()).toBe(answerB);
    context.setClientCertCallback(null);
    expect(context.getClientCertCallback()).toBeNull();
    expect(isRegistered(context)).toBe(false);
  });

  test('the option does the same', () => {
    const given = createSecureContext({ ca, clientCertCallback: answerA });
    expect(given.getClientCertCallback()).toBe(answerA);
    expect(isRegistered(given)).toBe(true);
    for (const none of [null, undefined]) {
      const context = createSecureContext({ ca, clientCertCallback: none });
      expect(context.getClientCertCallback()).toBeNull();
      expect(isRegistered(context)).toBe(false);
    }
  });

  test.each([[undefined], ['callback'], [{}]])(
    '%p is an argument error, and changes nothing',
    (value) => {
      const context = createSecureContext({ ca, clientCertCallback: answerA });
      const typeError = expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' });
      expect(() => context.setClientCertCallback(value as never)).toThrow(typeError);
      expect(context.getClientCertCallback()).toBe(answerA);
      if (value === undefined) return;
      expect(() => createSecureContext({ clientCertCallback: value as never })).toThrow(typeError);
      expect(() => dial({ port: 1 }, { clientCertCallback: value as never })).toThrow(typeError);
    },
  );
});

describe.each(PROTOCOLS)('%s', (protocol) => {
  test('the callback at the time of the request is asked', async () => {
    await withSServer({ protocol }, async (server) => {
      const secureContext = createSecureContext({ ca });
      const steps: [ClientCertCallback | null, Identity | undefined][] = [
        [answerA, ec256],
        [answerB, pki.clientB],
        [null, undefined],
        [answerA, ec256],
      ];
      for (const [index, [callback, expected]] of steps.entries()) {
        const socket = dial(server, { secureContext });
        // After the connection was made, and before anything was asked.
        secureContext.setClientCertCallback(callback);
        await secured(socket);
        if (expected !== undefined) await expectIdentity(server, expected, index + 1);
        else expect(await server.sawClient(index + 1)).toMatchObject({ chainLength: 0 });
        expect(socket.clientAuth.sent).toBe(expected !== undefined);
        await hangUp(socket);
      }
    });
  });

  test("a connection's own callback goes before the context's, and needs none there", async () => {
    await withSServer({ protocol }, async (server) => {
      const never = jest.fn();
      const secureContext = createSecureContext({ ca, clientCertCallback: never });
      const own = await secured(dial(server, { secureContext, clientCertCallback: answerB }));
      await expectIdentity(server, pki.clientB);
      await hangUp(own);
      expect(never).not.toHaveBeenCalled();

      secureContext.setClientCertCallback(null);
      const during = deferred<boolean>();
      const only = dial(server, {
        secureContext,
        clientCertCallback: () => {
          during.resolve(isRegistered(secureContext));
          return later(credentials.a);
        },
      });
      await secured(only);
      await expectIdentity(server, ec256, 2);
      // It was lent for the handshake only.
      expect(await during.promise).toBe(false);
      expect(isRegistered(secureContext)).toBe(false);
      await hangUp(only);
    });
  });

  test("a connection's own callback is nobody else's, even while it is suspended", async () => {
    const server = await startNodeServer({ identity: pki.server, maxVersion: protocol });
    const secureContext = createSecureContext({ ca });
    const suspended = deferred<Suspension>();
    const asking = dial(server, { secureContext, clientCertCallback: () => SUSPEND });
    asking.once('suspend', suspended.resolve);
    const suspension = await within('suspend', suspended.promise);

    const silent = await secured(dial(server, { secureContext }));
    expect(silent.clientAuth).toMatchObject({ status: 'declined', reason: 'nothing-configured' });
    expect((await server.sawClient()).subject).toBeUndefined();

    const done = secured(asking);
    suspension.resume(credentials.a);
    await done;
    expect((await server.sawClient(2)).subject).toContain('CN=client ec256');
    await hangUp(silent);
    await hangUp(asking);
    await server.close();
  });

  async function suspendedOn(server: SServer, secureContext: SecureContext) {
    const suspended = deferred<Suspension>();
    const socket = dial(server, { secureContext });
    socket.on('suspend', suspended.resolve);
    return { socket, suspension: await within('suspend', suspended.promise) };
  }

  test.each<[string, ClientCertCallback | null, Identity | undefined]>([
    ['another', answerB, pki.clientB],
    ['none', null, undefined],
  ])('resume() asks the callback of now: %s', async (_which, callback, expected) => {
    await withSServer({ protocol }, async (server) => {
      const secureContext = createSecureContext({ ca, clientCertCallback: () => SUSPEND });
      const { socket, suspension } = await suspendedOn(server, secureContext);
      secureContext.setClientCertCallback(callback);
      const done = secured(socket);
      suspension.resume();
      await done;
      if (expected === undefined) await expectNobody(server);
      else await expectIdentity(server, expected);
      await hangUp(socket);
    });
  });

  test('an answer counts even though the callback was taken away meanwhile', async () => {
    await withSServer({ protocol }, async (server) => {
      const secureContext = createSecureContext({ ca, clientCertCallback: () => SUSPEND });
      const { socket, suspension } = await suspendedOn(server, secureContext);
      secureContext.setClientCertCallback(null);
      const done = secured(socket);
      suspension.resume(credentials.a);
      await done;
      await expectIdentity(server, ec256);
      expect(isRegistered(secureContext)).toBe(false);
      await hangUp(socket);
    });
  });

  test('with a certificate set in advance no callback is called', async () => {
    await withSServer({ protocol }, async (server) => {
      const never = jest.fn();
      const { cert, key } = ec256;
      const secureContext = createSecureContext({ ca, cert, key, clientCertCallback: never });
      for (const [index, options] of [
        { secureContext },
        { secureContext, clientCertCallback: never },
        { cert, key, clientCertCallback: never },
        { pfx, passphrase, clientCertCallback: never },
      ].entries()) {
        const socket = await secured(dial(server, options));
        await expectIdentity(server, index === 3 ? pki.deepClient : ec256, index + 1);
        await hangUp(socket);
      }
      expect(never).not.toHaveBeenCalled();
    });
  });

  test.each<[string, Identity]>([
    ['RSA-PSS+SHA256:RSA+SHA256', rsa],
    ['ECDSA+SHA256', ec256],
    ['ed25519', ed25519],
    ['ed25519:ECDSA+SHA256:RSA-PSS+SHA256', rsa],
  ])('of several, the first that suits is sent: %s', async (sigalgs, expected) => {
    const several = [rsa, ec256, ed25519];
    await withSServer({ protocol, args: ['-client_sigalgs', sigalgs] }, async (server) => {
      const options = {
        cert: several.map(({ cert }) => cert),
        // In any order.
        key: [ec256.key, ed25519.key, rsa.key],
      };
      const secureContext = createSecureContext({ ca, ...options });
      expect(secureContext.credentials.map((it) => pemsOf([it.certificate])[0])).toEqual(
        options.cert,
      );
      const socket = await secured(dial(server, { secureContext }));
      await expectIdentity(server, expected);
      expect(socket.clientAuth).toMatchObject({
        credential: secureContext.credentials[several.indexOf(expected)],
      });
      await hangUp(socket);
    });
  });

  test('many connections of one context at once each get their own answer', async () => {
    const server = await startNodeServer({ identity: pki.server, maxVersion: protocol });
    const identities = [rsa, ec256, ed25519, pki.clientB, pki.deepClient];
    const made = identities.map((identity) => new Credential(credentialOf(identity)));
    let waiting = 0;
    const all = deferred();
    const secureContext = createSecureContext({
      ca,
      clientCertCallback: async ({ servername }) => {
        if (++waiting === 20) all.resolve();
        await all.promise;
        return made[Number(servername?.slice(1)) % made.length];
      },
    });
    const sockets = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        secured(
          dial(server, {
            secureContext,
            servername: `n${i}`,
            checkServerIdentity: () => undefined,
          }),
        ),
      ),
    );
    await server.sawClient(20);
    for (const { servername, subject, protocol: spoken } of server.connections) {
      const expected = identities[Number(servername?.slice(1)) % identities.length];
      expect(subject?.split('\n').reverse().join(',')).toBe(expected?.subject);
      expect(spoken).toBe(protocol);
    }
    expect(new Set(server.connections.map(({ servername }) => servername)).size).toBe(20);
    await Promise.all(sockets.map(hangUp));
    await server.close();
  });
});

test('cert and key need each other', () => {
  const { cert, key } = ec256;
  const wrong = expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' });
  expect(() => createSecureContext({ cert })).toThrow(wrong);
  expect(() => createSecureContext({ key })).toThrow(wrong);
  expect(() => createSecureContext({ cert: [cert, rsa.cert], key })).toThrow(
    expect.objectContaining({ code: 'ERR_CREDENTIAL_MISMATCH' }),
  );
});
