import { once } from 'node:events';
import type { TLSSocket } from '../../tls-socket';

/** Moves bytes as they are between a connection and this program's stdin and stdout. */
export class Pump {
  readonly #socket: TLSSocket;
  #state: 'idle' | 'moving' | 'held' | 'ended' = 'idle';

  constructor(socket: TLSSocket) {
    this.#socket = socket;
  }

  /**
   * The end of stdin ends this side, and the server's end ends it all.
   *
   * @throws What goes wrong with the connection, or with stdin.
   */
  async run(): Promise<void> {
    const { stdin, stdout } = process;
    const socket = this.#socket;
    const over = new AbortController();
    const failed = (error: Error) => over.abort(error);
    stdin.on('error', failed).on('end', this.#onEnd);
    socket.on('drain', this.#onDrain);
    socket.pipe(stdout, { end: false });
    try {
      const ended = once(socket, 'end', { signal: over.signal });
      this.#state = 'moving';
      this.#take();
      await ended;
    } catch (error) {
      throw over.signal.aborted ? over.signal.reason : error;
    } finally {
      this.#leave();
      this.#state = 'ended';
      stdin.off('end', this.#onEnd).off('error', failed);
      socket.off('drain', this.#onDrain);
    }
  }

  /** Leaves stdin to a prompt. */
  hold(): void {
    if (this.#state !== 'moving') return;
    this.#state = 'held';
    this.#leave();
  }

  /** Takes it back. */
  release(): void {
    if (this.#state !== 'held') return;
    this.#state = 'moving';
    this.#take();
  }

  #take(): void {
    process.stdin.on('data', this.#onData).resume();
  }

  #leave(): void {
    process.stdin.off('data', this.#onData).pause();
  }

  readonly #onData = (bytes: Buffer) => {
    if (!this.#socket.write(bytes)) process.stdin.pause();
  };

  readonly #onDrain = () => {
    if (this.#state === 'moving') process.stdin.resume();
  };

  readonly #onEnd = () => {
    this.#socket.end();
  };
}
