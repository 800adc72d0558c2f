/** gnutls-serv: that a server other than OpenSSL's asks, asks later, and reads what was sent. */
import { X509Certificate } from 'node:crypto';
import { type ClientCertAnswer, type ConnectionOptions, Credential } from '../../lib/index';
import {
  answering,
  credentialOf,
  deferred,
  dial,
  endedBy,
  hangUp,
  later,
  PROTOCOLS,
  type Protocol,
  pemBlocks,
  secured,
  within,
} from '../support/client';
import {
  ASK_AGAIN,
  ASKING,
  type GnutlsServOptions,
  printedSubjects,
  receivedCertificateMessages,
  startGnutlsServ,
} from '../support/gnutls-serv';
import { expectEcho, hears } from '../support/hears';
import { type Identity, loadPki } from '../support/pki';
import { type ServerProcess, withServer } from '../support/server-process';

const pki = loadPki();
const deep = new Credential(credentialOf(pki.deepClient));
const direct = new Credential(credentialOf(pki.clients.ec256));

const SUSPENDED_MS = 50;
const PHASE = { 'TLSv1.2': 'renegotiation', 'TLSv1.3': 'post-handshake' } as const;

/** GnuTLS's certificate_request_context, which only a request after the handshake has. */
const CONTEXT_LENGTH = { handshake: 0, 'post-handshake': 12, renegotiation: 0 } as const;

/** The length of a Certificate message with this leaf and chain (RFC 5246 7.4.2, RFC 8446 4.4.2). */
function messageLength(
  protocol: Protocol,
  phase: keyof typeof CONTEXT_LENGTH,
  identity?: Identity & { readonly chain?: string },
): number {
  const pems = identity === undefined ? [] : [identity.cert, ...pemBlocks(identity.chain ?? '')];
  const sizes = pems.map((pem) => 3 + new X509Certificate(pem).raw.length);
  const list = sizes.reduce((sum, size) => sum + size, 3);
  return protocol === 'TLSv1.2' ? list : 1 + CONTEXT_LENGTH[phase] + list + 2 * sizes.length;
}

const withGnutlsServ = (
  options: GnutlsServOptions,
  use: (server: ServerProcess) => Promise<void>,
): Promise<void> => withServer(startGnutlsServ(options), use);

/** A client that answers one request after another, late, and what it was asked and told. */
function client(
  server: ServerProcess,
  answers: readonly ClientCertAnswer[],
  options: ConnectionOptions = {},
) {
  const { requests, clientCertCallback } = answering(answers, SUSPENDED_MS);
  const socket = dial(server, { clientCertCallback, ...options });
  return { socket, requests, hears: hears(socket) };
}

