import type { EventEmitter } from 'node:events';
import { invalidArgType, outOfRange } from './errors';

/** Milliseconds: Node's timers cannot count further. */
export const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** Has its socket emit `'timeout'` when nothing has touched it for a while, as that of a `net.Socket` does. */
export class IdleTimer {
  /** 0: off. */
  milliseconds = 0;
  readonly #socket: EventEmitter;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: EventEmitter) {
    this.#socket = socket;
  }

  /** @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE`, where `net.Socket` throws them. */
  static check(milliseconds: number): void {
    if (typeof milliseconds !== 'number') {
      throw invalidArgType('msecs', 'of type number', milliseconds);
    }
    if (!(milliseconds >= 0 && milliseconds < Number.POSITIVE_INFINITY)) {
      throw outOfRange('msecs', 'a non-negative finite number', milliseconds);
    }
  }

  /** @throws as {@link check}. */
  set(milliseconds: number): void {
    IdleTimer.check(milliseconds);
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.milliseconds = Math.min(milliseconds, LONGEST_TIMEOUT);
    if (milliseconds > 0) {
      this.#timer = setTimeout(tell, this.milliseconds, this.#socket).unref();
    }
  }

  touch(): void {
    this.#timer?.refresh();
  }
}

function tell(socket: EventEmitter): void {
  socket.emit('timeout');
}
