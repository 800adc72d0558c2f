/** Nobody on the way can make the two speak an older version, or another protocol, than they both would. */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { dial, failure, hangUp, secured } from '../support/client';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';

const pki = loadPki();
const SUPPORTED_VERSIONS = 43;
/** What RFC 8701 keeps free: a server passes over it. */
const GREASE = 0x7a7a;

/** Changes the first of what the client sends. */
async function startRewriting(target: number, rewrite: (hello: Buffer) => Buffer) {
  const sockets = new Set<net.Socket>();
  const proxy = net.createServer((client) => {
    const server = net.connect(target, '127.0.0.1');
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
    }
    client.once('data', (hello) => {
      server.write(rewrite(hello));
      client.pipe(server);
    });
    server.pipe(client);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as AddressInfo;
  const close = () => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  };
  return { port, close };
}

/** The ClientHello as of a client that knows no TLS 1.3. */
function withoutVersions(hello: Buffer): Buffer {
  const changed = Buffer.from(hello);
  let at = 5 + 4 + 2 + 32;
  at += 1 + changed.readUInt8(at);
  at += 2 + changed.readUInt16BE(at);
  at += 1 + changed.readUInt8(at);
  const end = at + 2 + changed.readUInt16BE(at);
  for (at += 2; at < end; at += 4 + changed.readUInt16BE(at + 2)) {
    if (changed.readUInt16BE(at) === SUPPORTED_VERSIONS) changed.writeUInt16BE(GREASE, at);
  }
  return changed;
}

let server: NodeServer;
beforeAll(async () => {
  server = await startNodeServer({ identity: pki.server, ALPNProtocols: ['good'] });
});
afterAll(() => server.close());

test('a proxy that strikes TLS 1.3 out is found out by the sentinel of RFC 8446, section 4.1.3', async () => {
  const proxy = await startRewriting(server.port, withoutVersions);
  const asked = jest.fn();
  const error = await failure(dial(proxy, { clientCertCallback: asked }));
  expect(error).toMatchObject({ code: 'ERR_SSL_INAPPROPRIATE_FALLBACK' });
  expect(asked).not.toHaveBeenCalled();
  proxy.close();
});

test('the proxy alone is not what fails: it is passed when it changes nothing, or TLS 1.2 is all there is', async () => {
  const honest = await startRewriting(server.port, (hello) => hello);
  const socket = await secured(dial(honest));
  expect(socket.getProtocol()).toBe('TLSv1.3');
  await hangUp(socket);
  honest.close();
  const old = await secured(dial(server, { maxVersion: 'TLSv1.2' }));
  expect(old.getProtocol()).toBe('TLSv1.2');
  await hangUp(old);
});

test.each([
  ['TLSv1.2', 'TLSv1.3', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'],
  ['TLSv1.3', 'TLSv1.2', 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'],
] as const)(
  'a server of %s only is no server to a client of %s only',
  async (theirs, ours, code) => {
    const only = await startNodeServer({
      identity: pki.server,
      minVersion: theirs,
      maxVersion: theirs,
    });
    const error = await failure(dial(only, { minVersion: ours, maxVersion: ours }));
    expect(error.code).toBe(code);
    await only.close();
  },
);

test('versions below the defaults are not offered', async () => {
  const { port, close } = await startRewriting(server.port, (hello) => {
    expect(hello.subarray(0, 2)).toEqual(Buffer.of(22, 3));
    const text = hello.toString('hex');
    // supported_versions: 1.3 and 1.2, nothing else.
    expect(text).toContain('002b00050403040303');
    return hello;
  });
  await hangUp(await secured(dial({ port })));
  close();
});

test('protocols of which the server has none are an alert, and no connection', async () => {
  const error = await failure(dial(server, { ALPNProtocols: ['other'] }));
  expect(error.code).toBe('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
});
