import https from 'node:https';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { whoIs } from './commands';
import { portOf } from './listen';

/** So many requests go over one connection, then it is closed. */
const REQUESTS_EACH = 20;

/** Answers each request with the fingerprint of its client, and the length of what was posted. */
export function listenForRequests(options: TlsOptions): Promise<number> {
  const server = https.createServer({ ...options, keepAlive: true }, (request, response) => {
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
    });
    request.on('end', () => response.end(`${whoIs(request.socket as TLSSocket)} ${size}`));
  });
  server.maxRequestsPerSocket = REQUESTS_EACH;
  // The client decides when it is over, so that no request meets a connection that is being closed.
  server.keepAliveTimeout = 600_000;
  return portOf(server);
}
