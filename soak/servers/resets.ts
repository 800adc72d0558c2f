/** Servers that are gone before the handshake is done. */
import { createServer, type Socket } from 'node:net';
import tls, { type TLSSocket, type TlsOptions } from 'node:tls';
import { portOf } from './listen';

/** How long a client has to hear the question before it is left alone with it, in ms. */
const HEARING = 5;

/** Resets when the first bytes have come. */
export function resetHellos(): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', () => socket.resetAndDestroy());
  });
  return portOf(server);
}

/** Resets when its request has left; that is TLS 1.3, where keys are logged by then. */
export function resetQuestions(options: TlsOptions): Promise<number> {
  const server = tls.createServer({ ...options, minVersion: 'TLSv1.3' });
  const raw = new Map<number | undefined, Socket>();
  server.on('connection', (socket: Socket) => {
    const { remotePort } = socket;
    raw.set(remotePort, socket);
    socket.once('close', () => raw.get(remotePort) === socket && raw.delete(remotePort));
  });
  server.on('keylog', (line: Buffer, { remotePort }: TLSSocket) => {
    if (!line.toString('latin1', 0, 23).startsWith('SERVER_TRAFFIC_SECRET_0')) return;
    setTimeout(() => raw.get(remotePort)?.resetAndDestroy(), HEARING);
  });
  server.on('secureConnection', (socket: TLSSocket) => socket.on('error', () => {}));
  return portOf(server);
}
