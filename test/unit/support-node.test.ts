/** The in-process server, the tap and the pair prove themselves on node:tls. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { nodeTellsReceivedChains, startNodeServer } from '../support/node-server';
import { createPair } from '../support/pair';
import { loadPki } from '../support/pki';
import { startTap, tlsRecords } from '../support/tap';

const pki = loadPki();

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('the Node server, %s', (protocol) => {
  const only = { minVersion: protocol, maxVersion: protocol } as const;

  test('remembers subject, received chain and verdict of each connection', async () => {
    const server = await startNodeServer({
      identity: pki.server,
      ca: pki.clientCaA.cert,
      ALPNProtocols: ['h2', 'other'],
    });
    const socket = tlsConnect({
      ...only,
      port: server.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ALPNProtocols: ['other'],
      ca: pki.serverCa.cert,
      cert: pki.deepClient.cert + pki.deepClient.chain,
      key: pki.deepClient.key,
    });
    const seen = await server.sawClient();
    expect(seen.subject?.split('\n').reverse().join(',')).toBe(pki.deepClient.subject);
    expect(seen).toMatchObject({
      chainLength: nodeTellsReceivedChains ? 3 : 1,
      authorized: true,
      authorizationError: undefined,
      protocol,
      servername: 'localhost',
      alpnProtocol: 'other',
      resumed: false,
    });
    socket.write('hello');
    const [echoed] = await once(socket, 'data');
    expect(String(echoed)).toBe('hello');
    socket.destroy();

    const stranger = tlsConnect({
      ...only,
      port: server.port,
      ca: pki.serverCa.cert,
      cert: pki.clientB.cert,
      key: pki.clientB.key,
    });
    const second = await server.sawClient(2);
    expect(second).toMatchObject({ chainLength: 1, authorized: false });
    expect(second.authorizationError).toMatch(/^UNABLE_TO_/);
    stranger.destroy();
    await server.close();
    expect(server.openSockets).toBe(0);
  });

  test('sees a client without a certificate as nobody', async () => {
    const server = await startNodeServer({ identity: pki.server });
    const socket = tlsConnect({ ...only, port: server.port, ca: pki.serverCa.cert });
    expect(await server.sawClient()).toMatchObject({ subject: undefined, chainLength: 0 });
    socket.destroy();
    await server.close();
  });

  test('close() cuts the connections that are still open', async () => {
    const server = await startNodeServer({ identity: pki.server });
    const socket = tlsConnect({ ...only, port: server.port, ca: pki.serverCa.cert });
    socket.on('error', () => {});
    await server.sawClient();
    const closed = once(socket, 'close');
    await server.close();
    socket.destroy();
    await closed;
  });

  test('the tap shows a certificate in the clear on TLS 1.2 only', async () => {
    const server = await startNodeServer({ identity: pki.server });
    const tap = await startTap(server.port);
    const { cert, key } = pki.clients.ec256;
    const socket = tlsConnect({ ...only, port: tap.port, ca: pki.serverCa.cert, cert, key });
    await Promise.all([server.sawClient(), once(socket, 'secureConnect')]);
    const shown = tap.fromClient.includes(new X509Certificate(cert).raw);
    expect(shown).toBe(protocol === 'TLSv1.2');
    expect(tlsRecords(tap.fromClient)[0]?.type).toBe('handshake');
    expect(tlsRecords(tap.fromServer)[0]?.type).toBe('handshake');
    const closed = once(socket, 'close');
    socket.on('error', () => {});
    tap.cut();
    await closed;
    await tap.close();
    await server.close();
  });
});

describe('the pair', () => {
  // Not `for await`, which destroys the stream behind it.
  const readAll = async (stream: Duplex) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(stream, 'end');
    return Buffer.concat(chunks);
  };

  test('carries bytes both ways and half-closes', async () => {
    const { client, server } = createPair();
    client.end('ping');
    expect(String(await readAll(server))).toBe('ping');
    server.end('pong');
    expect(String(await readAll(client))).toBe('pong');
    expect(String(client.sent)).toBe('ping');
  });

  test('holds the writer back until the reader reads', async () => {
    const { client, server } = createPair({ highWaterMark: 10 });
    let written = 0;
    for (let count = 0; count < 3; count += 1) {
      client.write(Buffer.alloc(10), () => {
        written += 1;
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(written).toBe(0);
    client.end();
    expect(await readAll(server)).toHaveLength(30);
    expect(written).toBe(3);
  });

  test('destroying one end ends the other, and a write to it fails', async () => {
    const { client, server } = createPair();
    client.write('last words');
    client.destroy();
    expect(String(await readAll(server))).toBe('last words');
    const failure = once(server, 'error');
    server.write('too late');
    expect((await failure)[0]).toMatchObject({ code: 'EPIPE' });
  });

  test('carries a whole TLS handshake', async () => {
    const { client, server } = createPair();
    const nodeServer = await startNodeServer({ identity: pki.server });
    // A tls.Server takes any Duplex as a connection.
    nodeServer.server.emit('connection', server);
    const { cert, key } = pki.clients.rsa;
    const socket = tlsConnect({
      socket: client,
      ca: pki.serverCa.cert,
      cert,
      key,
      servername: 'localhost',
    });
    await once(socket, 'secureConnect');
    expect((await nodeServer.sawClient()).chainLength).toBe(1);
    expect(tlsRecords(client.sent).length).toBeGreaterThan(1);
    socket.destroy();
    await nodeServer.close();
  });
});
