/** The wire between the client and its peer: it dribbles, stalls, and is cut where the model says so. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { registerLeftover } from '../support/leftovers';

type Cut = 'at a border' | 'in a record';
const HEADER = 5;

/** One direction. */
class Way {
  /** Bytes passed on. */
  passed = 0;
  #from: Socket;
  #to: Socket;
  #queue: Buffer[] = [];
  #stalled = false;
  #dribble = 0;
  #cut: Cut | undefined;
  /** Of the record that is passing: bytes left, and its header as far as it was seen. */
  #recordLeft = 0;
  #header: number[] = [];
  #pumping = false;
  #ended = false;

  constructor(from: Socket, to: Socket, changed: () => void, cut: () => void) {
    this.#from = from;
    this.#to = to;
    this.changed = changed;
    this.severed = cut;
    from.on('data', (chunk: Buffer) => {
      this.#queue.push(chunk);
      this.pump();
    });
    from.on('end', () => this.end());
  }

  /** Nothing follows. */
  end(): void {
    this.#ended = true;
    this.pump();
  }

  private readonly changed: () => void;
  private readonly severed: () => void;

  /** So many bytes leave one by one, each in a turn of its own. */
  dribble(bytes: number): void {
    this.#dribble = bytes;
  }

  stall(stalled: boolean): void {
    this.#stalled = stalled;
    if (stalled) {
      // Then the kernel's buffers fill, and the sender notices.
      this.#from.pause();
    } else {
      this.#from.resume();
      this.pump();
    }
  }

  /** Nothing passes behind the next border of a record, or half of the record behind it. */
  cutOff(where: Cut): void {
    this.#cut = where;
    this.pump();
  }

  pump(): void {
    if (this.#pumping || this.#stalled) return;
    while (this.#queue.length > 0) {
      if (this.#cut !== undefined && this.#isCut()) return;
      if (this.#dribble > 0) {
        this.#dribble--;
        this.#pass(1);
        this.#pumping = true;
        setImmediate(() => {
          this.#pumping = false;
          this.pump();
        });
        return;
      }
      this.#pass(this.#cut === undefined ? Number.POSITIVE_INFINITY : 1);
    }
    if (this.#cut === 'at a border' && this.#isCut()) return;
    if (this.#ended && !this.#to.writableEnded) this.#to.end();
  }

  #isCut(): boolean {
    const atBorder = this.#recordLeft === 0 && this.#header.length === 0;
    const here = this.#cut === 'at a border' ? atBorder : this.#header.length === HEADER;
    if (!here) return false;
    this.#queue = [];
    this.severed();
    return true;
  }

  #pass(limit: number): void {
    const first = this.#queue[0] as Buffer;
    const piece = first.subarray(0, limit);
    if (piece.length === first.length) this.#queue.shift();
    else this.#queue[0] = first.subarray(piece.length);
    this.#follow(piece);
    this.passed += piece.length;
    if (this.#to.writable) this.#to.write(piece);
    this.changed();
  }

  /** Where in a record we are. */
  #follow(piece: Buffer): void {
    let at = 0;
    while (at < piece.length) {
      if (this.#header.length < HEADER) {
        this.#header.push(piece[at++] as number);
        if (this.#header.length < HEADER) continue;
        this.#recordLeft = ((this.#header[3] as number) << 8) | (this.#header[4] as number);
      }
      const taken = Math.min(this.#recordLeft, piece.length - at);
      at += taken;
      this.#recordLeft -= taken;
      if (this.#recordLeft === 0) this.#header = [];
    }
  }
}

/** Carries one connection. */
export class Line {
  changed: () => void = () => {};
  #up: Way | undefined;
  #down: Way | undefined;
  #client: Socket | undefined;
  #target: Socket | undefined;
  #waiting: (() => void)[] = [];
  #gone: Promise<unknown> = Promise.resolve();
  readonly #server: Server;
  readonly #forget = registerLeftover(() => this.close());

  private constructor(port: number) {
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
      const target = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      this.#client = client;
      this.#target = target;
      const changed = () => this.changed();
      this.#up = new Way(client, target, changed, () => this.fin());
      this.#down = new Way(target, client, changed, () => this.fin());
      for (const [socket, other] of [
        [client, target],
        [target, client],
      ] as const) {
        socket.setNoDelay(true);
        socket.on('error', () => {
          // As a router would have it: whoever is left hears of it.
          abort(other);
        });
        socket.on('close', () => {
          (socket === client ? this.#up : this.#down)?.end();
          changed();
        });
      }
      this.#gone = Promise.all([closed(client), closed(target)]);
      for (const step of this.#waiting) step();
      this.#waiting = [];
      client.resume();
    });
  }

  /** @param port - Of the peer. */
  static async start(port: number): Promise<Line> {
    const line = new Line(port);
    line.#server.listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    return line;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Bytes that have passed, both ways. */
  get passed(): number {
    return (this.#up?.passed ?? 0) + (this.#down?.passed ?? 0);
  }

  #soon(step: () => void): void {
    if (this.#client === undefined) this.#waiting.push(step);
    else step();
  }

  dribble(way: 'up' | 'down', bytes: number): void {
    this.#soon(() => (way === 'up' ? this.#up : this.#down)?.dribble(bytes));
  }

  stall(way: 'up' | 'down', stalled: boolean): void {
    this.#soon(() => (way === 'up' ? this.#up : this.#down)?.stall(stalled));
  }

  cutOff(where: Cut): void {
    this.#soon(() => this.#down?.cutOff(where));
  }

  /** The peer's side of TCP ends, without a word of TLS; what the client sends still passes. */
  fin(): void {
    this.#soon(() => {
      if (this.#client?.writable) this.#client.end();
      this.#target?.removeAllListeners('data').resume();
    });
  }

  reset(): void {
    this.#soon(() => {
      if (this.#client !== undefined) abort(this.#client);
      if (this.#target !== undefined) abort(this.#target);
    });
  }

  /** Lets go of the connection, also of one that nobody has accepted yet. */
  async close(): Promise<void> {
    this.#forget();
    this.#client?.destroy();
    this.#target?.destroy();
    if (this.#server.listening) {
      this.#server.close();
      await once(this.#server, 'close');
    }
    await this.#gone;
  }
}

/** By RST. Of a socket that has ended or has still to write, Node would wait, or forget to tell that it closed. */
function abort(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableEnded || socket.writableLength > 0) socket.destroy();
  else socket.resetAndDestroy();
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}
