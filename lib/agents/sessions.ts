/**
 * Sessions that an agent keeps for its next connections.
 */
import { connect } from '../connect';
import type { Credential } from '../credential';
import { invalidArgType, outOfRange } from '../errors';
import { snapshot } from '../given';
import type { ConnectionOptions } from '../options';
import type { TLSSocket } from '../tls-socket';
import { resetWhereTruncated } from './truncation';

/** Options of agents and connectors that keep sessions. */
export interface SessionOptions {
  /** Places to connect to whose newest session is kept; 0 keeps none. Default: `100`. */
  maxCachedSessions?: number | undefined;
  /**
   * Resume sessions that were made with the credential that `clientCertCallback` chose: the callback
   * is not called then, and the server takes the client for whom it was. Default: `false`, the callback
   * is called for each connection. Sessions made with `cert`, `pfx` or `credential`, and those of servers
   * that did not ask, are resumed either way.
   */
  resumeAnswers?: boolean | undefined;
}

const NAMES = ['maxCachedSessions', 'resumeAnswers'] as const;

interface Kept {
  readonly session: Buffer;
  /** As whom it was made, where a callback had chosen. */
  readonly credential: Credential | undefined;
}

export class Sessions {
  readonly #limit: number;
  readonly #resumeAnswers: boolean;
  /** The place that was kept first is the first. */
  readonly #kept = new Map<string, Kept>();

  /** @throws TypeError `ERR_INVALID_ARG_TYPE`; RangeError `ERR_OUT_OF_RANGE`. */
  constructor(options: SessionOptions) {
    const { maxCachedSessions = 100, resumeAnswers = false } = snapshot(options, NAMES);
    if (typeof maxCachedSessions !== 'number') {
      throw invalidArgType('options.maxCachedSessions', 'of type number', maxCachedSessions);
    }
    if (!(maxCachedSessions >= 0)) {
      throw outOfRange('options.maxCachedSessions', '>= 0', maxCachedSessions);
    }
    if (typeof resumeAnswers !== 'boolean') {
      throw invalidArgType('options.resumeAnswers', 'of type boolean', resumeAnswers);
    }
    this.#limit = maxCachedSessions;
    this.#resumeAnswers = resumeAnswers;
  }

  /**
   * Connects with the session of that place, and keeps the newest that comes. Whether it is offered is
   * not decided here: a session knows whose it is.
   */
  connect(place: string, options: ConnectionOptions): TLSSocket {
    // A session of the caller's own choice is left to him.
    const socket = resetWhereTruncated(
      connect(options.session ? options : { ...options, ...this.#offered(place) }),
    );
    if (this.#limit === 0) return socket;
    socket.on('session', (session) => {
      const { credential } = socket.clientAuth;
      this.#keep(place, { session, credential: credential ?? undefined });
    });
    // It may be why.
    socket.once('close', (hadError) => {
      if (hadError) this.#kept.delete(place);
    });
    return socket;
  }

  #offered(place: string): Pick<ConnectionOptions, 'session' | 'sessionCredential'> {
    const kept = this.#kept.get(place);
    if (kept === undefined) return {};
    const { session, credential } = kept;
    return this.#resumeAnswers && credential !== undefined
      ? { session, sessionCredential: credential }
      : { session };
  }

  #keep(place: string, kept: Kept): void {
    const [oldest] = this.#kept.keys();
    if (!this.#kept.has(place) && this.#kept.size >= this.#limit && oldest !== undefined) {
      this.#kept.delete(oldest);
    }
    this.#kept.set(place, kept);
  }
}
