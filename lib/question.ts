import { types } from 'node:util';
import type { CertificateRequest } from './certificate-request';
import { Credential, sharedCredential } from './credential';
import { describe, messageOf, TLSClientCertError } from './errors';
import { has } from './given';
import { isPromiseLike } from './is-promise-like';
import { LazySignal } from './lazy-signal';
import { Suspension } from './suspension';
import { type ClientCertAnswer, type ClientCertCallback, SUSPEND } from './types';

/** How a question ends, or goes on. */
export type Outcome =
  | { readonly kind: 'credential'; readonly credential: Credential }
  | { readonly kind: 'decline' }
  | { readonly kind: 'again' }
  | { readonly kind: 'failure'; readonly error: TLSClientCertError };

/** What the question needs of the connection that it belongs to. */
export interface QuestionOwner {
  /** Called at most once for each {@link Question.put}. */
  settled(outcome: Outcome): void;
  /** There is a new {@link Question.suspension}. */
  suspended(): void;
}

type Settled = ClientCertAnswer | typeof SUSPEND;

/** Whom a promise tells; nobody any more once the question is over. */
interface Waiter {
  arrived: ((value: Settled) => void) | undefined;
  failed: ((error: unknown) => void) | undefined;
}

/**
 * One request of a server's, put to the callback once, or again after `resume()`. It takes the
 * first answer and no other, and none after {@link cancel}.
 */
export class Question {
  readonly #owner: QuestionOwner;
  readonly #timeout: number;
  readonly #signal = new LazySignal();
  /** Which call of the callback is waited for; answers to any other come too late. */
  #turn = 0;
  #over = false;
  #timer: NodeJS.Timeout | undefined;
  #suspension: Suspension | null = null;
  #waiter: Waiter | undefined;

  /** @param timeout - Milliseconds for all attempts together; 0: no limit. */
  constructor(owner: QuestionOwner, timeout: number) {
    this.#owner = owner;
    this.#timeout = timeout;
  }

  /** Calls the callback. The outcome may arrive before this returns, or much later. */
  put(request: CertificateRequest, callback: ClientCertCallback): void {
    const turn = ++this.#turn;
    const settle = (outcome: Outcome) => this.#settle(turn, outcome);
    let answer: ReturnType<ClientCertCallback>;
    try {
      answer = callback(request, this.#signal.context);
    } catch (error) {
      settle({ kind: 'failure', error: callbackError('threw', error) });
      return;
    }
    this.#take(request, answer, settle);
  }

  /** What the answer may come through; `null` while a promise is waited for. */
  get suspension(): Suspension | null {
    return this.#suspension;
  }

  /** No answer is of use any more: `reason` reaches the signal. */
  cancel(reason: Error): void {
    if (this.#over) return;
    this.#end(`the connection is over (${reason.message})`);
    this.#signal.abort(reason);
  }

  #take(
    request: CertificateRequest,
    answer: ReturnType<ClientCertCallback>,
    settle: (outcome: Outcome) => void,
  ): void {
    let thenable: boolean;
    try {
      thenable = isPromiseLike(answer);
    } catch (error) {
      settle({ kind: 'failure', error: callbackError('threw', error) });
      return;
    }
    if (answer === SUSPEND) {
      this.#suspend(request, settle);
    } else if (thenable) {
      this.#suspension = null;
      this.#startTimer();
      this.#waiter = {
        arrived: (value) => this.#arrived(request, value, settle),
        failed: (error) => settle({ kind: 'failure', error: callbackError('rejected', error) }),
      };
      wait(answer as PromiseLike<Settled>, this.#waiter);
    } else {
      settle(outcomeOf(answer));
    }
  }

  #arrived(request: CertificateRequest, value: Settled, settle: (outcome: Outcome) => void): void {
    if (this.#over) return;
    if (value === SUSPEND) this.#suspend(request, settle);
    else settle(outcomeOf(value));
  }

  #suspend(request: CertificateRequest, settle: (outcome: Outcome) => void): void {
    if (this.#over) return;
    this.#startTimer();
    const suspension = Suspension.of(request, this.#signal.signal, {
      again: () => settle({ kind: 'again' }),
      answer: (answer) => this.#take(request, answer, settle),
      fail: (error) => settle({ kind: 'failure', error }),
    });
    this.#suspension = suspension;
    this.#owner.suspended();
  }

