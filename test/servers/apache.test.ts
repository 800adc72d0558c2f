/** Apache httpd, which asks when a path demands it: in the middle of a connection. */
import { createHash, randomBytes } from 'node:crypto';
import {
  type ClientCertAnswer,
  type ConnectionOptions,
  Credential,
  type TLSSocket,
} from '../../lib/index';
import { type ApacheOptions, type ApacheReport, startApache } from '../support/apache';
import {
  type AnyError,
  answering,
  credentialOf,
  dial,
  endedBy,
  hangUp,
  PROTOCOLS,
  secured,
} from '../support/client';
import { httpOver } from '../support/http-client';
import { loadPki } from '../support/pki';
import { type ServerProcess, withServer } from '../support/server-process';

const pki = loadPki();
const deep = new Credential(credentialOf(pki.deepClient));

/** What Apache says of a client that it knows, and of one that it does not. */
const KNOWN = {
  subject: pki.deepClient.subject,
  verify: 'SUCCESS',
  chain: String(pki.deepClient.chainLength),
};
const UNKNOWN = { subject: '', verify: 'NONE', chain: '0' };

const PHASE = { 'TLSv1.2': 'renegotiation', 'TLSv1.3': 'post-handshake' } as const;
const MISSING = { 'TLSv1.2': 'handshake_failure', 'TLSv1.3': 'certificate_required' } as const;

const SUSPENDED_MS = 50;

const withApache = (
  options: ApacheOptions,
  use: (server: ServerProcess) => Promise<void>,
): Promise<void> => withServer(startApache(options), use);

/**
 * A connection whose callback answers late, and the requests it was called with. A list holds the
 * answers to one request after another.
 */
async function connectTo(
  server: ServerProcess,
  answers: Credential | null | readonly ClientCertAnswer[],
  options: ConnectionOptions = {},
) {
  const inTurn = answers === null || answers instanceof Credential ? [answers] : answers;
  const { requests, clientCertCallback } = answering(inTurn, SUSPENDED_MS);
  const socket = await secured(dial(server, { clientCertCallback, ...options }));
  return { socket, requests, ask: httpOver<ApacheReport>(socket) };
}

/** The error that the connection ended with, which is also that of the request in flight. */
async function refusal(socket: TLSSocket, response: Promise<unknown>): Promise<AnyError> {
  const [error, outcome] = await Promise.all([
    endedBy(socket),
    response.then(
      () => 'a response',
      (reason: unknown) => reason,
    ),
  ]);
  expect(outcome).toBe(error);
  return error;
}

