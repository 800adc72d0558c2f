import type { Connection } from './connection';
import type { Suspension } from './suspension';

/** What an operation of a {@link Connection} led to. */
export type ConnectionResult =
  /** It is done. */
  | {
      readonly status: 'done';
      /** Plaintext bytes read or written, at least 1; 0 for what moves none. */
      readonly bytes: number;
    }
  /** The peer has to send more first: `receive()` it, then call again. */
  | { readonly status: 'want-read' }
  /** The server asked for a client certificate, and the answer, or its signature, is not there yet. */
  | {
      readonly status: 'suspended';
      /** When the callback returned `SUSPEND`; `null` while a promise or a signer is waited for. */
      readonly suspension: Suspension | null;
    }
  /** The peer sent close_notify, and nothing follows. */
  | { readonly status: 'closed' }
  /** The connection failed. What `drain()` gives may tell the peer why. */
  | { readonly status: 'failed'; readonly error: Error };

/** Whom a {@link Connection} tells about what happens beside the results of its operations. */
export interface ConnectionListener {
  /**
   * A suspended operation can go on, or has something new to say: call it again. That is when the
   * answer or a signature came, when there is a {@link Suspension}, and after `receiveEnd()`. Never
   * called from within an operation.
   */
  resumed?(): void;
  /**
   * A session that a later connection may resume, for its option `session`. Called while reading.
   * Where this is undefined the session is let go.
   */
  session?: ((session: Buffer) => void) | undefined;
  /**
   * The OCSP response that the server stapled to its certificate, in DER; `null` when it did not.
   * Called with the option `requestOCSP`, before the handshake is complete and before any client
   * certificate leaves: {@link Connection.destroy} keeps it from leaving.
   */
  ocspResponse?(response: Buffer | null): void;
  /**
   * A secret of the connection, as one line of an SSLKEYLOGFILE. Where this is undefined none is
   * written down.
   */
  keylog?: ((line: Buffer) => void) | undefined;
  /** What `enableTrace()` is for: text about the messages that came and went. */
  trace?(text: Buffer): void;
  /**
   * TLS 1.2: another handshake on this connection is complete, or more than one. Called while reading.
   */
  renegotiated?(): void;
}
