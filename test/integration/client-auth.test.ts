/** `socket.clientAuth` tells what became of the server's request, from before it until after close. */
import { type ClientAuth, Credential, createSecureContext, SUSPEND } from '../../lib/index';
import {
  credentialOf,
  deferred,
  dial,
  endedBy,
  expectNobody,
  failure,
  hangUp,
  later,
  PROTOCOLS,
  secured,
  within,
  withSServer,
} from '../support/client';
import { loadPki } from '../support/pki';

const pki = loadPki();
const identity = pki.clients.ec256;
const { cert, key } = identity;
const credential = new Credential(credentialOf(identity));
const required = { requestCert: 'required', clientCa: pki.clientCasPath } as const;

const NOT_REQUESTED: ClientAuth = { status: 'not-requested', requested: false, sent: false };
const PENDING: ClientAuth = { status: 'pending', requested: true, sent: false };

describe.each(PROTOCOLS)('%s', (protocol) => {
  test('not requested', async () => {
    await withSServer({ requestCert: 'no', protocol }, async (server) => {
      const callback = jest.fn();
      const socket = dial(server, { clientCertCallback: callback });
      expect(socket.clientAuth).toEqual(NOT_REQUESTED);
      await secured(socket);
      expect(socket.clientAuth).toEqual(NOT_REQUESTED);
      expect(socket.getX509Certificate()).toBeUndefined();
      expect(socket.getCertificate()).toEqual({});
      await hangUp(socket);
      expect(socket.clientAuth).toEqual(NOT_REQUESTED);
      expect(callback).not.toHaveBeenCalled();
    });
  });

  test('pending while the callback is called and while its answer is out, then sent', async () => {
    await withSServer({ ...required, protocol }, async (server) => {
      const seen: ClientAuth[] = [];
      const socket = dial(server, {
        clientCertCallback: () => {
          seen.push(socket.clientAuth);
          return SUSPEND;
        },
      });
      socket.once('suspend', async (suspension) => {
        seen.push(socket.clientAuth);
        await later(null);
        seen.push(socket.clientAuth);
        suspension.resume(credential);
      });
      await secured(socket);
      expect(seen).toEqual([PENDING, PENDING, PENDING]);
      const sent = {
        status: 'sent',
        requested: true,
        sent: true,
        credential,
        signatureScheme: 'ecdsa_secp256r1_sha256',
      };
      expect(socket.clientAuth).toEqual(sent);
      expect(socket.getX509Certificate()?.toString()).toBe(cert);
      expect(socket.getCertificate()).toMatchObject({ subject: { CN: 'client ec256' } });
      await hangUp(socket);
      expect(socket.clientAuth).toEqual(sent);
    });
  });

  test('the credential is the very one that was answered, or that the context holds', async () => {
    await withSServer({ ...required, protocol }, async (server) => {
      const answered = await secured(dial(server, { clientCertCallback: async () => credential }));
      expect(answered.clientAuth).toHaveProperty('credential', credential);
      await hangUp(answered);

      const secureContext = createSecureContext({ ca: pki.serverCa.cert, cert, key });
      const fixed = await secured(dial(server, { secureContext }));
      expect(fixed.clientAuth).toMatchObject({ status: 'sent', sent: true });
      const { credential: used } = fixed.clientAuth as { credential: Credential };
      expect(used).toBe(secureContext.credentials[0]);
      await hangUp(fixed);
    });
  });

  test('declined by the callback, or for want of one', async () => {
    const declined = { status: 'declined', requested: true, sent: false };
    await withSServer({ protocol }, async (server) => {
      const socket = await secured(dial(server, { clientCertCallback: () => null }));
      expect(socket.clientAuth).toEqual({ ...declined, reason: 'callback' });
      await expectNobody(server);
      await hangUp(socket);
      expect(socket.clientAuth).toEqual({ ...declined, reason: 'callback' });

      const plain = await secured(dial(server));
      expect(plain.clientAuth).toEqual({ ...declined, reason: 'nothing-configured' });
      await expectNobody(server, 2);
      await hangUp(plain);
      expect(plain.clientAuth).toEqual({ ...declined, reason: 'nothing-configured' });
    });
  });

  test('declined stays declined when the server then refuses', async () => {
    await withSServer({ ...required, protocol }, async (server) => {
      for (const [options, reason] of [
        [{ clientCertCallback: () => null }, 'callback'],
        [{}, 'nothing-configured'],
      ] as const) {
        const socket = dial(server, options);
        const error = await endedBy(socket);
        const alert = protocol === 'TLSv1.3' ? 'certificate_required' : 'handshake_failure';
        expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_SSL_/), alert });
        expect(error.message).toContain(alert);
        expect(socket.clientAuth).toMatchObject({ status: 'declined', requested: true, reason });
      }
    });
  });

  test('sent says that it left, not that it was accepted', async () => {
    const stranger = { requestCert: 'required', clientCa: pki.clientCaB.certPath } as const;
    await withSServer({ ...stranger, protocol }, async (server) => {
      const socket = dial(server, { clientCertCallback: () => credential });
      const error = await endedBy(socket);
      expect(error).toMatchObject({
        alert: 'unknown_ca',
        code: expect.stringMatching(/^ERR_SSL_/),
      });
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential });
    });
  });

  test('failed, with the error of the connection', async () => {
    await withSServer({ protocol }, async (server) => {
      const socket = dial(server, { clientCertCallback: () => 7 as never });
      const error = await failure(socket);
      expect(socket.clientAuth).toEqual({ status: 'failed', requested: true, sent: false, error });
      expect((socket.clientAuth as { error: Error }).error).toBe(error);
    });
  });

  test('failed, too, when it is destroyed while pending', async () => {
    await withSServer({ protocol }, async (server) => {
      const asked = deferred();
      const socket = dial(server, {
        clientCertCallback: () => {
          asked.resolve();
          return new Promise(() => {});
        },
      });
      await within('question', asked.promise);
      expect(socket.clientAuth).toEqual(PENDING);
      await hangUp(socket);
      expect(socket.clientAuth).toMatchObject({
        status: 'failed',
        error: { code: 'ERR_TLS_CONNECTION_OVER' },
      });
    });
  });
});

test('an error before there is a connection leaves it not requested', async () => {
  const port = await withFreedPort();
  const socket = dial({ port }, { clientCertCallback: () => credential });
  expect((await failure(socket)).code).toBe('ECONNREFUSED');
  expect(socket.clientAuth).toEqual(NOT_REQUESTED);
});

/** A port that somebody listened on a moment ago. */
async function withFreedPort(): Promise<number> {
  let port = 0;
  await withSServer({}, async (server) => {
    port = server.port;
  });
  return port;
}
