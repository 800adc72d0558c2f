/** Who the client talks to, as the model sees it. */
import { Received } from './pattern';

/** What one connection has shown its peer. */
export class Seen extends Received {
  /** Whether its handshake is complete on the peer's side. */
  secured = false;
  /** For each request for a certificate that was answered: whose came, by common name, or `'nobody'`. */
  readonly shown: string[] = [];
  /** It cannot tell whether a client that renegotiated by itself was asked: `'nobody'` may be either. */
  unsure = false;
  /** Requests that the peer sent, where it can tell. */
  requests: number | undefined;
  /** Plaintext bytes that it was told to send, before its end. */
  sent = 0;
  /** The client's end was read: all that it had to say. */
  ended = false;
  /** The peer has been told to end, by close_notify. */
  closing = false;
  /** Its side of the connection is gone. */
  gone = false;
  /** Why it failed, as the peer has it. */
  failure: string | undefined;
}

/** A server that one client at a time is connected to. Each is told what to do from outside of TLS. */
export interface Peer {
  readonly port: number;
  /** Called at each change of what was seen. */
  changed: () => void;
  /** The next connection will be a new one; what it shows. */
  expect(options: { readonly asksFirst: boolean }): Seen;
  /** Sends the next bytes of the pattern. */
  write(size: number): void;
  /** Asks for a certificate: by renegotiation on TLS 1.2, after the handshake on TLS 1.3. */
  ask(): void;
  /** close_notify, and the end of its side; it reads on. */
  end(): void;
  stall(): void;
  flow(): void;
  /** Resolves when all that has arrived was dealt with. */
  sync(): Promise<void>;
  /** Lets go of the connection, if there still is one. */
  hangUp(): Promise<void>;
  stop(): Promise<void>;
}
