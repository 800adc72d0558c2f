/**
 * Logging in: one prompt for all who wait, one dialog at a time, and no PIN sent twice.
 */
import { setMaxListeners } from 'node:events';
import { NamedTurns } from '../turns';
import { unlessAborted } from '../unless-aborted';
import { askPin, type PinCallback, type PinRequest } from './pin';
import { type Pin, type TokenId, type TokenRecord, tokenKey } from './protocol';
import type { Operator } from './thread';

/** A login under way, and how many wait for it. */
interface SharedLogin {
  readonly done: Promise<void>;
  readonly controller: AbortController;
  waiting: number;
}

/**
 * Hands a PIN to the token. Once that was begun it has to wait for what comes of it, aborted or not: a
 * refusal is to be remembered though nobody else cares any more.
 */
type UsePin<Result> = (pin: Pin, signal: AbortSignal) => Promise<Result>;

/** The logins of one module. */
export class Logins {
  readonly #thread: Operator;
  readonly #callback: PinCallback | undefined;
  readonly #shared = new Map<string, SharedLogin>();
  /** By token, the signatures that need a PIN each. */
  readonly #turns = new NamedTurns();
  readonly #closing = crowdedController();

  constructor(thread: Operator, callback: PinCallback | undefined) {
    this.#thread = thread;
    this.#callback = callback;
  }

  /** @throws What {@link close} was given, once it was. */
  throwIfClosed(): void {
    this.#closing.signal.throwIfAborted();
  }

  /** Logs in, together with all others who want that for the same token now. */
  async login(token: TokenId, label: string, signal: AbortSignal): Promise<void> {
    this.throwIfClosed();
    signal.throwIfAborted();
    const key = tokenKey(token);
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      const controller = crowdedController();
      const done = this.#login(token, label, controller.signal);
      shared = { done, controller, waiting: 0 };
      this.#shared.set(key, shared);
      const forget = () => this.#forget(key, controller);
      done.then(forget, forget);
    }
    return this.#join(key, shared, signal);
  }

  /**
   * Asks for the PIN of one signature and hands it to `use`, one signature of a token after another,
   * so that what each prompt says of the tries left is true.
   */
  async forSignature<Result>(
    token: TokenId,
    label: string,
    signal: AbortSignal,
    use: UsePin<Result>,
  ): Promise<Result> {
    this.throwIfClosed();
    const both = either(signal, this.#closing.signal);
    const turn = this.#turns.take(
      tokenKey(token),
      async () => {
        const record = await this.#thread.request('token', { token }, both.signal);
        return this.#withPin(record, { purpose: 'signature', label, signal: both.signal }, use);
      },
      both.signal,
    );
    return unlessAborted(turn, both.signal).finally(both.release);
  }

  /** Ends the prompts: nobody can sign any more. */
  close(reason: Error): void {
    this.#closing.abort(reason);
    for (const { controller } of this.#shared.values()) controller.abort(reason);
    this.#shared.clear();
  }

  async #login(token: TokenId, label: string, signal: AbortSignal): Promise<void> {
    const record = await this.#thread.request('token', { token }, signal);
    await this.#withPin(record, { purpose: 'login', label, signal }, (pin) =>
      this.#thread.request('login', { token, pin }, signal),
    );
  }

  /** Asks, uses, wipes. */
  async #withPin<Result>(
    record: TokenRecord,
    about: Pick<PinRequest, 'purpose' | 'label' | 'signal'>,
    use: UsePin<Result>,
  ): Promise<Result> {
    const { purpose, signal } = about;
    signal.throwIfAborted();
    const pin = await askPin(record, about, this.#callback);
    try {
      signal.throwIfAborted();
      const { refusedPins } = this.#thread;
      return await refusedPins.present(record, purpose, pin, signal, () => use(pin, signal));
    } finally {
      // What has moved to the thread is wiped there.
      if (pin !== 'pad' && pin.length > 0) pin.fill(0);
    }
  }

  async #join(key: string, shared: SharedLogin, signal: AbortSignal): Promise<void> {
    shared.waiting += 1;
    const both = either(signal, shared.controller.signal);
    try {
      await unlessAborted(shared.done, both.signal);
    } finally {
      both.release();
      shared.waiting -= 1;
      if (shared.waiting === 0 && signal.aborted) {
        // Nobody waits for this prompt any more; whoever comes next gets one of their own.
        this.#forget(key, shared.controller);
        shared.controller.abort(signal.reason);
      }
    }
  }

  #forget(key: string, controller: AbortController): void {
    if (this.#shared.get(key)?.controller === controller) this.#shared.delete(key);
  }
}

/** Each who waits for a PIN listens to it; Node 20 takes more than ten for a leak. */
function crowdedController(): AbortController {
  const controller = new AbortController();
  setMaxListeners(Infinity, controller.signal);
  return controller;
}

/** A signal that aborts when one of two does; `release` lets go of them. */
function either(one: AbortSignal, other: AbortSignal) {
  const controller = new AbortController();
  const follow = (signal: AbortSignal) => {
    const aborted = () => controller.abort(signal.reason);
    if (signal.aborted) aborted();
    else signal.addEventListener('abort', aborted, { once: true });
    return () => signal.removeEventListener('abort', aborted);
  };
  const releases = [follow(one), follow(other)];
  const release = () => {
    for (const letGo of releases) letGo();
  };
  return { signal: controller.signal, release };
}
