/** An in-process Node `tls` server that remembers what each connection saw of its client. */
import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import { registerLeftover } from './leftovers';
import type { Identity } from './pki';
import { Waiting } from './waiting';

export interface NodeServerOptions extends Omit<TlsOptions, 'cert' | 'key'> {
  readonly identity: Pick<Identity, 'cert' | 'key'>;
  /** Runs for each connection once its handshake is done; default: echo. */
  readonly onConnection?: (socket: TLSSocket) => void;
}

/** What the server saw of the client in one completed handshake. */
export interface SeenConnection {
  readonly socket: TLSSocket;
  /** Node's form, one `K=V` a line; undefined when the client sent no certificate. */
  readonly subject: string | undefined;
  /** What the client sent, leaf first, as far as it signs one another; `nodeTellsReceivedChains`. */
  readonly chain: readonly X509Certificate[];
  readonly chainLength: number;
  /** Whether the client's chain leads to the server's `ca`. */
  readonly authorized: boolean;
  /** OpenSSL's code, such as `DEPTH_ZERO_SELF_SIGNED_CERT`. */
  readonly authorizationError: string | undefined;
  readonly protocol: string | null;
  readonly cipher: string;
  /** Server Name Indication that the client sent. */
  readonly servername: string | undefined;
  readonly alpnProtocol: string | undefined;
  readonly resumed: boolean;
}

/**
 * Listens on a free port of 127.0.0.1. It asks for a client certificate but refuses nobody
 * (`requestCert: true`, `rejectUnauthorized: false`) unless the options say otherwise.
 */
export async function startNodeServer(options: NodeServerOptions): Promise<NodeServer> {
  const { identity, onConnection = echo, ...tlsOptions } = options;
  const server = createServer({
    requestCert: true,
    rejectUnauthorized: false,
    ...tlsOptions,
    cert: identity.cert,
    key: identity.key,
  });
  const node = new NodeServer(server, onConnection);
  // Where many come at once, the kernel gives up those that wait too long for a place in a queue of 511.
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  return node;
}

function echo(socket: TLSSocket): void {
  socket.pipe(socket);
}

export class NodeServer {
  readonly server: Server;
  /** What each completed handshake showed, oldest first. */
  readonly connections: SeenConnection[] = [];
  /** Handshakes that failed on the server's side. */
  readonly handshakeErrors: Error[] = [];
  readonly #forget = registerLeftover(() => this.close());
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Waiting((why) => {
    const errors = this.handshakeErrors.map((error) => error.message).join('; ') || 'none';
    return new Error(`node server: ${why}; failed handshakes: ${errors}`);
  });

  /** @internal Use `startNodeServer`. */
  constructor(server: Server, onConnection: (socket: TLSSocket) => void) {
    this.server = server;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('tlsClientError', (error) => {
      this.handshakeErrors.push(error);
      this.#waiting.changed();
    });
    server.on('secureConnection', (socket) => {
      // A client that vanishes is an everyday event here; tests look at the client's side.
      socket.on('error', () => {});
      this.connections.push(describe(socket));
      this.#waiting.changed();
      onConnection(socket);
    });
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** TCP connections that are open now. */
  get openSockets(): number {
    return this.#sockets.size;
  }

  /** What the `nth` completed handshake showed, the first by default. */
  sawClient(nth = 1, ms?: number): Promise<SeenConnection> {
    return this.#waiting.until(`handshake ${nth}`, () => this.connections[nth - 1], ms);
  }

  /** The `nth` handshake that failed on the server's side. */
  sawHandshakeError(nth = 1, ms?: number): Promise<Error> {
    return this.#waiting.until(`failed handshake ${nth}`, () => this.handshakeErrors[nth - 1], ms);
  }

  /** Cuts every connection, as a server does that has lost its patience. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Cuts every connection and resolves when the port is free. */
  async close(): Promise<void> {
    this.#forget();
    if (!this.server.listening) return;
    const closed = once(this.server, 'close');
    this.server.close();
    // The server's own 'close' comes before that of its last sockets.
    const gone = [...this.#sockets].map(
      (socket) => new Promise<void>((resolve) => socket.destroy().once('close', () => resolve())),
    );
    await Promise.all([closed, ...gone]);
  }
}

/**
 * False where Node tells a server only the leaf of a client's chain (seen on 24.21.0: nothing
 * has an `issuerCertificate`). There `authorized` or a real `s_server` tells about the rest.
 */
export const nodeTellsReceivedChains = !process.version.startsWith('v24.');

function receivedChain(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  // getPeerCertificate(true) adds issuers from the server's own store; this shows only what came.
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined) {
    chain.push(certificate);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

function describe(socket: TLSSocket): SeenConnection {
  const chain = receivedChain(socket);
  return {
    socket,
    subject: chain[0]?.subject,
    chain,
    chainLength: chain.length,
    authorized: socket.authorized,
    // Node types it as an Error and sets the code's text.
    authorizationError: socket.authorizationError ? String(socket.authorizationError) : undefined,
    protocol: socket.getProtocol(),
    cipher: socket.getCipher().name,
    servername: (socket as { servername?: string | false }).servername || undefined,
    alpnProtocol: socket.alpnProtocol || undefined,
    resumed: socket.isSessionReused(),
  };
}
