/** A CertificateRequest of TLS 1.2 as large as it may be, and one byte more. */
import net from 'node:net';
import { binding } from '../../lib/binding';
import { type CertificateRequest, Connection, Credential } from '../../lib/index';
import { explain } from '../../lib/select';
import { credentialOf, within } from '../support/client';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { HANDSHAKE, vector } from '../support/records';
import { tlsRecords } from '../support/tap';

const pki = loadPki();
const RECORD = 16 * 1024;
const BOUND = 100 * 1024;
/** The list has 64 KiB (RFC 5246, section 7.4.4), and the shortest name, of nothing, takes four bytes. */
const MOST = 16_383;

const CERTIFICATE_REQUEST = 13;
const SERVER_HELLO_DONE = 14;

const ECDSA_SIGN = 64;
const ofAuthorities = (list: Buffer) =>
  Buffer.concat([
    vector(1, Buffer.of(ECDSA_SIGN)),
    vector(2, Buffer.from('0403', 'hex')),
    vector(2, list),
  ]);

/** The messages of a flight in plaintext, or nothing before it is whole. */
function messagesOf(flight: Buffer): Buffer[] | undefined {
  const all = Buffer.concat(tlsRecords(flight).map(({ body }) => body));
  const messages: Buffer[] = [];
  for (let at = 0; at + 4 <= all.length; ) {
    const end = at + 4 + all.readUIntBE(at + 1, 3);
    messages.push(all.subarray(at, end));
    at = end;
  }
  return messages.at(-1)?.[0] === SERVER_HELLO_DONE ? messages : undefined;
}

function recordsOf(messages: Buffer[]): Buffer {
  const all = Buffer.concat(messages);
  const records: Buffer[] = [];
  for (let at = 0; at < all.length; at += RECORD) {
    records.push(Buffer.of(HANDSHAKE, 3, 3), vector(2, all.subarray(at, at + RECORD)));
  }
  return Buffer.concat(records);
}

let server: NodeServer;
beforeAll(async () => {
  server = await startNodeServer({ identity: pki.server, maxVersion: 'TLSv1.2' });
});
afterAll(() => server.close());

/** A client that a real server asked, in words that were changed on their way. */
async function asked(body: Buffer, clientCertCallback = (_request: CertificateRequest) => null) {
  const connection = new Connection({
    host: 'localhost',
    ca: pki.serverCa.cert,
    clientCertCallback,
  });
  connection.handshake();
  const hello = connection.drain() as Buffer;
  const socket = net.connect(server.port, '127.0.0.1').on('error', () => {});
  const flight = new Promise<Buffer[]>((resolve) => {
    let came = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      came = Buffer.concat([came, bytes]);
      const messages = messagesOf(came);
      if (messages !== undefined) resolve(messages);
    });
  });
  socket.write(hello);
  const messages = await within('flight', flight);
  socket.destroy();
  const request = Buffer.concat([Buffer.of(CERTIFICATE_REQUEST), vector(3, body)]);
  connection.receive(
    recordsOf(messages.map((one) => (one[0] === CERTIFICATE_REQUEST ? request : one))),
  );
  return connection;
}

test('with as many authorities as fit it is looked at, and few of them are made text', async () => {
  const parsed = jest.spyOn(binding, 'parseName');
  const alice = new Credential(credentialOf(pki.clients.ec256));
  const requests: CertificateRequest[] = [];
  const connection = await asked(
    ofAuthorities(Buffer.alloc(4 * MOST, Buffer.of(0, 2, 0x30, 0))),
    (request) => {
      requests.push(request);
      return null;
    },
  );
  expect(connection.handshake().status).not.toBe('failed');
  const [request] = requests;
  if (request === undefined) throw new Error('nobody was asked');
  expect(request.certificateAuthorities).toHaveLength(MOST);
  const [told] = await explain(request, [alice]);
  expect(told?.reasons[0]?.message).toMatch(/and 16378 more\.$/);
  expect(parsed.mock.calls.length).toBeLessThan(20);
  parsed.mockRestore();
  connection.destroy();
});

test.each([
  ['of 100 KiB is read to its end, and refused', BOUND, 'ERR_SSL_LENGTH_MISMATCH'],
  ['of one byte more is refused before it is read', BOUND + 1, 'ERR_SSL_EXCESSIVE_MESSAGE_SIZE'],
])('%s', async (_what, size, code) => {
  const body = ofAuthorities(Buffer.alloc(0));
  const connection = await asked(Buffer.concat([body, Buffer.alloc(size - body.length)]));
  expect(connection.handshake()).toMatchObject({ status: 'failed', error: { code } });
  connection.destroy();
});
