/**
 * The package as the documents' examples are compiled against it: its own types, but that a socket's
 * listeners name an event that exists. (The package's types take any other string too, as those of
 * `events.EventEmitter` do, and would not see a misspelt one.)
 */
import type { ConnectionOptions, TLSSocket, TLSSocketEvents } from '../../lib/index';

export * from '../../lib/index';

interface Listens {
  on: Listen;
  once: Listen;
  addListener: Listen;
  prependListener: Listen;
  prependOnceListener: Listen;
}

type Listen = <Name extends keyof TLSSocketEvents>(
  event: Name,
  listener: (...args: TLSSocketEvents[Name]) => void,
) => ExampleSocket;

export interface ExampleSocket extends Omit<TLSSocket, keyof Listens>, Listens {}

export declare function connect(options: ConnectionOptions, listener?: () => void): ExampleSocket;
