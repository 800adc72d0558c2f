import {
  type NetConnectOpts,
  Socket,
  type SocketConnectOpts,
  type SocketConstructorOpts,
} from 'node:net';
import { Duplex } from 'node:stream';
import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls';
import { connect, transportOptions } from '../connect';
import { destroyedError } from '../failures';
import { bare } from '../given';
import type { ConnectionOptions } from '../options';
import type { TLSSocket } from '../tls-socket';
import { checkTimeout, type StartTlsProtocol, type UpgradeOptions, upgrade } from './upgrade';

/** Options of `connect()` but for the stream's life, which is its driver's business. */
export interface DriverStreamOptions
  extends Omit<ConnectionOptions, 'socket' | 'timeout' | 'signal'> {
  /**
   * Milliseconds until the server has to expect TLS, connecting included: `timeout` of {@link upgrade}. What
   * the driver has of timeouts goes before it where it is shorter. Default: 10 000.
   */
  upgradeTimeout?: number | undefined;
}

/** All three, so that each goes before the options. */
export type Address = Record<'host' | 'port' | 'path', string | number | null | undefined>;

type Done = (error?: Error | null) => void;

/**
 * What a driver takes for a connection in plaintext: it connects, goes over to TLS, and passes plaintext in both
 * directions. What is written earlier waits.
 *
 * It emits `'connect'` when TLS is established, and as `'error'` what goes wrong before and after.
 */
export class LateStream extends Duplex {
  readonly #options: DriverStreamOptions;
  readonly #below: NetConnectOpts;
  readonly #raw: Socket;
  #tls: TLSSocket | undefined;
  /** What the driver wrote, or its end, while there was nobody to pass it to. */
  #waiting: { readonly action: (tls: TLSSocket) => void; readonly callback: Done } | undefined;

  /** @internal */
  constructor(options: DriverStreamOptions) {
    super({ allowHalfOpen: false });
    this.#options = bare(options);
    const { upgradeTimeout } = this.#options;
    if (upgradeTimeout !== undefined) checkTimeout(upgradeTimeout, 'options.upgradeTimeout');
    this.#below = transportOptions(this.#options as ConnectionOptions);
    this.#raw = new Socket(this.#below as SocketConstructorOpts).setNoDelay(true);
  }

  /** The TLS connection, with `clientAuth` and all else; undefined before its handshake begins. */
  get secureSocket(): TLSSocket | undefined {
    return this.#tls;
  }

  /** As of `tls.TLSSocket`. Drivers look at it for channel binding (RFC 5929). */
  getPeerCertificate(detailed?: boolean): PeerCertificate | DetailedPeerCertificate {
    return this.#tls?.getPeerCertificate(detailed as true) ?? ({} as PeerCertificate);
  }

  setNoDelay(noDelay?: boolean): this {
    (this.#tls ?? this.#raw).setNoDelay(noDelay);
    return this;
  }

  setKeepAlive(enable?: boolean, initialDelay?: number): this {
    (this.#tls ?? this.#raw).setKeepAlive(enable, initialDelay);
    return this;
  }

  ref(): this {
    (this.#tls ?? this.#raw).ref();
    return this;
  }

  unref(): this {
    (this.#tls ?? this.#raw).unref();
    return this;
  }

  /**
   * @internal Connects, and goes over to TLS. What fails destroys the stream.
   *
   * @param address - Whom the server has to be as well, unless there is a `servername`.
   */
  protected start(
    protocol: StartTlsProtocol,
    address: Address,
    onGreeting?: UpgradeOptions['onGreeting'],
  ): void {
    try {
      this.#raw.connect(Object.assign(this.#below, address) as SocketConnectOpts);
    } catch (error) {
      // pg calls this, and what it does not expect to be thrown costs its pool a client each time.
      process.nextTick(() => this.destroy(error as Error));
      return;
    }
    const { upgradeTimeout: timeout } = this.#options;
    upgrade(protocol, this.#raw, { onGreeting, timeout }).then(
      () => this.#secure(address),
      (error: Error) => this.destroy(error),
    );
  }

  /** @internal Plaintext on its way to the driver, to be changed by who has to. */
  protected fromServer(chunk: Buffer): Buffer {
    return chunk;
  }

  /** @internal Plaintext on its way to the server. */
  protected toServer(chunk: Buffer): Buffer {
    return chunk;
  }

  override _read(): void {
    this.#tls?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Done): void {
    const written: Done = (error) => {
      if (!error) callback();
      else if (this.destroyed) callback(this.errored ?? error);
      // A turn later, as in net.Socket: who destroys the stream wants to be the first to say why.
      else process.nextTick(callback, error);
    };
    this.#whenOpen((tls) => tls.write(this.toServer(chunk), written), callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: Done): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'binary', callback);
  }

  override _final(callback: Done): void {
    this.#whenOpen((tls) => {
      const ended: Done = (error) => (error ? this.destroy(tls.errored ?? undefined) : callback());
      if (tls.writableFinished) callback();
      else tls.end(ended as () => void);
    }, callback);
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    // What is said before TLS ends with it.
    (this.#tls ?? this.#raw).destroy();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    // What the driver wrote behind it is called back with it.
    if (waiting !== undefined)
      process.nextTick(waiting.callback, error ?? destroyedError('stream'));
    callback(error);
  }

  #whenOpen(action: (tls: TLSSocket) => void, callback: Done): void {
    if (this.#tls === undefined) this.#waiting = { action, callback };
    else action(this.#tls);
  }

  #secure(address: Address): void {
    if (this.destroyed) {
      this.#raw.destroy();
      return;
    }
    let tls: TLSSocket;
    try {
      tls = connect({
        ...this.#options,
        ...address,
        socket: this.#raw,
        // When to end is for us to say: whoever has not read the server's end may still write.
        allowHalfOpen: true,
      } as ConnectionOptions);
    } catch (error) {
      this.#raw.destroy();
      this.destroy(error as Error);
      return;
    }
    this.#tls = tls;
    tls.on('data', (chunk: Buffer) => this.push(this.fromServer(chunk)) || tls.pause());
    tls.on('end', () => {
      this.push(null);
      // As net.Socket: 'end' comes even if nobody reads.
      this.read(0);
    });
    tls.on('error', (error: Error) => this.destroy(error));
    tls.on('close', () => {
      // Of what came to its end the rest is here, perhaps unread.
      if (!tls.readableEnded || !tls.writableFinished) this.destroy();
    });
    tls.once('secureConnect', () => this.emit('connect'));
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.action(tls);
  }
}
