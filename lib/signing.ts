import { types } from 'node:util';
import { describe, messageOf, TLSClientCertError } from './errors';
import { isPromiseLike } from './is-promise-like';
import { LazySignal } from './lazy-signal';
import type { SignatureScheme } from './signature-schemes';
import type { Signer } from './signer';

/** What a signer was asked, and for whom. */
export interface SigningTask {
  readonly signer: Signer;
  readonly data: Uint8Array;
  readonly scheme: SignatureScheme;
  /** Subject of the certificate, for the sentence of an error. */
  readonly subject: string;
}

export type SigningOutcome =
  | { readonly kind: 'signature'; readonly signature: Uint8Array }
  | { readonly kind: 'failure'; readonly error: TLSClientCertError };

/** One signature that a signer was asked for: the first outcome counts, and none after {@link cancel}. */
export class Signing {
  /** Until it is over: a signer's promise that never settles is not to keep the connection. */
  #settled: ((outcome: SigningOutcome) => void) | undefined;
  readonly #signal = new LazySignal();
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  /** @param settled - Called at most once; before `begin()` returns, or much later. */
  constructor(settled: (outcome: SigningOutcome) => void) {
    this.#settled = settled;
  }

  /** @param timeout - Milliseconds; 0: no limit. */
  begin(task: SigningTask, timeout: number): void {
    const fail = (how: string, thrown: unknown) =>
      this.#settle({ kind: 'failure', error: failedError(task, how, thrown) });
    let signature: unknown;
    let thenable: boolean;
    try {
      signature = task.signer.sign(task.data, task.scheme, this.#signal.context);
      thenable = isPromiseLike(signature);
    } catch (error) {
      fail('threw', error);
      return;
    }
    if (!thenable) {
      this.#settle(outcomeOf(task, signature));
      return;
    }
    this.#startTimer(task, timeout);
    // Out of the promise again, so that what a listener throws is an uncaught exception.
    Promise.resolve(signature).then(
      (value) => process.nextTick(() => this.#settle(outcomeOf(task, value))),
      (error) => process.nextTick(fail, 'returned a promise that was rejected with', error),
    );
  }

  /** The signature is of no use any more: `reason` reaches the signal. */
  cancel(reason: Error): void {
    if (this.#over) return;
    this.#end();
    this.#signal.abort(reason);
  }

  #startTimer({ scheme, subject }: SigningTask, timeout: number): void {
    // sign() may have ended the connection that it was called for.
    if (timeout === 0 || this.#over) return;
    this.#timer = setTimeout(() => {
      const error = new TLSClientCertError(
        'ERR_CLIENT_CERT_TIMEOUT',
        `The signer of the client certificate ${subject} gave no signature (${scheme}) within clientCertTimeout (${timeout} ms).`,
      );
      this.#settle({ kind: 'failure', error });
    }, timeout);
    // The socket keeps the process alive; where it is unref'd, this must not.
    this.#timer.unref();
  }

  #settle(outcome: SigningOutcome): void {
    if (this.#over) return;
    const settled = this.#settled;
    this.#end();
    if (outcome.kind === 'failure') this.#signal.abort(outcome.error);
    settled?.(outcome);
  }

  #end(): void {
    this.#over = true;
    this.#settled = undefined;
    clearTimeout(this.#timer);
  }
}

function outcomeOf(task: SigningTask, value: unknown): SigningOutcome {
  if (types.isUint8Array(value)) return { kind: 'signature', signature: value };
  const error = new TLSClientCertError(
    'ERR_SIGNER_FAILED',
    `The signer of the client certificate ${task.subject} returned ${describe(value)} in place of a signature. sign() must return a Uint8Array, or a promise of one.`,
  );
  return { kind: 'failure', error };
}

function failedError({ scheme, subject }: SigningTask, how: string, thrown: unknown) {
  const what = types.isNativeError(thrown)
    ? `an error: ${messageOf(thrown)}`
    : `what is no Error: ${describe(thrown)}`;
  return new TLSClientCertError(
    'ERR_SIGNER_FAILED',
    `The signer of the client certificate ${subject}, asked for a signature (${scheme}), ${how} ${what}`,
    { cause: thrown },
  );
}
