/** A server that asks and asks after the handshake and reads no answer does not fill our memory. */
import type { AnyError } from '../support/client';
import { dial, endedBy, hangUp, secured, within } from '../support/client';
import { ForgingServer } from '../support/forging-server';
import { KEPT_FREED } from '../support/kept-freed';
import { loadPki } from '../support/pki';
import { certificateRequest, HANDSHAKE } from '../support/records';

const pki = loadPki();
const { cert, key } = pki.clients.ec256;
/** So that each answer is large. */
const credential = { cert, key, chain: Array.from({ length: 40 }, () => pki.clientCaA.cert) };
/** What both kernels keep for a connection, and what is ours: below the answers to all requests. */
const BOUND = 16 * 1024 * 1024;
const REQUESTS = 3000;

let server: ForgingServer;
beforeAll(async () => {
  server = await ForgingServer.start({
    identity: pki.server,
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: false,
  });
});
afterAll(() => server.close());

async function flooded(transport: 'auto' | 'stream') {
  const met = server.nextPeer();
  const socket = dial(server, { credential, postHandshakeAuth: true, transport });
  const ended: Promise<AnyError> = endedBy(socket);
  await secured(socket);
  const peer = await within('peer', met);
  peer.deaf();
  let asked = 0;
  let over = false;
  void ended.then(() => {
    over = true;
  });
  while (!over && asked < REQUESTS) {
    for (let i = 0; i < 20; i++)
      peer.inject(HANDSHAKE, certificateRequest(Buffer.of(asked++ & 255)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { ended, asked, socket };
}

test.each(['auto', 'stream'] as const)(
  'over %s: the connection is given up, and says why',
  async (transport) => {
    const before = process.memoryUsage().rss;
    const { ended, socket } = await flooded(transport);
    const error = await ended;
    expect({ code: error.code, reason: error.reason }).toEqual({
      code: 'ERR_TLS_SESSION_ATTACK',
      reason: 'answers-unread',
    });
    expect(error.message).toContain('does not read');
    expect(process.memoryUsage().rss - before).toBeLessThan(4 * BOUND + KEPT_FREED);
    await hangUp(socket);
  },
);
