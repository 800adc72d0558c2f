import type { AddressInfo } from 'node:net';
import type { NativeSocketTransport } from './binding';
import type { Below } from './socket-face';

/** What of a `net.Socket` outlives it once its descriptor is ours. */
export class TakenSocket implements Below {
  readonly connecting = false;
  readonly pending = false;
  readonly autoSelectFamilyAttemptedAddresses: string[];
  readonly #native: NativeSocketTransport;
  #remote: Partial<AddressInfo> | undefined;
  #local: Partial<AddressInfo> | undefined;
  #closed = false;

  constructor(native: NativeSocketTransport, attempted: string[]) {
    this.#native = native;
    this.autoSelectFamilyAttemptedAddresses = attempted;
  }

  get remoteAddress(): string | undefined {
    return this.#peer().address;
  }

  get remotePort(): number | undefined {
    return this.#peer().port;
  }

  get remoteFamily(): string | undefined {
    return this.#peer().family;
  }

  get localAddress(): string | undefined {
    return this.address().address;
  }

  get localPort(): number | undefined {
    return this.address().port;
  }

  get localFamily(): string | undefined {
    return this.address().family;
  }

  /** As of `net.Socket`: nothing once it is closed. */
  address(): Partial<AddressInfo> {
    if (this.#closed) return {};
    this.#local ??= this.#native.address(false);
    return this.#local ?? {};
  }

  /** As of `net.Socket`: once it is closed, only if somebody had looked. */
  #peer(): Partial<AddressInfo> {
    this.#remote ??= this.#native.address(true);
    return this.#remote ?? {};
  }

  setNoDelay(noDelay?: boolean): this {
    // As in net.Socket: undefined turns it on.
    this.#native.setNoDelay(noDelay === undefined ? true : !!noDelay);
    return this;
  }

  setKeepAlive(enable?: boolean, initialDelay = 0): this {
    this.#native.setKeepAlive(!!enable, Math.trunc(initialDelay / 1000));
    return this;
  }

  close(): void {
    this.#closed = true;
  }
}
