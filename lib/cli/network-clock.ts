import type { TLSSocket } from '../tls-socket';

/** Milliseconds by which it is counted. */
const TICK = 100;

/**
 * The time in which the network is waited for. While the server waits for a certificate or its signature, and so
 * maybe for a person, it stands still.
 */
export class NetworkClock {
  readonly #timer: NodeJS.Timeout;

  /**
   * @param limit - In milliseconds; it may grow meanwhile.
   * @param expired - Called once, unless it is stopped before.
   * @param moves - Whether the network does what it should, so that it is counted from the beginning.
   */
  constructor(socket: TLSSocket, limit: () => number, expired: () => void, moves = () => false) {
    let passed = 0;
    this.#timer = setInterval(() => {
      if (socket.clientAuth.status === 'pending') return;
      passed = moves() ? 0 : passed + TICK;
      if (passed < limit()) return;
      this.stop();
      expired();
    }, TICK);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
