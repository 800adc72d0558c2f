/** What is as large as TLS lets it be, and one more. */
import { once } from 'node:events';
import { binding } from '../../lib/binding';
import { Connection, type ConnectionOptions, Credential } from '../../lib/index';
import { explain } from '../../lib/select';
import {
  credentialOf,
  deferred,
  dial,
  endedBy,
  failure,
  hangUp,
  PROTOCOLS,
  secured,
  within,
} from '../support/client';
import { ForgingServer } from '../support/forging-server';
import { Issuer } from '../support/issue';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { bigEndian, HANDSHAKE, vector } from '../support/records';

const pki = loadPki();
const RECORD = 16 * 1024;

const extension = (type: number, content: Buffer) =>
  Buffer.concat([bigEndian(2, type), vector(2, content)]);
const message = (type: number, body: Buffer) => Buffer.concat([Buffer.of(type), vector(3, body)]);

let server: ForgingServer;
beforeAll(async () => {
  server = await ForgingServer.start({ identity: pki.server });
});
afterAll(() => server.close());

async function meet(options: ConnectionOptions) {
  const met = server.nextPeer();
  const socket = dial(server, { minVersion: 'TLSv1.3', ...options });
  await secured(socket);
  socket.resume();
  const peer = await within('peer', met);
  const inject = (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; at += RECORD) {
      peer.inject(HANDSHAKE, bytes.subarray(at, at + RECORD));
    }
  };
  return { socket, inject };
}

const BOUND = 100 * 1024;

describe('a CertificateRequest', () => {
  /** Extensions have 64 KiB (RFC 8446, section 4.3.2), and the shortest name, of nothing, takes four bytes. */
  const MOST = 16_379;
  const schemes = extension(13, vector(2, bigEndian(2, 0x0403)));
  const authorities = (count: number) =>
    extension(47, vector(2, Buffer.alloc(4 * count, Buffer.of(0, 2, 0x30, 0))));
  const request = (extensions: Buffer) =>
    message(13, Buffer.concat([vector(1, Buffer.of(1)), extensions]));

  test('with as many authorities as fit is looked at, and few of them are made text', async () => {
    const parsed = jest.spyOn(binding, 'parseName');
    const alice = new Credential(credentialOf(pki.clients.ec256));
    const asked = deferred<{ count: number; reasons: string[]; parsed: number }>();
    const { socket, inject } = await meet({
      postHandshakeAuth: true,
      clientCertCallback: async (request) => {
        const told = await explain(request, [alice, alice, alice]);
        asked.resolve({
          count: request.certificateAuthorities.length,
          reasons: told.flatMap(({ reasons }) => reasons.map(({ message }) => message)),
          parsed: parsed.mock.calls.length,
        });
        return null;
      },
    });
    inject(request(vector(2, Buffer.concat([schemes, authorities(MOST)]))));
    const seen = await within('question', asked.promise);
    expect(seen.count).toBe(MOST);
    expect(seen.reasons).toHaveLength(3);
    expect(seen.reasons[0]).toMatch(/and 16374 more\.$/);
    // Each once, and beside these the certificate's issuer.
    expect(seen.parsed).toBeLessThan(20);
    parsed.mockRestore();
    await hangUp(socket);
  });

  test.each([
    ['of 100 KiB is read to its end, and refused', BOUND, /^ERR_SSL_(?!EXCESSIVE)/],
    [
      'of one byte more is refused before it is read',
      BOUND + 1,
      /^ERR_SSL_EXCESSIVE_MESSAGE_SIZE$/,
    ],
  ])('%s', async (_what, size, code) => {
    const { socket, inject } = await meet({ postHandshakeAuth: true });
    const ended = endedBy(socket);
    const body = Buffer.concat([vector(1, Buffer.of(1)), vector(2, schemes)]);
    inject(message(13, Buffer.concat([body, Buffer.alloc(size - body.length)])));
    expect((await ended).code).toMatch(code);
  });
});

