/** Node's own `https` server, which asks for a client certificate and answers with what it saw. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { registerLeftover } from './leftovers';
import { loadPki } from './pki';

/** What the server answers every path with, as JSON. */
export interface Report {
  readonly path: string;
  /** Common name of the client's certificate; `null`: it showed none. */
  readonly client: string | null;
  /** Whether the connection resumed a session. */
  readonly reused: boolean;
  /** Of the connection, from 1. */
  readonly connection: number;
  /** The name that the client sent. */
  readonly servername: string | false;
}

type Handler = (request: IncomingMessage, response: ServerResponse, report: Report) => void;

export interface HttpsServerOptions extends TlsOptions {
  readonly handler?: Handler;
  /** Speak HTTP/2 alone. */
  readonly http2?: boolean;
  readonly keepAliveTimeout?: number;
  readonly port?: number;
}

export interface HttpsServer {
  readonly server: https.Server;
  readonly port: number;
  readonly url: string;
  /** All that were secured, those that are closed included. */
  readonly sockets: TLSSocket[];
  close(): Promise<void>;
}

export async function startHttpsServer(options: HttpsServerOptions = {}): Promise<HttpsServer> {
  const { handler = reply, http2 = false, port: fixed = 0, keepAliveTimeout, ...tls } = options;
  const pki = loadPki();
  const all = {
    cert: pki.server.cert,
    key: pki.server.key,
    requestCert: true,
    // It says whom it saw, and a test what that should be.
    rejectUnauthorized: false,
    ca: pki.clientCaA.cert,
    ...tls,
  };
  const server = (http2 ? createSecureServer(all) : https.createServer(all)) as https.Server;
  const sockets: TLSSocket[] = [];
  const raw = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    raw.add(socket);
    socket.once('close', () => raw.delete(socket));
  });
  const numbers = new WeakMap<object, number>();
  server.on('secureConnection', (socket: TLSSocket) => {
    numbers.set(socket, sockets.push(socket));
    socket.on('error', () => {});
  });
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const stream = (request as { stream?: { session: { socket: TLSSocket } } }).stream;
    const socket = stream?.session.socket ?? (request.socket as TLSSocket);
    // HTTP/2 shows a proxy of its socket.
    const number = numbers.get(socket) ?? sockets.findIndex(sameAs(socket)) + 1;
    handler(request, response, {
      path: request.url ?? '',
      client: String(socket.getPeerCertificate()?.subject?.CN ?? '') || null,
      reused: socket.isSessionReused(),
      connection: number,
      servername: (socket as { servername?: string | false }).servername ?? false,
    });
  });
  if (keepAliveTimeout !== undefined) server.keepAliveTimeout = keepAliveTimeout;
  await once(server.listen(fixed, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    forget();
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of raw) socket.destroy();
    await closed;
  };
  const forget = registerLeftover(close);
  return { server, port, url: `https://localhost:${port}/`, sockets, close };
}

const sameAs = (socket: TLSSocket) => (other: TLSSocket) =>
  other.remotePort === socket.remotePort && !other.destroyed;

/** The answer by default. */
export function reply(_request: IncomingMessage, response: ServerResponse, report: Report): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(report));
}
