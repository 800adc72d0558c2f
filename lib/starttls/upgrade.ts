import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Duplex } from 'node:stream';
import { invalidArgType, invalidArgValue, outOfRange } from '../errors';
import { snapshot } from '../given';
import { Dialogue, failed, unreached } from './dialogue';
import { PREAMBLES } from './protocols';

/** A protocol that goes over to TLS on a connection it has begun in plaintext. */
export type StartTlsProtocol = 'postgres' | 'mysql' | 'smtp' | 'imap' | 'ldap';

export interface UpgradeOptions {
  /** Milliseconds for all of it, connecting included. Default: 10 000. */
  timeout?: number | undefined;
  /** Gives up when it aborts: the promise rejects with its reason. */
  signal?: AbortSignal | undefined;
  /**
   * SMTP: how we introduce ourselves (RFC 5321, section 4.1.1.1). Default: the name of this host; where that could
   * be no name there, `[127.0.0.1]`.
   */
  name?: string | undefined;
  /**
   * SMTP, IMAP and MySQL: called with what the server greeted us with. It will not do so again, and a driver that
   * takes the connection over may wait for it. For MySQL, the answer of a driver that it was given to may be
   * returned, as a promise too: what its head says is sent as the SSLRequest.
   */
  onGreeting?: ((greeting: Buffer) => undefined | Uint8Array | Promise<Uint8Array>) | undefined;
}

const NAMES = ['timeout', 'signal', 'name', 'onGreeting'] as const;
const DEFAULT_TIMEOUT = 10_000;
const MAX_TIMEOUT = 2 ** 31 - 1;
/** A line of its own in a name would be a command of its own. */
const NAME = /^[\x21-\x7e]{1,255}$/;

/**
 * Says what a protocol wants said in plaintext before TLS: PostgreSQL's SSLRequest, MySQL's greeting and
 * SSLRequest, STARTTLS of SMTP (RFC 3207) and IMAP (RFC 9051), LDAP's StartTLS (RFC 4511, section 4.14).
 *
 * @param socket - Nobody else may read or write it meanwhile, nor set an encoding. It may still be connecting.
 * @returns `socket`, once the server expects a handshake on it: pass it to `connect({ socket })`. When the
 *   promise rejects, for whatever reason, it is destroyed.
 * @throws TLSClientCertError `ERR_STARTTLS_REFUSED` when the server does not offer TLS; `ERR_STARTTLS_FAILED` when it
 *   says something else, closes, takes too long, says too much or says something behind its answer (`reason`); what
 *   the socket fails with; what the signal was aborted with; `ERR_STARTTLS_DRIVER` when what `onGreeting` returns for
 *   MySQL is no answer of the protocol since 4.1, so that its head is not for others to read.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; RangeError `ERR_OUT_OF_RANGE`; all as rejections.
 */
export async function upgrade<Stream extends Duplex>(
  protocol: StartTlsProtocol,
  socket: Stream,
  options: UpgradeOptions = {},
): Promise<Stream> {
  if (!isDuplex(socket)) throw invalidArgType('socket', 'an instance of stream.Duplex', socket);
  try {
    await converse(protocol, socket, options);
    return socket;
  } catch (error) {
    // Its errors have nobody to hear them any more.
    socket.on('error', () => {});
    socket.destroy();
    throw error;
  }
}

async function converse(
  protocol: StartTlsProtocol,
  socket: Duplex,
  options: UpgradeOptions,
): Promise<void> {
  const checked = check(protocol, options);
  const { timeout = DEFAULT_TIMEOUT, signal, name = ownName(), onGreeting } = checked;
  if (signal?.aborted) throw signal.reason;
  const talk = new Dialogue(socket);
  const abort = () => talk.fail(signal?.reason as Error);
  const timer = setTimeout(() => {
    const { connecting } = socket as Partial<Socket>;
    talk.fail(connecting ? unreached(timeout) : failed('timeout', `has let ${timeout} ms pass`));
  }, timeout);
  signal?.addEventListener('abort', abort);
  try {
    await PREAMBLES[protocol](talk, { name, onGreeting: (greeting) => onGreeting?.(greeting) });
    talk.finish();
  } finally {
    talk.release();
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

function check(protocol: unknown, options: UpgradeOptions): UpgradeOptions {
  if (typeof protocol !== 'string') throw invalidArgType('protocol', 'of type string', protocol);
  if (!Object.hasOwn(PREAMBLES, protocol)) {
    const known = Object.keys(PREAMBLES).join(', ');
    throw invalidArgValue('protocol', `must be one of ${known}`);
  }
  if (typeof options !== 'object' || options === null) {
    throw invalidArgType('options', 'of type object', options);
  }
  const checked = snapshot(options, NAMES);
  const { timeout, signal, name, onGreeting } = checked;
  if (timeout !== undefined) checkTimeout(timeout, 'options.timeout');
  if (signal != null && !isAbortSignal(signal)) {
    throw invalidArgType('options.signal', 'an instance of AbortSignal', signal);
  }
  if (onGreeting != null && typeof onGreeting !== 'function') {
    throw invalidArgType('options.onGreeting', 'of type function', onGreeting);
  }
  // To the others it is nothing.
  if (protocol === 'smtp' && name !== undefined) checkName(name);
  return checked;
}

export function checkTimeout(timeout: unknown, name: string): void {
  if (typeof timeout !== 'number') throw invalidArgType(name, 'of type number', timeout);
  if (!(timeout > 0 && timeout <= MAX_TIMEOUT)) {
    throw outOfRange(name, `> 0 && <= ${MAX_TIMEOUT}`, timeout);
  }
}

function checkName(name: unknown): void {
  if (typeof name !== 'string') throw invalidArgType('options.name', 'of type string', name);
  if (!NAME.test(name)) {
    throw invalidArgValue('options.name', 'must be 1 to 255 printable characters without spaces');
  }
}

/** A host without a name says its address (RFC 5321, section 4.1.4), which we may not have yet. */
function ownName(): string {
  const name = hostname();
  return NAME.test(name) ? name : '[127.0.0.1]';
}

/** By their shapes: they may come from another copy of the stream module, or another realm. */
function isDuplex(value: unknown): boolean {
  const stream = (value ?? {}) as Partial<Duplex>;
  const methods = [stream.on, stream.write, stream.pause, stream.destroy];
  return methods.every((method) => typeof method === 'function');
}

function isAbortSignal(value: unknown): boolean {
  const signal = (value ?? {}) as Partial<AbortSignal>;
  return typeof signal.aborted === 'boolean' && typeof signal.addEventListener === 'function';
}
