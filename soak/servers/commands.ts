/** A node:tls server that does what its client's first line says. */
import { constants, createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { bodyOf } from '../bodies';
import { fingerprint, NOBODY } from '../messages';
import { portOf } from './listen';

/** Whom the server sees. */
export function whoIs(socket: TLSSocket): string {
  const seen = socket.getPeerX509Certificate();
  return seen === undefined ? NOBODY : fingerprint(seen.fingerprint256);
}

type Command = (peer: Peer, size: number) => void;

interface Peer {
  readonly socket: TLSSocket;
  /** What the client sent behind its line. */
  readonly ahead: Buffer;
  /** By TCP, without a word of TLS. */
  reset(): void;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  who: ({ socket }) => socket.write(`${whoIs(socket)}\n`),
  /** Takes so many bytes, and says what they were. */
  sink: (peer, size) => {
    const digest = createHash('sha256');
    let left = size;
    hear(peer, (chunk) => {
      digest.update(chunk);
      left -= chunk.length;
      if (left === 0) peer.socket.write(`${whoIs(peer.socket)} ${digest.digest('hex')}\n`);
    });
  },
  /** Takes what comes until the client has ended its side, and answers then. */
  drain: (peer) => {
    const digest = createHash('sha256');
    hear(peer, (chunk) => digest.update(chunk));
    peer.socket.on('end', () => peer.socket.end(`${whoIs(peer.socket)} ${digest.digest('hex')}\n`));
  },
  source: ({ socket }, size) => {
    socket.write(`${whoIs(socket)}\n`);
    socket.end(bodyOf(size).bytes);
  },
  renegotiate: ({ socket }) => {
    socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, (error) => {
      if (error === null) socket.write(`${whoIs(socket)}\n`);
      else socket.destroy();
    });
  },
  /** Resets behind so many bytes, when they have left. */
  reset: ({ socket, reset }, size) => socket.write(bodyOf(size).bytes, () => reset()),
};

function hear({ socket, ahead }: Peer, on: (chunk: Buffer) => void): void {
  if (ahead.length > 0) on(ahead);
  socket.on('data', on);
}

export async function listenForCommands(options: TlsOptions): Promise<number> {
  const server = createServer({
    ...options,
    // A renegotiation is to ask.
    secureOptions: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
  });
  // Below TLS, where a connection is reset; by the client's port.
  const raw = new Map<number | undefined, Socket>();
  server.on('connection', (socket: Socket) => {
    const { remotePort } = socket;
    raw.set(remotePort, socket);
    socket.once('close', () => raw.get(remotePort) === socket && raw.delete(remotePort));
  });
  server.on('secureConnection', (socket: TLSSocket) => {
    const { remotePort } = socket;
    socket.on('error', () => {});
    socket.setNoDelay(true);
    // A client ends its side, and hears the rest. One that leaves in the handshake is gone: with the
    // server's own option its descriptor would be kept.
    socket.allowHalfOpen = true;
    socket.once('data', (first: Buffer) => {
      const end = first.indexOf(10);
      const [name = '', size] = String(first.subarray(0, end)).split(' ');
      const peer = {
        socket,
        ahead: first.subarray(end + 1),
        reset: () => raw.get(remotePort)?.resetAndDestroy(),
      };
      COMMANDS[name]?.(peer, Number(size));
      // Those who say nothing behind their line end it when they have heard.
      socket.on('end', () => socket.end()).resume();
    });
  });
  return portOf(server);
}
