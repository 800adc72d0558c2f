/**
 * A node:tls server among whose records others can be put, which no server can be talked into: a
 * second request before the first is answered, an alert in the middle of a handshake.
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
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
class Wire extends Duplex {
  readonly #raw: Socket;
  #hello: ((clientRandom: string) => void) | undefined;
  #bytes = Buffer.alloc(0);
  #serverRandom: Buffer | undefined;
  #direction: Direction | Direction12 | undefined;
  readonly secrets = new Map<string, Buffer>();
  clientRandom = '';

  constructor(raw: Socket, hello: (clientRandom: string) => void) {
    super({ allowHalfOpen: true });
    this.#raw = raw;
    this.#hello = hello;
    raw.on('data', (chunk: Buffer) => {
      this.#arrived(chunk);
      if (!this.push(chunk)) raw.pause();
    });
    raw.on('end', () => this.push(null));
    raw.on('error', () => this.destroy());
    raw.on('close', () => this.destroy());
    this.on('error', () => {});
  }

  /** Sends what the server did not. */
  inject(contentType: number, plaintext: Buffer): void {
    if (this.#direction === undefined) throw new Error('no handshake was begun');
    this.#raw.write(this.#direction.forge(contentType, plaintext));
  }

  get raw(): Socket {
    return this.#raw;
  }

  override _read(): void {
    this.#raw.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    const out: Buffer[] = [];
    while (this.#bytes.length >= 5 && this.#bytes.length >= 5 + this.#bytes.readUInt16BE(3)) {
      const record = this.#bytes.subarray(0, 5 + this.#bytes.readUInt16BE(3));
      this.#bytes = this.#bytes.subarray(record.length);
      this.#direction ??= this.#begun(record);
      const passed = this.#direction === undefined ? record : this.#direction.pass(record);
      if (passed !== undefined) out.push(passed);
    }
    if (this.#raw.writable) this.#raw.write(Buffer.concat(out));
    this.emit('sent');
    callback();
  }

  override _final(callback: () => void): void {
    this.#raw.end();
    callback();
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#raw.destroy();
    callback(error);
  }

  #arrived(chunk: Buffer): void {
    if (this.#hello === undefined) {
      this.emit('heard');
      return;
    }
    // A ClientHello comes in one piece here, but for its end.
    this.clientRandom = chunk.toString('hex', RANDOM_START, RANDOM_START + 32);
    this.#hello(this.clientRandom);
    this.#hello = undefined;
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

  /** FIN, without close_notify. */
  fin(): void {
    this.#wire.raw.end();
  }

  reset(): void {
    this.#wire.raw.resetAndDestroy();
  }
}

/** Listens on a free port of 127.0.0.1; TLS 1.2 and 1.3, as `minVersion` and `maxVersion` say. */
export class ForgingServer {
  /** Those whose handshake is done, oldest first. */
  readonly peers: ForgedPeer[] = [];
  readonly #tcp: Server;
  readonly #forget = registerLeftover(() => this.close());
  readonly #wires = new Set<Wire>();

  private constructor({ identity, onPeer, ...options }: ForgingServerOptions) {
    const { cert, key } = identity;
    const ciphers = `${TLS13_CIPHER}:${CIPHER}`;
    const server = tls.createServer({ ...options, cert, key, ciphers });
    const beginning = new Map<string, Wire>();
    const wireOf = new WeakMap<TLSSocket, Wire>();
    server.on('keylog', (line: Buffer, socket: TLSSocket) => {
      const [label = '', random = '', secret = ''] = String(line).trim().split(' ');
      // That of a renegotiation is another, which nobody forges in.
      const wire = beginning.get(random);
      if (wire === undefined) return;
      wire.secrets.set(label, Buffer.from(secret, 'hex'));
      wireOf.set(socket, wire);
    });
    server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => {});
      const wire = wireOf.get(socket);
      if (wire === undefined) throw new Error('a connection without secrets');
      const peer = new ForgedPeer(socket, wire);
      if (onPeer === undefined) this.peers.push(peer);
      else onPeer(peer);
    });
    server.on('tlsClientError', () => {});
    this.#tcp = createServer({ allowHalfOpen: true }, (raw) => {
      raw.setNoDelay(true);
      const wire = new Wire(raw, (random) => beginning.set(random, wire));
      this.#wires.add(wire);
      wire.once('close', () => {
        this.#wires.delete(wire);
        beginning.delete(wire.clientRandom);
      });
      server.emit('connection', wire);
    });
  }

  static async start(options: ForgingServerOptions): Promise<ForgingServer> {
    const server = new ForgingServer(options);
    server.#tcp.listen(0, '127.0.0.1');
    await once(server.#tcp, 'listening');
    return server;
  }

  get port(): number {
    return (this.#tcp.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#forget();
    if (!this.#tcp.listening) return;
    const closed = once(this.#tcp, 'close');
    this.#tcp.close();
    for (const wire of this.#wires) wire.destroy();
    await closed;
  }
}
