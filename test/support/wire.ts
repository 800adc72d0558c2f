/** A `Connection` without I/O over a socket of the test's own. */
import net from 'node:net';
import {
  Connection,
  type ConnectionListener,
  type ConnectionResult,
  type ProtocolOptions,
} from '../../lib/index';
import { within } from './client';
import { loadPki } from './pki';

/** Carries ciphertext; what operations mean is for each test to look at. */
export class Wire {
  readonly connection: Connection;
  readonly socket: net.Socket;
  readonly #incoming: AsyncIterator<Buffer>;

  constructor(port: number, more: ProtocolOptions, listener?: ConnectionListener) {
    this.connection = new Connection(
      { host: 'localhost', ca: loadPki().serverCa.cert, ...more },
      listener,
    );
    this.socket = net.connect({ host: '127.0.0.1', port });
    this.#incoming = this.socket[Symbol.asyncIterator]();
  }

  send(): number {
    const ciphertext = this.connection.drain();
    if (ciphertext !== undefined) this.socket.write(ciphertext);
    return ciphertext?.length ?? 0;
  }

  async receive(): Promise<void> {
    const { value, done } = await within('ciphertext', this.#incoming.next());
    if (done) this.connection.receiveEnd();
    else this.connection.receive(value);
  }

  /** Goes on until the operation needs more than the server's next words. */
  async run(operation: () => ConnectionResult): Promise<ConnectionResult> {
    while (true) {
      const result = operation();
      this.send();
      if (result.status !== 'want-read') return result;
      await this.receive();
    }
  }

  handshake(): Promise<ConnectionResult> {
    return this.run(() => this.connection.handshake());
  }

  async text(): Promise<string> {
    const target = Buffer.alloc(100);
    const result = await this.run(() => this.connection.read(target));
    return result.status === 'done' ? target.toString('utf8', 0, result.bytes) : result.status;
  }

  close(): void {
    this.connection.destroy();
    this.socket.destroy();
  }
}
