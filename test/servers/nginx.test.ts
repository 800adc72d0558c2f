/** nginx, which asks in the first handshake, and refuses a bad certificate only by HTTP status. */
import { type ConnectionOptions, Credential, type TLSSocket } from '../../lib/index';
import {
  credentialOf,
  deferred,
  dial,
  hangUp,
  later,
  PROTOCOLS,
  secured,
  within,
} from '../support/client';
import { type HttpResponse, httpOver } from '../support/http-client';
import { type NginxOptions, type NginxReport, startNginx } from '../support/nginx';
import { loadPki } from '../support/pki';
import { type ServerProcess, withServer } from '../support/server-process';

const pki = loadPki();
const deep = new Credential(credentialOf(pki.deepClient));
const direct = new Credential(credentialOf(pki.clients.ec256));
const withoutChain = new Credential({ cert: pki.deepClient.cert, key: pki.deepClient.key });

const NEW = '.';
const RESUMED = 'r';

const withNginx = (
  options: NginxOptions,
  use: (server: ServerProcess) => Promise<void>,
): Promise<void> => withServer(startNginx(options), use);

interface Visit {
  readonly socket: TLSSocket;
  readonly response: HttpResponse<NginxReport>;
  /** The phases of the requests that the callback was called with. */
  readonly phases: readonly string[];
  readonly reused: boolean;
  /** The session that the server gave, in the handshake or after it. */
  readonly session: Buffer;
}

/** Connects, makes one request, and hangs up. `answer` comes late; undefined sets no callback. */
async function visit(
  server: ServerProcess,
  answer: Credential | null | undefined,
  options: ConnectionOptions = {},
): Promise<Visit> {
  const phases: string[] = [];
  const session = deferred<Buffer>();
  const callback: ConnectionOptions = {
    clientCertCallback: (request) => {
      phases.push(request.phase);
      return later(answer);
    },
  };
  const socket = dial(server, { ...(answer !== undefined && callback), ...options });
  socket.once('session', session.resolve);
  await secured(socket);
  const response = await httpOver<NginxReport>(socket)('/');
  const reused = socket.isSessionReused();
  // A connection that resumes on TLS 1.2 may be given none.
  const given = reused ? Buffer.of() : within('session', session.promise);
  const visited = { socket, response, phases, reused, session: await given };
  await hangUp(socket);
  return visited;
}

describe.each(PROTOCOLS)('nginx, %s', (protocol) => {
  test('accepts a certificate whose intermediates the client sends', async () => {
    await withNginx({ protocol }, async (server) => {
      const { socket, response, phases } = await visit(server, deep);
      expect(response).toMatchObject({
        status: 200,
        report: { subject: pki.deepClient.subject, verify: 'SUCCESS', reused: NEW, protocol },
      });
      expect(phases).toEqual(['handshake']);
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: deep });
    });
  });

  test('refuses it without them', async () => {
    await withNginx({ protocol }, async (server) => {
      const { socket, response } = await visit(server, withoutChain);
      expect(response).toMatchObject({
        status: 400,
        report: {
          subject: pki.deepClient.subject,
          verify: 'FAILED:unable to verify the first certificate',
        },
      });
      // The refusal is HTTP's: for TLS the certificate was taken.
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: withoutChain });
    });
  });

  // Two intermediates: what the depth counts is certificates between the leaf and the root. (OpenSSL
  // has a code for a chain that is too long, but 3.0 looks no further and says that this one ends.)
  test.each([
    [1, 400, /^FAILED:(unable to get local issuer certificate|certificate chain too long)$/],
    [2, 200, /^SUCCESS$/],
  ])('at ssl_verify_depth %d two intermediates get status %d', async (depth, status, verify) => {
    await withNginx({ protocol, verifyDepth: depth }, async (server) => {
      const { response } = await visit(server, deep);
      expect(response).toMatchObject({ status, report: { subject: pki.deepClient.subject } });
      expect(response.report.verify).toMatch(verify);
      // A leaf directly under the root is never too deep.
      expect((await visit(server, direct)).response).toMatchObject({
        status: 200,
        report: { subject: pki.clients.ec256.subject, verify: 'SUCCESS' },
      });
    });
  });

  test.each([
    ['on', 400],
    ['optional', 200],
  ] as const)(
    'with ssl_verify_client %s, declining gets status %d',
    async (verifyClient, status) => {
      await withNginx({ protocol, verifyClient }, async (server) => {
        const { socket, response, phases } = await visit(server, null);
        expect(response).toMatchObject({ status, report: { subject: '', verify: 'NONE' } });
        expect(phases).toEqual(['handshake']);
        expect(socket.clientAuth).toMatchObject({ status: 'declined', reason: 'callback' });
      });
    },
  );

  describe('a session', () => {
    test('is resumed as whom the callback had chosen, without asking again', async () => {
      await withNginx({ protocol }, async (server) => {
        const { session } = await visit(server, deep);
        const again = await visit(server, direct, { session, sessionCredential: deep });
        expect(again.response).toMatchObject({
          status: 200,
          report: { subject: pki.deepClient.subject, verify: 'SUCCESS', reused: RESUMED },
        });
        expect(again.phases).toEqual([]);
        expect(again.reused).toBe(true);
        expect(again.socket.clientAuth).toEqual({
          status: 'resumed',
          requested: false,
          sent: false,
          credential: deep,
        });
      });
    });

    test('is not offered as somebody else', async () => {
      await withNginx({ protocol }, async (server) => {
        const { session } = await visit(server, deep);
        for (const sessionCredential of [direct, null, undefined]) {
          const other = await visit(server, direct, { session, sessionCredential });
          expect(other.response).toMatchObject({
            status: 200,
            report: { subject: pki.clients.ec256.subject, reused: NEW },
          });
          expect(other.phases).toEqual(['handshake']);
          expect(other.reused).toBe(false);
          expect(other.socket.clientAuth).toMatchObject({ status: 'sent', credential: direct });
        }
      });
    });

    test('is resumed as nobody, when the callback had declined', async () => {
      await withNginx({ protocol, verifyClient: 'optional' }, async (server) => {
        const { session } = await visit(server, null);
        const again = await visit(server, deep, { session, sessionCredential: null });
        expect(again.response).toMatchObject({
          status: 200,
          report: { subject: '', verify: 'NONE', reused: RESUMED },
        });
        expect(again.phases).toEqual([]);
        expect(again.socket.clientAuth).toMatchObject({ status: 'resumed', credential: null });
      });
    });

    test('is resumed with a certificate set in advance, and with no other', async () => {
      const { cert, key } = pki.clients.ec256;
      await withNginx({ protocol }, async (server) => {
        const { session, response } = await visit(server, undefined, { cert, key });
        expect(response.report).toMatchObject({ verify: 'SUCCESS', reused: NEW });

        const again = await visit(server, undefined, { cert, key, session });
        expect(again.response).toMatchObject({
          status: 200,
          report: { subject: pki.clients.ec256.subject, verify: 'SUCCESS', reused: RESUMED },
        });
        expect(again.socket.clientAuth.status).toBe('resumed');

        const { rsa } = pki.clients;
        const other = await visit(server, undefined, { cert: rsa.cert, key: rsa.key, session });
        expect(other.response).toMatchObject({
          status: 200,
          report: { subject: rsa.subject, verify: 'SUCCESS', reused: NEW },
        });
      });
    });
  });
});
