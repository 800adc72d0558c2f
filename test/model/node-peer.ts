/** A node:tls server as the peer: asks in the handshake, and on TLS 1.2 by renegotiation. */
import { constants } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { registerLeftover } from '../support/leftovers';
import { loadPki } from '../support/pki';
import { patternAt } from './pattern';
import { type Peer, Seen } from './peer';

export class NodePeer implements Peer {
  changed: () => void = () => {};
  readonly #seen = new Seen();
  #socket: TLSSocket | undefined;
  #waiting: ((socket: TLSSocket) => void)[] = [];
  #asks: boolean;
  /** The client's last Finished message: each handshake has its own. */
  #finished: string | undefined;
  readonly #server: Server;
  #plain: Socket | undefined;
  readonly #forget = registerLeftover(() => this.stop());

  private constructor(asksFirst: boolean) {
    const { server, clientCaA } = loadPki();
    this.#asks = asksFirst;
    this.#server = createServer({
      cert: server.cert,
      key: server.key,
      ca: clientCaA.cert,
      requestCert: asksFirst,
      rejectUnauthorized: false,
      allowHalfOpen: true,
      // What is resumed asks nothing.
      secureOptions: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
    });
    this.#server.on('connection', (socket) => {
      this.#plain = socket;
    });
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      this.#failed(error);
      socket.destroy();
    });
    this.#server.on('secureConnection', (socket) => this.#secured(socket));
  }

  static async start(asksFirst: boolean): Promise<NodePeer> {
    const peer = new NodePeer(asksFirst);
    peer.#server.listen(0, '127.0.0.1');
    await once(peer.#server, 'listening');
    return peer;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  expect(): Seen {
    return this.#seen;
  }

  #failed(error: NodeJS.ErrnoException): void {
    this.#seen.failure ??= error.code ?? error.message;
    this.#seen.gone = true;
    this.changed();
  }

  #secured(socket: TLSSocket): void {
    const seen = this.#seen;
    this.#socket = socket;
    seen.secured = true;
    this.#look(socket, seen);
    socket.on('secure', () => this.#look(socket, seen));
    socket.on('data', (chunk: Buffer) => {
      seen.take(chunk);
      this.changed();
    });
    socket.on('end', () => {
      seen.ended = true;
      this.changed();
    });
    socket.on('error', (error) => this.#failed(error));
    socket.on('close', () => {
      seen.gone = true;
      this.changed();
    });
    // Node's server sends no close_notify when it is ended from within this event.
    setImmediate(() => {
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const step of waiting) step(socket);
    });
    this.changed();
  }

  #look(socket: TLSSocket, seen: Seen): void {
    // Node tells of a handshake's end also where only a HelloRequest was sent.
    const finished = socket.getPeerFinished()?.toString('hex');
    if (finished === this.#finished) return;
    this.#finished = finished;
    if (!this.#asks) return;
    seen.shown.push(String(socket.getPeerCertificate()?.subject?.CN ?? 'nobody'));
    this.changed();
  }

  #soon(step: (socket: TLSSocket) => void): void {
    if (this.#socket === undefined || this.#waiting.length > 0) this.#waiting.push(step);
    else step(this.#socket);
  }

  write(size: number): void {
    const seen = this.#seen;
    this.#soon((socket) => {
      if (!socket.writable || seen.closing) return;
      socket.write(patternAt(seen.sent, size));
      seen.sent += size;
    });
  }

  ask(): void {
    this.#soon((socket) => {
      if (socket.getProtocol() !== 'TLSv1.2' || !socket.writable) return;
      // Those under way were not asked.
      if (!this.#asks) this.#seen.unsure = true;
      this.#asks = true;
      socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, () => this.changed());
    });
  }

  end(): void {
    const seen = this.#seen;
    this.#soon((socket) => {
      seen.closing = true;
      socket.end();
    });
  }

  stall(): void {
    this.#soon((socket) => socket.pause());
  }

  flow(): void {
    this.#soon((socket) => socket.resume());
  }

  async sync(): Promise<void> {}

  /** It has no further connection: what comes late, comes to nobody. */
  async hangUp(): Promise<void> {
    await this.stop();
  }

  async stop(): Promise<void> {
    this.#forget();
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#socket?.destroy();
    this.#plain?.destroy();
    await closed;
  }
}