describe.each(PROTOCOLS)('gnutls-serv, %s', (protocol) => {
  const phase = PHASE[protocol];
  const ask = ASK_AGAIN[protocol];

  describe('in the first handshake', () => {
    test('sees leaf and chain, and trusts them', async () => {
      await withGnutlsServ({ protocol, requestCert: 'required' }, async (server) => {
        const { socket, requests, hears } = client(server, [deep]);
        await secured(socket);
        await expectEcho(socket, hears, 'hello\n');
        expect(await printedSubjects(server)).toEqual([
          pki.deepClient.subject,
          pki.intermediateA2.subject,
          pki.intermediateA.subject,
        ]);
        await server.waitFor(/- Status: The certificate is trusted/);
        expect(receivedCertificateMessages(server)).toEqual([
          messageLength(protocol, 'handshake', pki.deepClient),
        ]);
        expect(requests).toHaveLength(1);
        expect(requests[0]?.phase).toBe('handshake');
        expect(requests[0]?.certificateAuthorities.map(String)).toEqual([pki.clientCaA.subject]);
        expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: deep });
        await hangUp(socket);
      });
    });

    test('lets a client decline', async () => {
      await withGnutlsServ({ protocol, requestCert: 'optional' }, async (server) => {
        const { socket, requests, hears } = client(server, [null]);
        await secured(socket);
        await expectEcho(socket, hears, 'hello\n');
        expect(requests.map((request) => request.phase)).toEqual(['handshake']);
        expect(receivedCertificateMessages(server)).toEqual([messageLength(protocol, 'handshake')]);
        expect(server.output).not.toContain('- Got a certificate list');
        expect(socket.clientAuth).toMatchObject({ status: 'declined', reason: 'callback' });
        await hangUp(socket);
      });
    });

    test('refuses a chain without its intermediates', async () => {
      await withGnutlsServ({ protocol, requestCert: 'required' }, async (server) => {
        const { cert, key } = pki.deepClient;
        const { socket, requests } = client(server, [new Credential({ cert, key })]);
        const error = await endedBy(socket);
        expect(error).toMatchObject({
          code: expect.stringMatching(/^ERR_SSL_/),
          alert: 'access_denied',
          identity: pki.deepClient.subject,
        });
        expect(requests).toHaveLength(1);
      });
    });
  });

  // On TLS 1.2 it asks later only if it asked at first: there the client declines at first.
  const before = protocol === 'TLSv1.2' ? [null] : [];
  const requestCert = protocol === 'TLSv1.2' ? 'optional' : 'no';
  const declinedBefore = before.map(() => messageLength(protocol, 'handshake'));
  const phasesBefore = before.map(() => 'handshake');

  describe(`after the handshake (${ask.trim()})`, () => {
    test('sees leaf and chain; what is written meanwhile follows', async () => {
      await withGnutlsServ({ protocol, requestCert }, async (server) => {
        const asked = deferred<string>();
        const answer = deferred<Credential>();
        const { socket, hears } = client(server, [], {
          clientCertCallback: (request) => {
            if (request.phase === 'handshake') return null;
            asked.resolve(request.phase);
            return answer.promise;
          },
        });
        await secured(socket);
        await expectEcho(socket, hears, 'hello\n');
        expect(receivedCertificateMessages(server)).toEqual(declinedBefore);

        socket.write(ask);
        expect(await within('question', asked.promise)).toBe(phase);
        expect(socket.clientAuth.status).toBe('pending');
        const lines = Array.from({ length: 100 }, (_, i) => `line ${i}\n`);
        for (const line of lines) socket.write(line);
        answer.resolve(await later(deep, SUSPENDED_MS));
        await hears(ASKING + lines.join(''));

        expect(receivedCertificateMessages(server)).toEqual([
          ...declinedBefore,
          messageLength(protocol, phase, pki.deepClient),
        ]);
        expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: deep });
        await hangUp(socket);
      });
    });

    test.each([
      ['the installed certificate answers', false],
      ['with reselectClientCert the callback does', true],
    ])('a second time %s', async (_what, reselectClientCert) => {
      await withGnutlsServ({ protocol, requestCert }, async (server) => {
        const answers = [...before, deep, ...(reselectClientCert ? [deep] : [])];
        const { socket, requests, hears } = client(server, answers, { reselectClientCert });
        await secured(socket);
        for (const line of ['once\n', 'twice\n']) {
          socket.write(ask);
          await hears(ASKING);
          await expectEcho(socket, hears, line);
        }
        const length = messageLength(protocol, phase, pki.deepClient);
        expect(receivedCertificateMessages(server)).toEqual([...declinedBefore, length, length]);
        expect(requests.map((request) => request.phase)).toEqual([
          ...phasesBefore,
          ...(reselectClientCert ? [phase, phase] : [phase]),
        ]);
        await hangUp(socket);
      });
    });

    // GnuTLS's own rule (GNUTLS_ALLOW_ID_CHANGE), which shows that it saw somebody else.
    test('another identity than before is refused', async () => {
      await withGnutlsServ({ protocol, requestCert }, async (server) => {
        const { socket, hears } = client(server, [...before, deep, direct], {
          reselectClientCert: true,
        });
        await secured(socket);
        socket.write(ask);
        await hears(ASKING);
        await expectEcho(socket, hears, 'hello\n');
        const ended = endedBy(socket);
        socket.write(ask);
        expect(await ended).toMatchObject({
          alert: 'insufficient_security',
          identity: pki.clients.ec256.subject,
        });
        expect(receivedCertificateMessages(server)).toEqual([
          ...declinedBefore,
          messageLength(protocol, phase, pki.deepClient),
          messageLength(protocol, phase, pki.clients.ec256),
        ]);
      });
    });

    test('refuses a chain without its intermediates', async () => {
      await withGnutlsServ({ protocol, requestCert }, async (server) => {
        const { cert, key } = pki.deepClient;
        const { socket } = client(server, [...before, new Credential({ cert, key })]);
        await secured(socket);
        socket.write(ask);
        const error = await endedBy(socket);
        expect(error).toMatchObject({
          code: expect.stringMatching(/^ERR_SSL_/),
          alert: 'access_denied',
          identity: pki.deepClient.subject,
        });
      });
    });

    test('lets a client decline again', async () => {
      await withGnutlsServ({ protocol, requestCert: 'optional' }, async (server) => {
        const { socket, requests, hears } = client(server, [null, null]);
        await secured(socket);
        socket.write(ask);
        await hears(ASKING);
        await expectEcho(socket, hears, 'hello\n');
        expect(requests.map((request) => request.phase)).toEqual(['handshake', phase]);
        expect(receivedCertificateMessages(server)).toEqual([
          messageLength(protocol, 'handshake'),
          messageLength(protocol, phase),
        ]);
        expect(socket.clientAuth).toMatchObject({ status: 'declined', reason: 'callback' });
        await hangUp(socket);
      });
    });
  });
});

test('declining to **REAUTH** where nothing was asked before ends with an alert', async () => {
  await withGnutlsServ({ protocol: 'TLSv1.3', requestCert: 'no' }, async (server) => {
    const { socket, requests } = client(server, [null]);
    await secured(socket);
    const ended = endedBy(socket);
    socket.write(ASK_AGAIN['TLSv1.3']);
    expect(await ended).toMatchObject({
      code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      alert: 'certificate_required',
    });
    expect(requests.map((request) => request.phase)).toEqual(['post-handshake']);
    expect(socket.clientAuth).toMatchObject({ status: 'declined', reason: 'callback' });
  });
});

test('without post-handshake authentication **REAUTH** is an error of the server', async () => {
  await withGnutlsServ({ protocol: 'TLSv1.3', requestCert: 'no' }, async (server) => {
    const { socket, requests } = client(server, [deep], { postHandshakeAuth: false });
    await secured(socket);
    const ended = endedBy(socket);
    socket.write(ASK_AGAIN['TLSv1.3']);
    await server.waitFor(/reauth: The request is invalid/);
    expect(await ended).toMatchObject({ alert: 'internal_error' });
    expect(requests).toHaveLength(0);
  });
});
