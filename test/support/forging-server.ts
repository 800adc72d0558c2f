/**
 * A node:tls server among whose records others can be put, which no server can be talked into: a
 * second request before the first is answered, an alert in the middle of a handshake.
 */
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import tls, { type TLSSocket, type TlsOptions } from 'node:tls';
import { registerLeftover } from './leftovers';
import type { Identity } from './pki';
import { Direction, HANDSHAKE, SUITES } from './records';
import { CIPHER, Direction12, ServerKeys } from './records12';

const TLS13_CIPHER = 'TLS_AES_128_GCM_SHA256';
const TLS13_SUITE = SUITES[0x1301];
/** Header of the record and of the message, version, random: of a ClientHello or a ServerHello. */
const RANDOM_START = 5 + 4 + 2;

export interface ForgingServerOptions extends Omit<TlsOptions, 'cert' | 'key' | 'ciphers'> {
  readonly identity: Pick<Identity, 'cert' | 'key'>;
  /** Runs for each connection once its handshake is done. */
  readonly onPeer?: (peer: ForgedPeer) => void;
}

/** The ciphertext between a node:tls server and its client. */
class Wire extends EventEmitter<{ heard: []; sent: [] }> {
  readonly #client: Socket;
  readonly #target: Socket;
  #bytes = Buffer.alloc(0);
  #serverRandom: Buffer | undefined;
  #direction: Direction | Direction12 | undefined;
  readonly secrets = new Map<string, Buffer>();
  clientRandom = '';

