import type { CertificateRequest } from './certificate-request';
import { messageOf, TLSClientCertError } from './errors';
import type { ClientCertAnswer } from './types';

/** What a suspension does to the question behind it. @internal */
export interface SuspensionActions {
  again(): void;
  answer(answer: ClientCertAnswer | PromiseLike<ClientCertAnswer>): void;
  fail(error: TLSClientCertError): void;
}

/**
 * A handshake that waits because the callback returned `SUSPEND`. Exactly one of its methods takes
 * effect, once; further calls throw `ERR_SUSPENSION_SPENT` and change nothing.
 */
export class Suspension {
  /** What the server asked. */
  readonly request: CertificateRequest;
  /** Aborts when resuming is of no use any more; its `reason` is the error. */
  readonly signal: AbortSignal;
  #actions: SuspensionActions | null;
  #spentBy = '';

  private constructor(
    request: CertificateRequest,
    signal: AbortSignal,
    actions: SuspensionActions,
  ) {
    this.request = request;
    this.signal = signal;
    this.#actions = actions;
  }

  /** @internal */
  static of(
    request: CertificateRequest,
    signal: AbortSignal,
    actions: SuspensionActions,
  ): Suspension {
    return new Suspension(request, signal, actions);
  }

  /** How often the callback was asked for this request, from 1. */
  get attempt(): number {
    return this.request.attempt;
  }

  /**
   * Without an argument: runs the handshake again, and so asks the callback again, with `attempt`
   * one higher. With one: answers as if the callback had returned it; `null` and `undefined`
   * decline.
   *
   * @throws {@link TLSClientCertError} `ERR_SUSPENSION_SPENT`
   */
  resume(...answer: [answer?: ClientCertAnswer | PromiseLike<ClientCertAnswer>]): void {
    const actions = this.#spend('resume()');
    if (answer.length === 0) actions.again();
    else actions.answer(answer[0]);
  }

  /**
   * Fails the connection with `ERR_CLIENT_CERT_ABORTED` and `error` as its cause. Nothing is sent.
   *
   * @throws {@link TLSClientCertError} `ERR_SUSPENSION_SPENT`
   */
  abort(error?: unknown): void {
    this.#spend('abort()').fail(
      new TLSClientCertError(
        'ERR_CLIENT_CERT_ABORTED',
        `The suspended handshake was aborted${error === undefined ? '.' : `: ${messageOf(error)}`}`,
        { cause: error },
      ),
    );
  }

  /** @internal Nobody is there who could use it. */
  static unheard(suspension: Suspension): void {
    suspension.#actions?.fail(
      new TLSClientCertError(
        'ERR_CLIENT_CERT_SUSPEND_UNHEARD',
        "The client certificate callback returned SUSPEND, but nobody listens to the socket's " +
          "'suspend' event: nobody could resume the handshake. Add the listener before connecting.",
      ),
    );
  }

  /** @internal The handshake is over, for the reason given. */
  static expire(suspension: Suspension, reason: string): void {
    if (suspension.#actions === null) return;
    suspension.#actions = null;
    suspension.#spentBy = reason;
  }

  #spend(by: string): SuspensionActions {
    const actions = this.#actions;
    if (actions === null) {
      throw new TLSClientCertError(
        'ERR_SUSPENSION_SPENT',
        `This suspension cannot be used any more: ${this.#spentBy}. Each is good for one resume() or abort().`,
      );
    }
    this.#actions = null;
    this.#spentBy = `${by} was called on it`;
    return actions;
  }
}
