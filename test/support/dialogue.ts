/** The client's side of what `python_server.py` understands. */
import type { Duplex, Readable, Writable } from 'node:stream';
import type { ConnectionOptions } from '../../lib/index';
import { dial, secured } from './client';
import { Waiting } from './waiting';

/** What `who` says. */
export interface Seen {
  /** As in `pki`: `CN=client ec256,O=tls-client-cert tests`; `null` for nobody. */
  readonly subject: string | null;
  /** SHA-256 of the certificate, in hexadecimal. */
  readonly fingerprint: string | null;
  readonly reused: boolean;
  readonly protocol: string;
  readonly alpn: string | null;
}

/** The client's side of the line protocol, over any stream. It reads the stream from now on. */
export class Dialogue {
  readonly #writable: Writable;
  readonly #waiting = new Waiting((why) => {
    const got = this.#all().subarray(0, 200);
    return new Error(`${why}; got ${this.#size} bytes: ${got}`);
  });
  #received = Buffer.alloc(0);
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(readable: Readable, writable: Writable = readable as Duplex) {
    this.#writable = writable;
    readable.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#size += chunk.length;
      this.#waiting.changed();
    });
    for (const event of ['end', 'close']) {
      readable.on(event, () => this.#waiting.end());
    }
  }

  /** Bytes received and not taken. */
  get buffered(): number {
    return this.#size;
  }

  /** Sends a command. The reply, if it has one, is for {@link line} or {@link bytes}. */
  say(command: string): boolean {
    return this.#writable.write(`${command}\n`);
  }

  /** The next line, without its end. */
  line(ms?: number): Promise<string> {
    const look = () => {
      const end = this.#all().indexOf(10);
      return end < 0 ? undefined : String(this.#take(end + 1).subarray(0, -1));
    };
    return this.#waiting.until('line', look, ms);
  }

  /** The next `size` bytes. */
  bytes(size: number, ms = 15_000): Promise<Buffer> {
    const look = () => (this.#size < size ? undefined : this.#take(size));
    return this.#waiting.until(`${size} bytes`, look, ms);
  }

  /** Asks whom the server sees. */
  async who(): Promise<Seen> {
    this.say('who');
    return JSON.parse(await this.line()) as Seen;
  }

  #all(): Buffer {
    this.#received = Buffer.concat([this.#received, ...this.#chunks]);
    this.#chunks = [];
    return this.#received;
  }

  #take(size: number): Buffer {
    const taken = this.#all().subarray(0, size);
    this.#received = this.#received.subarray(size);
    this.#size -= size;
    return taken;
  }
}

/** What `source` sends: byte `i` of the stream is `i % 251`. */
export function pattern(size: number): Buffer {
  return Buffer.alloc(size, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));
}

/** Connects, and resolves with the words to say to the server once the connection is secure. */
export async function talkTo(server: { readonly port: number }, options: ConnectionOptions) {
  const socket = dial(server, options);
  await secured(socket);
  return { socket, dialogue: new Dialogue(socket) };
}

/** Has the server ask, and resolves with whom it sees once the answer has arrived. */
export async function askBy(dialogue: Dialogue): Promise<Seen> {
  dialogue.say('ask');
  expect(await dialogue.line()).toBe('asked');
  return dialogue.who();
}
