/** The client's side of one connection: what the server says, and how it ends. */
import type { TLSSocket } from '../lib/index';

/** Something that must not be, whatever the network does. No kind expects it. */
export class Wrong extends Error {
  readonly code = 'SOAK_WRONG';
}

export class Talk {
  readonly socket: TLSSocket;
  /** Rejects with the socket's error. */
  readonly closed: Promise<void>;
  #received: Buffer[] = [];
  #look: () => void = () => {};

  constructor(socket: TLSSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('close', () => resolve());
    });
    // It is looked at later, or by nobody who waits for something else.
    this.closed.catch(() => {});
    socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#look();
    });
  }

  say(line: string): void {
    this.socket.write(`${line}\n`);
  }

  /** The next line, without its end; what is behind it stays. */
  line(): Promise<string> {
    return this.#until(() => {
      const end = this.#all().indexOf(10);
      return end < 0 ? undefined : this.#take(end + 1).toString('latin1', 0, end);
    });
  }

  bytes(size: number): Promise<Buffer> {
    return this.#until(() => {
      const have = this.#received.reduce((sum, { length }) => sum + length, 0);
      return have < size ? undefined : this.#take(size);
    });
  }

  /** Ends the connection as a client should, and waits for the server to do so. */
  end(): Promise<void> {
    this.socket.end();
    return this.closed;
  }

  /** Waits for the end, has `check` look, and ends as the connection did. */
  async afterwards(check: () => void): Promise<void> {
    await this.closed.catch(() => {});
    // Whoever is to be told of the end is, by then.
    await new Promise<void>((resolve) => setImmediate(resolve));
    check();
    return this.closed;
  }

  #all(): Buffer {
    const [first] = this.#received;
    const all =
      this.#received.length === 1 && first !== undefined ? first : Buffer.concat(this.#received);
    this.#received = [all];
    return all;
  }

  #take(size: number): Buffer {
    const all = this.#all();
    this.#received = [all.subarray(size)];
    return all.subarray(0, size);
  }

  /** Takes as soon as there is enough: more may come before whoever waits goes on. */
  #until<T>(look: () => T | undefined): Promise<T> {
    const found = look();
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve, reject) => {
      this.#look = () => {
        const found = look();
        if (found === undefined) return;
        this.#look = () => {};
        resolve(found);
      };
      this.closed.then(
        () => reject(new Wrong('the server closed before it said what it was asked')),
        reject,
      );
    });
  }
}