  /** @param hello - Called before the server hears the ClientHello. */
  constructor(client: Socket, target: Socket, hello: () => void) {
    super();
    this.#client = client;
    this.#target = target;
    client.on('data', (chunk: Buffer) => {
      if (this.clientRandom === '') {
        // A ClientHello comes in one piece here, but for its end.
        this.clientRandom = chunk.toString('hex', RANDOM_START, RANDOM_START + 32);
        hello();
      }
      this.emit('heard');
      if (target.writable && !target.write(chunk)) client.pause();
    });
    target.on('data', (chunk: Buffer) => {
      const passed = this.#passed(chunk);
      if (client.writable && !client.write(passed)) target.pause();
      this.emit('sent');
    });
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      socket.setNoDelay(true);
      socket.on('drain', () => other.resume());
      socket.on('end', () => other.end());
      socket.on('error', () => other.destroy());
      socket.on('close', () => other.destroy());
    }
  }

  /** Sends what the server did not. */
  inject(contentType: number, plaintext: Buffer): void {
    if (this.#direction === undefined) throw new Error('no handshake was begun');
    if (!this.#client.writable) return;
    this.#client.write(this.#direction.forge(contentType, plaintext));
  }

  /** Takes nothing from the client any more, as a server that does not read. */
  deaf(): void {
    this.#client.removeAllListeners('data');
    this.#client.pause();
    this.#client.resume = () => this.#client;
  }

  fin(): void {
    this.#client.end();
  }

  reset(): void {
    this.#client.resetAndDestroy();
  }

  destroy(): void {
    this.#client.destroy();
    this.#target.destroy();
  }

  /** What the client is to see in place of this. */
  #passed(chunk: Buffer): Buffer {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const out: Buffer[] = [];
    while (this.#bytes.length >= 5 && this.#bytes.length >= 5 + this.#bytes.readUInt16BE(3)) {
      const record = this.#bytes.subarray(0, 5 + this.#bytes.readUInt16BE(3));
      this.#bytes = this.#bytes.subarray(record.length);
      this.#direction ??= this.#begun(record);
      const passed = this.#direction === undefined ? record : this.#direction.pass(record);
      if (passed !== undefined) out.push(passed);
    }
    return Buffer.concat(out);
  }

  /** By the ServerHello. */
  #begun(record: Buffer): Direction | Direction12 | undefined {
    if (record[0] !== HANDSHAKE || record[5] !== 2) return undefined;
    this.#serverRandom = Buffer.from(record.subarray(RANDOM_START, RANDOM_START + 32));
    const idLength = record.readUInt8(RANDOM_START + 32);
    const suite = SUITES[record.readUInt16BE(RANDOM_START + 33 + idLength)];
    if (suite === undefined) return new Direction12(() => this.#keys12());
    const secretOf = (label: string) => () => {
      const secret = this.secrets.get(label);
      return TLS13_SUITE && secret && { suite: TLS13_SUITE, secret };
    };
    return new Direction([
      secretOf('SERVER_HANDSHAKE_TRAFFIC_SECRET'),
      secretOf('SERVER_TRAFFIC_SECRET_0'),
    ]);
  }

  #keys12(): ServerKeys | undefined {
    const master = this.secrets.get('CLIENT_RANDOM');
    if (master === undefined || this.#serverRandom === undefined) return undefined;
    return new ServerKeys(master, Buffer.from(this.clientRandom, 'hex'), this.#serverRandom);
  }
}

/** The server's end of one connection. */
export class ForgedPeer {
  readonly socket: TLSSocket;
  readonly #wire: Wire;

  /** @internal */
  constructor(socket: TLSSocket, wire: Wire) {
    this.socket = socket;
    this.#wire = wire;
  }

  /**
   * Begins a renegotiation (TLS 1.2) that asks for a certificate; resolves when the request has left, and
   * the client has the turn.
   */
  renegotiate(): Promise<void> {
    return new Promise((resolve) => {
      // Its flight may leave in the turn in which the ClientHello comes.
      this.#wire.once('heard', () => this.#wire.once('sent', resolve));
      // It fails when the connection does, which is what tests are about.
      this.socket.renegotiate({ requestCert: true, rejectUnauthorized: false }, () => {});
    });
  }

  /** Sends a record that the server did not, as if it had. */
  inject(contentType: number, plaintext: Buffer): void {
    this.#wire.inject(contentType, plaintext);
  }

  /** Reads nothing from now on. */
  deaf(): void {
    this.#wire.deaf();
  }

  /** FIN, without close_notify. */
  fin(): void {
    this.#wire.fin();
  }

  reset(): void {
    this.#wire.reset();
  }
}

/** Listens on a free port of 127.0.0.1; TLS 1.2 and 1.3, as `minVersion` and `maxVersion` say. */
export class ForgingServer {
  /** Those whose handshake is done, oldest first, unless there is `onPeer`. */
  readonly peers: ForgedPeer[] = [];
  readonly #tls: tls.Server;
  readonly #tcp: Server;
  readonly #forget = registerLeftover(() => this.close());
  readonly #wires = new Set<Wire>();
  readonly #waiting: ((peer: ForgedPeer) => void)[] = [];

  private constructor({ identity, onPeer, ...options }: ForgingServerOptions) {
    const { cert, key } = identity;
    this.#tls = tls.createServer({ ...options, cert, key, ciphers: `${TLS13_CIPHER}:${CIPHER}` });
    const byRandom = new Map<string, Wire>();
    const wireOf = new WeakMap<TLSSocket, Wire>();
    this.#tls.on('keylog', (line: Buffer, socket: TLSSocket) => {
      const [label = '', random = '', secret = ''] = String(line).trim().split(' ');
      // That of a renegotiation is another, which nobody forges in.
      const wire = byRandom.get(random);
      if (wire === undefined) return;
      wire.secrets.set(label, Buffer.from(secret, 'hex'));
      wireOf.set(socket, wire);
    });
    this.#tls.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => {});
      const wire = wireOf.get(socket);
      if (wire === undefined) throw new Error('a connection without secrets');
      const peer = new ForgedPeer(socket, wire);
      if (onPeer === undefined) this.peers.push(peer);
      else onPeer(peer);
      for (const met of this.#waiting.splice(0)) met(peer);
    });
    this.#tls.on('tlsClientError', () => {});
    this.#tcp = createServer({ allowHalfOpen: true }, (client) => {
      const { port } = this.#tls.address() as AddressInfo;
      const target = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      const wire = new Wire(client, target, () => byRandom.set(wire.clientRandom, wire));
      this.#wires.add(wire);
      client.once('close', () => {
        this.#wires.delete(wire);
        byRandom.delete(wire.clientRandom);
      });
    });
  }

  static async start(options: ForgingServerOptions): Promise<ForgingServer> {
    const server = new ForgingServer(options);
    for (const one of [server.#tls, server.#tcp]) {
      one.listen(0, '127.0.0.1');
      await once(one, 'listening');
    }
    return server;
  }

  get port(): number {
    return (this.#tcp.address() as AddressInfo).port;
  }

  /** The next whose handshake is done. */
  nextPeer(): Promise<ForgedPeer> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async close(): Promise<void> {
    this.#forget();
    if (!this.#tcp.listening) return;
    const closed = [this.#tcp, this.#tls].map((one) => {
      one.close();
      return once(one, 'close');
    });
    for (const wire of this.#wires) wire.destroy();
    await Promise.all(closed);
  }
}
