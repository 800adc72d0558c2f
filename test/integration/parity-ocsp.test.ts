/** Stapled OCSP responses, beside node:tls. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expectNothingRevealed, withSServer } from '../support/client';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { clients, failure, next, pki, record, to, VERSIONS } from './stream-helpers';

const NAMES = ['ours', 'node'] as const;
const identity = { cert: pki.clients.ec256.cert, key: pki.clients.ec256.key };
const CASES = VERSIONS.flatMap((version) =>
  (['auto', 'stream'] as const).flatMap((transport) =>
    [true, false].map((asks) => [version, transport, asks] as const),
  ),
);

describe.each(CASES)('%s, transport %s, a server that asks: %p', (version, transport, asks) => {
  let server: NodeServer;
  const options = (more: object = {}) => ({
    ...to(server.port, version),
    transport,
    requestOCSP: true,
    ...more,
  });

  beforeEach(async () => {
    server = await startNodeServer({ identity: pki.server, requestCert: asks });
  });
  afterEach(() => server.close());

  test.each([
    ['a response', Buffer.from('a response')],
    ['none', null],
  ])('the event comes once, before the connection is secure: %s', async (_what, staple) => {
    server.server.on('OCSPRequest', (_certificate, _issuer, answer) => answer(null, staple));
    const seen = await Promise.all(
      NAMES.map(async (name) => {
        const socket = clients[name](options(identity));
        const events = record(socket, ['OCSPResponse', 'secureConnect', 'session', 'error']);
        const response = next(socket, 'OCSPResponse');
        await next(socket, 'session');
        socket.destroy();
        return { events: events.slice(0, 3), response: await response };
      }),
    );
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]?.events).toEqual(['OCSPResponse', 'secureConnect', 'session']);
    expect(seen[0]?.response).toEqual([staple]);
  });

  test('a session that is resumed is told of as in node:tls', async () => {
    server.server.on('OCSPRequest', (_certificate, _issuer, answer) =>
      answer(null, Buffer.from('a response')),
    );
    const seen = await Promise.all(
      NAMES.map(async (name) => {
        const first = clients[name](options());
        const [session] = await next(first, 'session');
        first.destroy();
        const socket = clients[name](options({ session }));
        const responses: unknown[] = [];
        socket.on('OCSPResponse', (response) => responses.push(response));
        await next(socket, 'secureConnect');
        const reused = socket.isSessionReused();
        socket.destroy();
        return { reused, responses };
      }),
    );
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]?.reused).toBe(true);
  });

  test('nobody asks for it by default', async () => {
    let asked = 0;
    server.server.on('OCSPRequest', (_certificate, _issuer, answer) => {
      asked += 1;
      answer(null, null);
    });
    const socket = clients.ours(options({ requestOCSP: undefined }));
    const events = record(socket, ['OCSPResponse', 'secureConnect']);
    await next(socket, 'secureConnect');
    expect({ asked, events }).toEqual({ asked: 0, events: ['secureConnect'] });
    socket.destroy();
  });
});

describe('what the listener may do', () => {
  /** An OCSPResponse that says nothing but `malformedRequest` (RFC 6960, section 4.2.1). */
  const response = Buffer.from('30030a0101', 'hex');
  let folder: string;
  let file: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tcc-ocsp-'));
    file = join(folder, 'response.der');
    writeFileSync(file, response);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(VERSIONS)('%s: to destroy the socket keeps the certificate from leaving', (protocol) =>
    withSServer(
      { protocol, requestCert: 'required', args: ['-status_file', file] },
      async (far) => {
        const socket = clients.ours({ ...to(far.port, protocol), requestOCSP: true, ...identity });
        const events = record(socket, ['OCSPResponse', 'secureConnect', 'error', 'close']);
        socket.once('OCSPResponse', (bytes) => {
          expect(bytes).toEqual(response);
          socket.destroy(Object.assign(new Error('revoked'), { code: 'MINE' }));
        });
        await next(socket, 'close');
        expect(events).toEqual(['OCSPResponse', 'error MINE', 'close true']);
        await expectNothingRevealed(far);
      },
    ),
  );

  test.each(VERSIONS)('%s: it hears nothing of a server that is refused', async (version) => {
    const server = await startNodeServer({ identity: pki.untrustedServer });
    const socket = clients.ours({ ...to(server.port, version), requestOCSP: true });
    const events = record(socket, ['OCSPResponse', 'secureConnect']);
    expect((await failure(socket)).code).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(events).toEqual([]);
    await server.close();
  });
});