describe('a stapled OCSP response', () => {
  const stapling = async (size: number) => {
    const node = await startNodeServer({ identity: pki.server });
    node.server.on('OCSPRequest', (_certificate, _issuer, answer) =>
      answer(null, Buffer.alloc(size, 7)),
    );
    return node;
  };

  test.each([
    // One record.
    ['TLSv1.2', 16 * 1024 - 4],
    // One extension, in a list of extensions of 64 KiB (RFC 8446, section 4.4.2).
    ['TLSv1.3', 2 ** 16 - 1 - 4 - 4],
  ] as const)('of %s as long as can be, %d bytes, is handed over', async (version, size) => {
    const node = await stapling(size);
    const options = { minVersion: version, maxVersion: version, requestOCSP: true };
    const socket = dial(node, options);
    const response = once(socket, 'OCSPResponse');
    await secured(socket);
    expect(((await response)[0] as Buffer).equals(Buffer.alloc(size, 7))).toBe(true);
    await hangUp(socket);
    await node.close();
  });

  test('of one byte more is an error', async () => {
    const node = await stapling(16 * 1024 - 3);
    const socket = dial(node, { maxVersion: 'TLSv1.2', requestOCSP: true });
    expect((await failure(socket)).code).toBe('ERR_SSL_EXCESSIVE_MESSAGE_SIZE');
    await node.close();
  });
});

describe('a ticket', () => {
  const newSessionTicket = (ticket: Buffer) =>
    message(
      4,
      // Lifetime in seconds, what is added to its age, nonce, ticket, extensions.
      Buffer.concat([
        ...[bigEndian(4, 7200), bigEndian(4, 0), vector(1, Buffer.of(1))],
        ...[vector(2, ticket), vector(2, Buffer.alloc(0))],
      ]),
    );

  /** The session that comes with such a ticket. */
  const sessionWith = async (ticket: Buffer) => {
    const { socket, inject } = await meet({});
    const long = deferred<Buffer>();
    socket.on('session', (session: Buffer) => session.includes(ticket) && long.resolve(session));
    inject(newSessionTicket(ticket));
    const session = await within('session', long.promise);
    await hangUp(socket);
    return session;
  };

  test.each([
    [32 * 1024, true],
    [32 * 1024 + 1, false],
    [2 ** 16 - 1, false],
  ])('of %d bytes is told of, and offered: %p', async (size, offered) => {
    const ticket = Buffer.alloc(size, 7);
    const session = await sessionWith(ticket);
    const connection = new Connection({ host: 'localhost', ca: pki.serverCa.cert, session });
    connection.handshake();
    const hello = connection.drain() as Buffer;
    // In records of 16 KiB.
    expect(hello.includes(ticket.subarray(0, 16_000))).toBe(offered);
    // Beside it there may be a key share of some thousand bytes.
    expect(hello.length).toBeLessThan(offered ? size + 4096 : 4096);
    connection.destroy();
  });

  test('that is not offered costs a full handshake, and no connection', async () => {
    const session = await sessionWith(Buffer.alloc(2 ** 16 - 1, 7));
    const node = await startNodeServer({ identity: pki.server });
    const next = await secured(dial(node, { session }));
    expect(next.isSessionReused()).toBe(false);
    await hangUp(next);
    await node.close();
  });

  test.each(PROTOCOLS)('of %s that is long is resumed', async (version) => {
    const issuer = await Issuer.create();
    // In it the server keeps the client's certificate.
    const extensions = [`nsComment = ${'long '.repeat(6000)}`];
    const client = await issuer.issue({ name: 'long', issuer: pki.clientCaA, extensions });
    await issuer.remove();
    const node = await startNodeServer({ identity: pki.server });
    const options = { ...credentialOf(client), minVersion: version, maxVersion: version };
    const first = dial(node, options);
    const [session] = (await within('session', once(first, 'session'))) as [Buffer];
    expect(session.length).toBeGreaterThan(28_000);
    await hangUp(first);
    const second = await secured(dial(node, { ...options, session }));
    expect(second.isSessionReused()).toBe(true);
    expect(second.clientAuth.status).toBe('resumed');
    expect((await node.sawClient(2)).subject).toContain('CN=long');
    await hangUp(second);
    await node.close();
  });
});