describe.each(PROTOCOLS)('Apache, %s', (protocol) => {
  const phase = PHASE[protocol];

  test('asks at the path that demands it, once in a connection', async () => {
    await withApache({ protocol }, async (server) => {
      const { socket, requests, ask } = await connectTo(server, deep);

      const open = await ask('/');
      expect(open).toMatchObject({ status: 200, report: { ...UNKNOWN, protocol } });
      expect(requests).toHaveLength(0);
      expect(socket.clientAuth.status).toBe('not-requested');

      const asked = performance.now();
      const first = await ask('/private');
      expect(performance.now() - asked).toBeGreaterThanOrEqual(SUSPENDED_MS - 1);
      expect(first).toMatchObject({ status: 200, report: { ...KNOWN, protocol } });
      expect(requests).toHaveLength(1);
      expect(requests[0]).toMatchObject({ phase, attempt: 1 });
      expect(requests[0]?.certificateAuthorities.map(String)).toEqual([pki.clientCaA.subject]);
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: deep });

      const second = await ask('/private');
      expect(second).toMatchObject({ status: 200, report: { ...KNOWN, resumed: 'Initial' } });
      expect(requests).toHaveLength(1);
      await hangUp(socket);
    });
  });

  test('loses nothing of a large body that was on its way when it asked', async () => {
    const body = randomBytes(1 << 20);
    await withApache({ protocol }, async (server) => {
      const { socket, requests, ask } = await connectTo(server, deep);
      const { status, report } = await ask('/private/upload', body);
      expect({ status, ...report }).toMatchObject({
        status: 200,
        ...KNOWN,
        body: createHash('sha256').update(body).digest('hex'),
      });
      expect(requests.map((request) => request.phase)).toEqual([phase]);

      // Nor of one that comes after.
      expect((await ask('/private/upload', body)).report).toEqual(report);
      expect(requests).toHaveLength(1);
      await hangUp(socket);
    });
  });

  test('lets a client decline where that is allowed', async () => {
    await withApache({ protocol }, async (server) => {
      const { socket, requests, ask } = await connectTo(server, null);
      expect(await ask('/optional')).toMatchObject({ status: 200, report: UNKNOWN });
      expect(requests.map((request) => request.phase)).toEqual([phase]);
      expect(socket.clientAuth).toMatchObject({ status: 'declined', reason: 'callback' });
      expect((await ask('/')).status).toBe(200);
      await hangUp(socket);
    });
  });

  test('a client that declines where it must not gets an alert, and no response', async () => {
    await withApache({ protocol }, async (server) => {
      const { socket, requests, ask } = await connectTo(server, null);
      const error = await refusal(socket, ask('/private'));
      expect(requests.map((request) => request.phase)).toEqual([phase]);
      expect(error).toMatchObject({
        code: expect.stringMatching(/^ERR_SSL_/),
        alert: MISSING[protocol],
      });
      expect(error.identity).toBeUndefined();
      expect(socket.clientAuth).toMatchObject({ status: 'declined', reason: 'callback' });
    });
  });

  test.each([
    ['of an authority it does not know', pki.clientB, 'Client CA B'],
    ['without the chain to the one it knows', { ...pki.deepClient, chain: '' }, 'Intermediate A2'],
  ])('a certificate %s is refused by alert', async (_what, identity, issuer) => {
    await withApache({ protocol }, async (server) => {
      const { cert, key } = identity;
      const { socket, ask } = await connectTo(server, new Credential({ cert, key }));
      expect((await ask('/')).status).toBe(200);
      const error = await refusal(socket, ask('/private'));
      expect(error).toMatchObject({
        code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
        alert: 'unknown_ca',
        identity: identity.subject,
      });
      const log = await server.waitFor(/AH02276: .*/);
      expect(log).toContain('unable to get local issuer certificate');
      expect(log).toContain(`subject: ${identity.subject}`);
      expect(log).toContain(issuer);
    });
  });

  test('asks in the first handshake where the whole server demands a certificate', async () => {
    await withApache({ protocol, requireEverywhere: true }, async (server) => {
      const { socket, requests, ask } = await connectTo(server, deep);
      expect(requests.map((request) => request.phase)).toEqual(['handshake']);
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: deep });
      // The path's demand is met already.
      for (const path of ['/', '/private', '/optional']) {
        expect(await ask(path)).toMatchObject({ status: 200, report: KNOWN });
      }
      expect(requests).toHaveLength(1);
      await hangUp(socket);
    });
  });

  test('takes a resumed client for who it was, and asks nothing', async () => {
    await withApache({ protocol, requireEverywhere: true }, async (server) => {
      const first = await connectTo(server, deep);
      expect((await first.ask('/')).report).toMatchObject({ ...KNOWN, resumed: 'Initial' });
      const session = first.socket.getSession();
      await hangUp(first.socket);

      const { socket, requests, ask } = await connectTo(server, null, {
        session,
        sessionCredential: deep,
      });
      expect(socket.isSessionReused()).toBe(true);
      expect(socket.clientAuth).toMatchObject({ status: 'resumed', credential: deep });
      expect(await ask('/private')).toMatchObject({
        status: 200,
        report: { subject: KNOWN.subject, verify: 'SUCCESS', resumed: 'Resumed' },
      });
      expect(requests).toHaveLength(0);
      await hangUp(socket);
    });
  });
});

test('who declined may be asked again, on TLS 1.2', async () => {
  await withApache({ protocol: 'TLSv1.2' }, async (server) => {
    const answers: ClientCertAnswer[] = [null, deep];
    const { socket, requests, ask } = await connectTo(server, answers);
    expect((await ask('/optional')).report).toMatchObject(UNKNOWN);
    expect((await ask('/private')).report).toMatchObject(KNOWN);
    expect(requests.map((request) => request.phase)).toEqual(['renegotiation', 'renegotiation']);
    expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: deep });
    await hangUp(socket);
  });
});

// Apache's own limit, the same for `openssl s_client`: it asks once in a TLS 1.3 connection.
test('who declined is not asked again, on TLS 1.3, but refused', async () => {
  await withApache({ protocol: 'TLSv1.3' }, async (server) => {
    const { socket, requests, ask } = await connectTo(server, [null, deep]);
    expect((await ask('/optional')).report).toMatchObject(UNKNOWN);
    expect((await ask('/private')).status).toBe(403);
    await server.waitFor(/AH10158: cannot perform post-handshake authentication/);
    expect(requests).toHaveLength(1);
    await hangUp(socket);
  });
});

test('without post-handshake authentication Apache refuses at once, and asks nobody', async () => {
  await withApache({ protocol: 'TLSv1.3' }, async (server) => {
    const { socket, requests, ask } = await connectTo(server, deep, { postHandshakeAuth: false });
    expect((await ask('/private')).status).toBe(403);
    expect(requests).toHaveLength(0);
    await hangUp(socket);
  });
});
