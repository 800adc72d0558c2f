/** A suspended handshake: asked again, aborted, unheard, and its suspension used too often. */
import { once } from 'node:events';
import {
  type CertificateRequest,
  type ClientCertCallback,
  Credential,
  SUSPEND,
  type Suspension,
} from '../../lib/index';
import {
  credentialOf,
  deferred,
  dial,
  expectIdentity,
  expectNobody,
  expectNothingRevealed,
  failure,
  hangUp,
  later,
  PROTOCOLS,
  secured,
  within,
  withSServer,
} from '../support/client';
import { loadPki } from '../support/pki';
import type { SServer } from '../support/s-server';

const pki = loadPki();
const identity = pki.clients.ec256;
const credential = new Credential(credentialOf(identity));

/** Dials with a callback that suspends, and resolves with the socket and its suspension. */
async function suspend(server: SServer, more = {}) {
  const suspended = deferred<Suspension>();
  const socket = dial(server, { clientCertCallback: () => SUSPEND, ...more });
  socket.once('suspend', suspended.resolve);
  return { socket, suspension: await within('suspend', suspended.promise) };
}

const SPENT = expect.objectContaining({ code: 'ERR_SUSPENSION_SPENT' });

describe.each(PROTOCOLS)('%s', (protocol) => {
  test('resume() asks again about the same request, while the caller keeps the state', async () => {
    await withSServer({ protocol, clientCa: pki.clientCasPath }, async (server) => {
      const seen: CertificateRequest[] = [];
      const pins: string[] = [];
      const socket = dial(server, {
        clientCertCallback: (request) => {
          seen.push(request);
          return pins.includes('1234') ? credential : SUSPEND;
        },
      });
      const suspensions: Suspension[] = [];
      socket.on('suspend', async (suspension: Suspension) => {
        suspensions.push(suspension);
        pins.push(await later(pins.length === 0 ? '0000' : '1234'));
        suspension.resume();
      });
      await secured(socket);
      expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
      expect(suspensions.map(({ attempt }) => attempt)).toEqual([1, 2]);
      expect(suspensions.map(({ request }) => request)).toEqual(seen.slice(0, 2));
      const asked = seen.map(({ certificateAuthorities, signatureSchemes, phase }) => ({
        authorities: certificateAuthorities.map(String),
        signatureSchemes,
        phase,
      }));
      expect(asked[0]?.authorities).toHaveLength(2);
      expect(asked[1]).toEqual(asked[0]);
      expect(asked[2]).toEqual(asked[0]);
      await expectIdentity(server, identity);
      expect(server.clientCertificateMessageCount).toBe(1);
      await hangUp(socket);
    });
  });

  test('resume() within the event asks again at once', async () => {
    await withSServer({ protocol }, async (server) => {
      const attempts: number[] = [];
      const socket = dial(server, {
        clientCertCallback: ({ attempt }) => {
          attempts.push(attempt);
          return attempt < 100 ? SUSPEND : null;
        },
      });
      socket.on('suspend', (suspension: Suspension) => suspension.resume());
      await secured(socket);
      expect(attempts).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
      await expectNobody(server);
      await hangUp(socket);
    });
  });

  test('each attempt may be answered in another way', async () => {
    await withSServer({ protocol }, async (server) => {
      const socket = dial(server, {
        clientCertCallback: async ({ attempt }) => later(attempt === 1 ? SUSPEND : credential, 1),
      });
      socket.on('suspend', (suspension: Suspension) => suspension.resume());
      await secured(socket);
      await expectIdentity(server, identity);
      await hangUp(socket);
    });
  });

  test.each<[string, unknown]>([
    ['an error', new Error('cancelled by the user')],
    ['something that is no error', 'cancelled'],
    ['nothing', undefined],
  ])('abort() with %s fails the connection and sends nothing', async (_what, cause) => {
    await withSServer({ protocol }, async (server) => {
      const { socket, suspension } = await suspend(server);
      const failed = failure(socket);
      suspension.abort(cause);
      const error = await failed;
      expect(error.code).toBe('ERR_CLIENT_CERT_ABORTED');
      expect(error.cause).toBe(cause);
      expect(suspension.signal.aborted).toBe(true);
      expect(suspension.signal.reason).toBe(error);
      expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
      expect(() => suspension.resume(credential)).toThrow(SPENT);
      await expectNothingRevealed(server);
    });
  });

  test.each<[string, ClientCertCallback]>([
    ['SUSPEND', () => SUSPEND],
    ['a promise of SUSPEND', async (): Promise<typeof SUSPEND> => SUSPEND],
  ])('%s with nobody to hear it fails the connection', async (_what, callback) => {
    await withSServer({ protocol }, async (server) => {
      const error = await failure(dial(server, { clientCertCallback: callback }));
      expect(error.code).toBe('ERR_CLIENT_CERT_SUSPEND_UNHEARD');
      await expectNothingRevealed(server);
    });
  });

  test('the first use counts; every further one throws and changes nothing', async () => {
    await withSServer({ protocol }, async (server) => {
      const { socket, suspension } = await suspend(server);
      const done = secured(socket);
      suspension.resume(later(credential));
      expect(() => suspension.resume()).toThrow(SPENT);
      expect(() => suspension.resume(null)).toThrow(SPENT);
      expect(() => suspension.abort(new Error('too late'))).toThrow(SPENT);
      await done;
      await expectIdentity(server, identity);
      expect(() => suspension.resume(null)).toThrow(SPENT);
      expect(() => suspension.abort()).toThrow(SPENT);
      expect(suspension.signal.aborted).toBe(false);
      // The connection does not notice.
      server.type('still here');
      const [line] = await within('data', once(socket, 'data'));
      expect(String(line)).toBe('still here\n');
      await hangUp(socket);
      expect(() => suspension.resume()).toThrow(SPENT);
    });
  });

  test('a suspension of an earlier attempt cannot answer a later one', async () => {
    await withSServer({ protocol }, async (server) => {
      const { socket, suspension: first } = await suspend(server);
      const again = deferred<Suspension>();
      socket.once('suspend', again.resolve);
      first.resume();
      const second = await within('second suspend', again.promise);
      expect(() => first.resume(null)).toThrow(SPENT);
      const done = secured(socket);
      second.resume(credential);
      await done;
      await expectIdentity(server, identity);
      await hangUp(socket);
    });
  });

  test('once its connection is gone it is spent', async () => {
    await withSServer({ protocol }, async (server) => {
      const { socket, suspension } = await suspend(server);
      await hangUp(socket);
      expect(() => suspension.resume(credential)).toThrow(SPENT);
      expect(() => suspension.resume()).toThrow(SPENT);
      expect(() => suspension.abort()).toThrow(SPENT);
      await expectNothingRevealed(server);
    });
  });

  test('a promise that it was resumed with may settle after the connection is gone', async () => {
    await withSServer({ protocol }, async (server) => {
      const { socket, suspension } = await suspend(server);
      const answer = deferred<Credential>();
      suspension.resume(answer.promise);
      await hangUp(socket);
      answer.resolve(credential);
      await expectNothingRevealed(server);
    });
  });
});
