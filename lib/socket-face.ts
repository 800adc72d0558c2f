import type { AddressInfo } from 'node:net';
import { Duplex, type DuplexOptions } from 'node:stream';
import { invalidHandleType, TLSClientCertError } from './errors';
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
  readonly autoSelectFamilyAttemptedAddresses?: string[];
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
    return this.destroyed || (this[BELOW].pending ?? false);
  }

  /** As of `net.Socket`. */
  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening';
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }

  /**
   * Plaintext bytes written that wait to be encrypted, as {@link writableLength}; undefined once closed. For
   * programs that were written for `net.Socket`.
   */
  get bufferSize(): number {
    return (this.destroyed ? undefined : this.writableLength) as number;
  }

  /**
   * As of `net.Socket`: `address:port` of each attempt, where `autoSelectFamily` had more than one address to
   * choose from; else undefined.
   */
  get autoSelectFamilyAttemptedAddresses(): string[] {
    return this[BELOW].autoSelectFamilyAttemptedAddresses as string[];
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

  // As net.Socket has their types: optional, which accessors cannot be.
  declare readonly localAddress?: string;
  declare readonly localPort?: number;
  declare readonly localFamily?: string;

  static {
    for (const name of ['localAddress', 'localPort', 'localFamily'] as const) {
      Object.defineProperty(SocketFace.prototype, name, {
        get(this: SocketFace<unknown>) {
          return this[BELOW][name];
        },
        configurable: true,
      });
    }
  }

  /** The local address, as of `net.Socket`; an empty object where there is none. */
  address(): AddressInfo | object {
    return this[BELOW].address?.() ?? {};
  }

  /**
   * As of `tls.TLSSocket`, on which it only works once closed: then it destroys it with `ERR_SOCKET_CLOSED`.
   *
   * @throws TypeError `ERR_INVALID_HANDLE_TYPE`: the connection is open; see {@link destroy}.
   */
  resetAndDestroy(): this {
    if (!this.destroyed) throw invalidHandleType();
    return this;
  }

  /**
   * Here for the type of `net.Socket` alone: a connection is made by `connect()` of this package.
   *
   * @throws {@link TLSClientCertError} `ERR_METHOD_NOT_IMPLEMENTED`
   */
  connect(..._: unknown[]): this {
    throw new TLSClientCertError(
      'ERR_METHOD_NOT_IMPLEMENTED',
      'A TLSSocket cannot be connected anew: make another by connect().',
    );
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