  #settle(turn: number, outcome: Outcome): void {
    if (this.#over || turn !== this.#turn) return;
    if (outcome.kind === 'again') {
      this.#turn++;
    } else {
      const reason = outcome.kind === 'failure' ? outcome.error : undefined;
      this.#end(
        reason === undefined
          ? 'the server was answered'
          : `the connection failed (${reason.message})`,
      );
      if (reason !== undefined) this.#signal.abort(reason);
    }
    this.#owner.settled(outcome);
  }

  #end(spentBy: string): void {
    this.#over = true;
    if (this.#waiter !== undefined) {
      this.#waiter.arrived = undefined;
      this.#waiter.failed = undefined;
    }
    clearTimeout(this.#timer);
    if (this.#suspension !== null) Suspension.expire(this.#suspension, spentBy);
  }

  /** From the first suspension on; an answer given at once costs no timer. */
  #startTimer(): void {
    if (this.#timeout === 0 || this.#timer !== undefined || this.#over) return;
    this.#timer = setTimeout(() => {
      const error = new TLSClientCertError(
        'ERR_CLIENT_CERT_TIMEOUT',
        `Neither the client certificate callback nor its suspension gave an answer within clientCertTimeout (${this.#timeout} ms).`,
      );
      this.#settle(this.#turn, { kind: 'failure', error });
    }, this.#timeout);
    // The socket keeps the process alive; where it is unref'd, this must not.
    this.#timer.unref();
  }
}

/**
 * What it leaves at the promise holds on to `waiter` alone: a promise that is kept and never settles, of a dialog
 * that nobody closes, is not to keep the connection with it.
 */
function wait(answer: PromiseLike<Settled>, waiter: Waiter): void {
  // Through a promise of our own, which a foreign thenable cannot settle twice or call at once;
  // and out of it again, so that what a listener throws is an uncaught exception as everywhere.
  Promise.resolve(answer).then(
    (value) => process.nextTick(() => waiter.arrived?.(value)),
    (error) => process.nextTick(() => waiter.failed?.(error)),
  );
}

function outcomeOf(answer: ClientCertAnswer | unknown): Outcome {
  if (answer === null || answer === undefined) return { kind: 'decline' };
  if (Credential.is(answer)) return { kind: 'credential', credential: answer };
  // Whatever it does when it is looked at: a proxy may throw.
  try {
    if (!looksRight(answer)) {
      const error = new TLSClientCertError(
        'ERR_CLIENT_CERT_ANSWER',
        `The server's request for a client certificate was answered with ${describe(answer)}. The callback must return, or resume() be given, a ` +
          'Credential or { cert, key, chain } or { pfx, passphrase }, null to decline, a promise of ' +
          'one of these, or SUSPEND.',
      );
      return { kind: 'failure', error };
    }
    return { kind: 'credential', credential: sharedCredential(answer as never) };
  } catch (error) {
    return { kind: 'failure', error: answerError(error) };
  }
}

function looksRight(answer: unknown): boolean {
  if (typeof answer !== 'object' || answer === null) return false;
  return has(answer, 'cert') || has(answer, 'key') || has(answer, 'pfx');
}

function answerError(error: unknown): TLSClientCertError {
  if (error instanceof TLSClientCertError) return error;
  return new TLSClientCertError(
    'ERR_CLIENT_CERT_ANSWER',
    `The client certificate callback's answer makes no credential: ${messageOf(error)}`,
    { cause: error },
  );
}

function callbackError(how: 'threw' | 'rejected', error: unknown): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_CLIENT_CERT_CALLBACK',
    `The client certificate callback ${how === 'threw' ? 'threw' : 'returned a promise that was rejected with'} ${
      types.isNativeError(error)
        ? `an error: ${error.message}`
        : `what is no Error: ${describe(error)}`
    }`,
    { cause: error },
  );
}
