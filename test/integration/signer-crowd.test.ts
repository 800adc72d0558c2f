/** A thousand connections whose signatures are awaited at the same time, in one thread. */
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { Credential, connect, createSecureContext, type TLSSocket } from '../../lib/index';
import { expectIdentity, hangUp, PROTOCOLS, secured, within, withSServer } from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { heldSigner, signedBy, signerOf } from '../support/signers';

const pki = loadPki();
const identity = pki.clients.ec256;
const ca = pki.serverCa.cert;

/** Threads of this process; undefined where there is no /proc. */
function threads(): number | undefined {
  try {
    return Number(/^Threads:\s*(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}

test.each([
  ['TLSv1.3', 1_000],
  ['TLSv1.2', 200],
] as const)(
  '%s: %i at once',
  async (protocol, count) => {
    const server = await startNodeServer({
      identity: pki.server,
      ca: [pki.clientCaA.cert],
      maxVersion: protocol,
      onConnection: () => {},
    });
    const key = heldSigner(identity);
    const credential = new Credential(signedBy(identity, key));
    const secureContext = createSecureContext({ ca, clientCertCallback: () => credential });
    const before = threads();
    const sockets: TLSSocket[] = [];
    const failed: Error[] = [];
    const order: TLSSocket[] = [];
    for (let i = 0; i < count; i += 1) {
      const socket = connect({
        ...{ port: server.port, host: '127.0.0.1', servername: 'localhost', secureContext },
        clientCertTimeout: 0,
      });
      socket.on('error', (error) => failed.push(error));
      socket.once('secureConnect', () => order.push(socket));
      sockets.push(socket);
    }
    while (key.asked.length < count && failed.length === 0) await setImmediate();
    expect(failed).toEqual([]);
    expect(sockets.filter((it) => it.clientAuth.status === 'pending')).toHaveLength(count);
    expect(server.connections).toEqual([]);
    // Whoever waits holds no thread. What else is in this process may start some, libuv's pool for one.
    if (before !== undefined) expect((threads() ?? 0) - before).toBeLessThan(count / 4);

    // Nor does it hold up anybody else.
    await withSServer({ requestCert: 'required' }, async (other) => {
      const answer = signedBy(identity, signerOf(identity));
      const socket = await secured(connectTo(other.port, () => answer));
      await expectIdentity(other, identity);
      await hangUp(socket);
    });
    for (let turn = 0; turn < 100; turn += 1) await setImmediate();
    expect(order).toEqual([]);

    // The last to ask is the first to be signed.
    for (const call of [...key.asked].reverse()) {
      call.give();
      await setImmediate();
    }
    const all = async () => {
      while (order.length < count && failed.length === 0) await setImmediate();
    };
    await within('all connections', all(), 15_000);
    expect(failed).toEqual([]);
    expect(key.asked).toHaveLength(count);
    await server.sawClient(count, 15_000);
    const seen = server.connections.map(({ authorized, subject }) => `${authorized} ${subject}`);
    expect(new Set(seen)).toEqual(new Set(['true O=tls-client-cert tests\nCN=client ec256']));
    expect(sockets.filter((it) => it.clientAuth.status !== 'sent')).toEqual([]);
    for (const socket of sockets) socket.destroy();
    await server.close();
  },
  60_000,
);

function connectTo(port: number, clientCertCallback: () => ReturnType<typeof signedBy>) {
  return connect({ port, host: '127.0.0.1', servername: 'localhost', ca, clientCertCallback });
}

test.each(PROTOCOLS)('%s: many signers that sign at once', async (protocol) => {
  const server = await startNodeServer({ identity: pki.server, maxVersion: protocol });
  const answers = ['rsa', 'ec256', 'ec384', 'ed25519'] as const;
  await Promise.all(
    Array.from({ length: 100 }, async (_, i) => {
      const it = pki.clients[answers[i % answers.length] as (typeof answers)[number]];
      const socket = connectTo(server.port, () => signedBy(it, signerOf(it)));
      // They wait for one another, and on a busy machine the last for long.
      await secured(socket, 15_000);
      expect(socket.clientAuth).toMatchObject({ credential: { subject: it.subject } });
      await hangUp(socket);
    }),
  );
  await server.close();
});
