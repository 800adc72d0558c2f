import type { AddressInfo, Socket } from 'node:net';
import { Duplex, type DuplexOptions } from 'node:stream';
import type { ListensTo } from './tls-socket-events';

/** Names the stream below, for {@link SocketFace} alone. */
export const BELOW = Symbol('the stream below');

/** `stream.Duplex`, whose listeners are typed; nothing else at run time. */
const TypedDuplex = Duplex as unknown as new <Self>(
  options: DuplexOptions,
) => ListensTo<Self> & Duplex;

/**
 * What of a `net.Socket` is the transport's business, passed on to the stream below as far as that has
 * it.
 */
export abstract class SocketFace<Self> extends TypedDuplex<Self> {
  /** @internal */
  protected abstract get [BELOW](): Partial<Socket>;

  /** Whether the `net.Socket` below is still connecting. */
  get connecting(): boolean {
    return this[BELOW].connecting ?? false;
  }

  /** As of `net.Socket`. */
  get pending(): boolean {
    return this[BELOW].pending ?? false;
  }

  get remoteAddress(): string | undefined {
    return this[BELOW].remoteAddress;
  }

  get remotePort(): number | undefined {
    return this[BELOW].remotePort;
  }

  get remoteFamily(): string | undefined {
    return this[BELOW].remoteFamily;
  }

  get localAddress(): string | undefined {
    return this[BELOW].localAddress;
  }

  get localPort(): number | undefined {
    return this[BELOW].localPort;
  }

  get localFamily(): string | undefined {
    return this[BELOW].localFamily;
  }

  /** The local address, as of `net.Socket`; an empty object where there is none. */
  address(): AddressInfo | object {
    return this[BELOW].address?.() ?? {};
  }

  /** As of `net.Socket`; without effect on a transport that has no such thing. */
  setNoDelay(noDelay?: boolean): this {
    this[BELOW].setNoDelay?.(noDelay);
    return this;
  }

  /** As of `net.Socket`; without effect on a transport that has no such thing. */
  setKeepAlive(enable?: boolean, initialDelay?: number): this {
    this[BELOW].setKeepAlive?.(enable, initialDelay);
    return this;
  }

  /** As of `net.Socket`; without effect on a transport that has no such thing. */
  ref(): this {
    this[BELOW].ref?.();
    return this;
  }

  /** As of `net.Socket`; without effect on a transport that has no such thing. */
  unref(): this {
    this[BELOW].unref?.();
    return this;
  }
}
