/** One connection, looked at as far as it goes. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from '../../tls-socket';
import type { ClientCertCallback } from '../../types';
import type { CliError } from '../cli-error';
import type { ConnectionFlags } from '../connection-options';
import { readAnswer, requestFor } from '../one-request';
import { type Opened, type OpenOptions, openConnection } from '../open-connection';
import type { Target } from '../target';
import { connectionFacts, requestFacts, serverFacts } from './facts';
import { Messages } from './messages';
import type { ConnectionFacts, HttpFacts, RequestFacts, ServerFacts } from './report';
import { NOT_ANSWERED, refusal, type Verdict, verdictOf, whatFollows } from './what-follows';

export interface ObserveOptions {
  /** Milliseconds for which a request is left open. */
  readonly hold: number;
  /** Answer that there is no certificate, and see what the server does. */
  readonly decline: boolean;
  /** Ask for this by HTTP after the handshake, if the server is trusted. */
  readonly path: string | undefined;
  readonly signal: AbortSignal;
  /** Called with what it waits for next. */
  readonly tell: (doing: string) => void;
  /** For `connect()`, over what the flags say. */
  readonly connect?: OpenOptions;
}

export interface Observed {
  readonly connection: ConnectionFacts;
  readonly server: ServerFacts;
  readonly requests: readonly RequestFacts[];
  readonly verdict: Verdict;
  readonly http: HttpFacts | null;
  /** What was seen of the handshake, in order. */
  readonly messages: Messages;
}

/** How long to watch a server that was told that there is no certificate, in milliseconds. */
const WATCH = 1000;

/** @throws CliError when it comes neither to a request nor to the end of the handshake. */
export function observe(
  target: Target,
  flags: ConnectionFlags,
  options: ObserveOptions,
): Promise<Observed> {
  return new Observation(target, flags, options).made();
}

class Observation {
  readonly #target: Target;
  readonly #flags: ConnectionFlags;
  readonly #options: ObserveOptions;
  readonly #requests: RequestFacts[] = [];
  readonly #messages = new Messages();
  #facts: Pick<Observed, 'connection' | 'server'> | undefined;
  #socket: TLSSocket | undefined;
  #pathSent = false;
  /** Whether a request waits. */
  #open = false;
  #leave: (outcome: 'suspended') => void = () => {};
  /** When a request is left without an answer. */
  readonly #suspended = new Promise<'suspended'>((resolve) => {
    this.#leave = resolve;
  });

  constructor(target: Target, flags: ConnectionFlags, options: ObserveOptions) {
    this.#target = target;
    this.#flags = flags;
    this.#options = options;
  }

  async made(): Promise<Observed> {
    const { connect, signal } = this.#options;
    const opened = await openConnection(this.#target, this.#flags, {
      ...connect,
      // An untrusted server is told of, and shown nothing.
      rejectUnauthorized: false,
      clientCertCallback: this.#asked,
      enableTrace: true,
      signal,
    });
    this.#socket = opened.socket;
    opened.socket.on('trace', (text: Buffer) => this.#messages.read(text.toString('latin1')));
    let found: { verdict: Verdict; http: HttpFacts | null };
    try {
      const outcome = await Promise.race([this.#suspended, opened.secured]);
      found = outcome === 'suspended' ? this.#left() : await this.#goOn(opened);
    } catch (error) {
      if (this.#open) await this.#suspended;
      if (!this.#open && !this.#declined) throw error;
      found = this.#open
        ? this.#left()
        : { verdict: refusal(error as CliError), http: this.#http('refused before that') };
    } finally {
      opened.socket.destroy();
    }
    const { connection, server } = this.#facts ?? this.#look();
    return { connection, server, requests: this.#requests, messages: this.#messages, ...found };
  }

  readonly #asked: ClientCertCallback = async (request, { signal }) => {
    const { decline, hold, path, tell } = this.#options;
    this.#open = true;
    this.#look();
    const began = performance.now();
    this.#messages.suspended();
    if (hold > 0) tell(`Leaving the request of ${this.#target.authority} open`);
    if (hold > 0) await sleep(hold, undefined, { signal }).catch(() => {});
    this.#messages.resumed();
    const declines = decline && !signal.aborted;
    this.#requests.push({
      ...requestFacts(request, this.#pathSent ? (path ?? null) : null),
      answer: declines ? 'declined' : 'none',
      heldMs: Math.round((performance.now() - began) * 10) / 10,
      serverGaveUp: signal.aborted,
    });
    if (declines) {
      this.#open = false;
      return null;
    }
    this.#leave('suspended');
    // There is no answer; the socket will be destroyed.
    return new Promise<never>(() => {});
  };

  get #declined(): boolean {
    return this.#requests.some(({ answer }) => answer === 'declined');
  }

  /** Reads what there is to see, which is gone once the socket is. */
  #look(): Pick<Observed, 'connection' | 'server'> {
    const socket = this.#socket;
    if (socket === undefined) throw new Error('There is no connection to look at.');
    this.#facts ??= {
      connection: connectionFacts(socket, this.#messages.cipher),
      server: serverFacts(socket, socket.facts.sentCertificates()),
    };
    return this.#facts;
  }

  #left() {
    const asked = 'the server asked for a certificate first (see --decline)';
    return {
      verdict: NOT_ANSWERED,
      http: this.#pathSent ? this.#http('it asked for a certificate instead') : this.#http(asked),
    };
  }

  #http(problem: string): HttpFacts | null {
    const { path } = this.#options;
    return path === undefined ? null : { path, status: null, problem };
  }

  /** The handshake is complete, whether or not there was a request that was declined. */
  async #goOn(opened: Opened): Promise<Pick<Observed, 'verdict' | 'http'>> {
    const { path } = this.#options;
    const { socket } = opened;
    const { server } = this.#look();
    const { insecure, timeout, servername } = this.#flags;
    const distrusted = path !== undefined && !server.trusted && !insecure;
    const patience = path === undefined ? WATCH : timeout * 1000;
    const status = readAnswer(socket, patience).then(
      (answer) => (answer.is === 'answer' ? answer.status : null),
      () => null,
    );
    if (path !== undefined && !distrusted) {
      this.#pathSent = true;
      this.#options.tell(`Waiting for the answer to GET ${path}`);
      this.#messages.sent(`GET ${path}`);
      socket.write(requestFor(path, this.#target, servername));
    } else if (!this.#declined) {
      return { verdict: NOT_ANSWERED, http: this.#http(DISTRUSTED) };
    }
    const followed = await Promise.race([
      this.#suspended,
      whatFollows(opened, this.#pathSent ? timeout * 1000 : WATCH),
    ]);
    if (followed === 'suspended') return this.#left();
    const verdict = this.#declined ? verdictOf(followed) : NOT_ANSWERED;
    if (path === undefined || distrusted) return { verdict, http: this.#http(DISTRUSTED) };
    if (followed.kind !== 'data') return { verdict, http: this.#http('no answer came') };
    return { verdict, http: { path, status: await status, problem: null } };
  }
}

const DISTRUSTED = 'not asked for, because the server is not trusted (--insecure does it)';
