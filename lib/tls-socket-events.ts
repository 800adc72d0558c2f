import type { Suspension } from './suspension';

/** What a `TLSSocket` emits, and with which arguments. */
export interface TLSSocketEvents {
  /** The handshake is complete and the server judged. */
  secureConnect: [];
  /** The callback returned `SUSPEND`. */
  suspend: [suspension: Suspension];
  /** A session for the option `session` of a later connection. TLS 1.3 servers send several. */
  session: [session: Buffer];
  /**
   * With the option `requestOCSP`: what the server stapled to its certificate, in DER, or `null`. It comes
   * once the certificate was found good, and before any of the client's leaves: a listener that destroys
   * the socket keeps it from leaving.
   */
  OCSPResponse: [response: Buffer | null];
  /** A secret of the connection, as one line of an SSLKEYLOGFILE; see {@link logKeys}. */
  keylog: [line: Buffer];
  /** Nothing was read or written for as long as `setTimeout()` says. */
  timeout: [];
  /** All is over; whether because of an error. */
  close: [hadError: boolean];
  /** Of the `net.Socket` below, as `connect` and `ready` are. */
  lookup: [error: Error | null, address: string, family: number | string, host: string];
  connect: [];
  ready: [];
  /** With `autoSelectFamily`, for each address that is tried. */
  connectionAttempt: [ip: string, port: number, family: number];
  connectionAttemptFailed: [ip: string, port: number, family: number, error: Error];
  connectionAttemptTimeout: [ip: string, port: number, family: number];
  /** Of `stream.Duplex`, as all that follow. Text when `setEncoding()` was called. */
  // biome-ignore lint/suspicious/noExplicitAny: as stream.Readable has it
  data: [chunk: any];
  drain: [];
  end: [];
  error: [error: NodeJS.ErrnoException];
  finish: [];
  pause: [];
  readable: [];
  resume: [];
}

type Listener<Name extends keyof TLSSocketEvents> = (...args: TLSSocketEvents[Name]) => void;
// biome-ignore lint/suspicious/noExplicitAny: as events.EventEmitter has it
type AnyListener = (...args: any[]) => void;

/**
 * One method of an event emitter, with the events above told apart. Each by a signature of its own: those of
 * `stream.Duplex` name theirs literally, and TypeScript takes literal ones before generic ones.
 */
interface Listen<This> {
  (event: 'secureConnect', listener: Listener<'secureConnect'>): This;
  (event: 'suspend', listener: Listener<'suspend'>): This;
  (event: 'session', listener: Listener<'session'>): This;
  (event: 'OCSPResponse', listener: Listener<'OCSPResponse'>): This;
  (event: 'keylog', listener: Listener<'keylog'>): This;
  (event: 'timeout', listener: Listener<'timeout'>): This;
  (event: 'close', listener: Listener<'close'>): This;
  (event: 'lookup', listener: Listener<'lookup'>): This;
  (event: 'connect', listener: Listener<'connect'>): This;
  (event: 'ready', listener: Listener<'ready'>): This;
  (event: 'connectionAttempt', listener: Listener<'connectionAttempt'>): This;
  (event: 'connectionAttemptFailed', listener: Listener<'connectionAttemptFailed'>): This;
  (event: 'connectionAttemptTimeout', listener: Listener<'connectionAttemptTimeout'>): This;
  (event: 'data', listener: Listener<'data'>): This;
  (event: 'drain', listener: Listener<'drain'>): This;
  (event: 'end', listener: Listener<'end'>): This;
  (event: 'error', listener: Listener<'error'>): This;
  (event: 'finish', listener: Listener<'finish'>): This;
  (event: 'pause', listener: Listener<'pause'>): This;
  (event: 'readable', listener: Listener<'readable'>): This;
  (event: 'resume', listener: Listener<'resume'>): This;
  (event: string | symbol, listener: AnyListener): This;
}

/** The methods that take listeners. */
export interface ListensTo<This> {
  on: Listen<This>;
  once: Listen<This>;
  addListener: Listen<This>;
  prependListener: Listen<This>;
  prependOnceListener: Listen<This>;
}
