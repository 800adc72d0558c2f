import type { AddressInfo } from 'node:net';
import { Duplex, type DuplexOptions } from 'node:stream';
import type { ListensTo } from './tls-socket-events';

/** Names the stream below, for {@link SocketFace} alone. */
export const BELOW = Symbol('the stream below');

/** What of a `net.Socket` the stream below may have. */
export interface Below {
  readonly connecting?: boolean;
  readonly pending?: boolean;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly remoteFamily?: string | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  readonly localFamily?: string | undefined;
  address?(): AddressInfo | object;
  setNoDelay?(noDelay?: boolean): unknown;
  setKeepAlive?(enable?: boolean, initialDelay?: number): unknown;
}

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
  protected abstract get [BELOW](): Below;

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
}
