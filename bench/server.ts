/** The server's process: Node's own tls server, TLS 1.3 only, which demands a client certificate. */
import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import type { Credentials, Ports } from './messages';
import { PARAMETERS } from './parameters';

/** What a client gets to read: the proof that its certificate was accepted. */
const GREETING = '!';

function optionsOf(keys: Credentials) {
  return {
    key: keys.serverKey,
    cert: keys.serverCert,
    ca: keys.clientCa,
    requestCert: true,
    rejectUnauthorized: true,
    ...PARAMETERS,
    // Suspended handshakes are kept for as long as the benchmark takes.
    handshakeTimeout: 600_000,
  } as const;
}

async function listen(keys: Credentials, onClient: (socket: TLSSocket) => void): Promise<number> {
  const server = createServer(optionsOf(keys));
  server.on('secureConnection', (socket) => {
    socket.on('error', () => {});
    onClient(socket);
  });
  return portOf(server);
}

async function portOf(server: Server): Promise<number> {
  // Many clients arrive at once.
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function listenForHttp(keys: Credentials): Promise<number> {
  const body = Buffer.alloc(1024, 'body');
  const server = https.createServer(
    { ...optionsOf(keys), keepAliveTimeout: 600_000 },
    (_, response) => {
      response.setHeader('content-length', body.length).end(body);
    },
  );
  return portOf(server);
}

/** Behind a first line, which tells the C server the size of the messages. */
function echo(socket: TLSSocket): void {
  socket.once('data', (first: Buffer) => {
    socket.write(first.subarray(first.indexOf('\n') + 1));
    socket.on('data', (message: Buffer) => socket.write(message));
  });
}

process.once('message', async (keys: Credentials) => {
  const ports: Ports = {
    // Not within the event: Node's server would leave out the close_notify alert then.
    greeting: await listen(keys, (socket) => setImmediate(() => socket.end(GREETING))),
    silent: await listen(keys, (socket) => socket.resume()),
    echo: await listen(keys, echo),
    https: await listenForHttp(keys),
  };
  process.send?.(ports);
});
process.once('disconnect', () => process.exit());
