/** A server from before RFC 5746, which gnutls-serv can be: let in perhaps, renegotiated with never. */
import { constants } from 'node:crypto';
import { Credential } from '../../lib/index';
import {
  answering,
  credentialOf,
  deferred,
  dial,
  endedBy,
  failure,
  hangUp,
  secured,
  within,
} from '../support/client';
import { ASK_AGAIN, startGnutlsServ } from '../support/gnutls-serv';
import { expectEcho, hears } from '../support/hears';
import { loadPki } from '../support/pki';
import { type ServerProcess, withServer } from '../support/server-process';

const known = new Credential(credentialOf(loadPki().clients.ec256));

const LET_IN = constants.SSL_OP_LEGACY_SERVER_CONNECT;
const UNSAFE = constants.SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION;

const REFUSED = { code: 'ERR_TLS_RENEGOTIATION_REFUSED', reason: 'renegotiation-insecure' };
const HELLO_REQUEST = /HELLO REQUEST was queued/;

const withInsecureServer = (use: (server: ServerProcess) => Promise<void>): Promise<void> =>
  withServer(startGnutlsServ({ protocol: 'TLSv1.2', secureRenegotiation: false }), use);

/** An open connection that knows how to answer twice, and may be asked only once. */
async function letIn(server: ServerProcess, secureOptions: number) {
  const { requests, clientCertCallback } = answering([null, known]);
  const socket = dial(server, { secureOptions, clientCertCallback });
  const heard = hears(socket);
  await secured(socket);
  return { socket, heard, requests };
}

function clientHellos(server: ServerProcess): number {
  return [...server.output.matchAll(/CLIENT HELLO \(1\) was received/g)].length;
}

// OpenSSL takes UNSAFE for leave to connect, too: one more reason why it is never handed on.
test.each([
  ['by default', undefined],
  ['with unsafe renegotiation asked for', UNSAFE],
])('it is refused %s, before anybody is asked', async (_what, secureOptions) => {
  await withInsecureServer(async (server) => {
    const { requests, clientCertCallback } = answering([]);
    const socket = dial(server, { secureOptions, clientCertCallback });
    expect(await failure(socket)).toMatchObject({
      code: 'ERR_SSL_UNSAFE_LEGACY_RENEGOTIATION_DISABLED',
    });
    expect(requests).toHaveLength(0);
  });
});

// Here OpenSSL itself would renegotiate, with either of the two.
describe.each([
  ['let in', LET_IN],
  ['let in, with unsafe renegotiation asked for', LET_IN | UNSAFE],
])('%s', (_what, secureOptions) => {
  test('it cannot renegotiate: the connection fails, and nobody is asked', async () => {
    await withInsecureServer(async (server) => {
      const { socket, heard, requests } = await letIn(server, secureOptions);
      await expectEcho(socket, heard, 'hello\n');
      const ended = endedBy(socket);
      socket.write(ASK_AGAIN['TLSv1.2']);
      expect(await ended).toMatchObject(REFUSED);
      await server.waitFor(HELLO_REQUEST);
      expect(clientHellos(server)).toBe(1);
      expect(requests.map((request) => request.phase)).toEqual(['handshake']);
    });
  });

  test('renegotiate() tells its callback so, and the connection goes on', async () => {
    await withInsecureServer(async (server) => {
      const { socket, heard, requests } = await letIn(server, secureOptions);
      const told = deferred<unknown>();
      expect(socket.renegotiate({}, told.resolve)).toBe(false);
      expect(await within('callback', told.promise)).toMatchObject(REFUSED);
      await expectEcho(socket, heard, 'and goes on\n');
      expect(clientHellos(server)).toBe(1);
      expect(requests.map((request) => request.phase)).toEqual(['handshake']);
      await hangUp(socket);
    });
  });
});
