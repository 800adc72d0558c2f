/**
 * Logging in: one prompt for all who wait, one dialog at a time, and no PIN sent twice.
 */
import { isRefusal, OperationFailed } from './failures';
import { askPin, type PinCallback, type PinRequest, RefusedPins } from './pin';
import { type Pin, type TokenId, type TokenRecord, tokenKey } from './protocol';
import type { Operator } from './thread';

/** A login under way, and how many wait for it. */
interface SharedLogin {
  readonly done: Promise<void>;
  readonly controller: AbortController;
  waiting: number;
}

/** The logins of one module. */
export class Logins {
  readonly #thread: Operator;
  readonly #callback: PinCallback | undefined;
  readonly #refused = new RefusedPins();
  readonly #shared = new Map<string, SharedLogin>();
  /** By token, the end of the queue of signatures that need a PIN each. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(thread: Operator, callback: PinCallback | undefined) {
    this.#thread = thread;
    this.#callback = callback;
  }

  /** Logs in, together with all others who want that for the same token now. */
  login(token: TokenId, label: string, signal: AbortSignal): Promise<void> {
    const key = tokenKey(token);
    let shared = this.#shared.get(key);
    if (shared === undefined) {
      const controller = new AbortController();
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
    use: (pin: Pin) => Promise<Result>,
  ): Promise<Result> {
    const key = tokenKey(token);
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.then(async () => {
      signal.throwIfAborted();
      const record = await this.#thread.request('token', { token }, signal);
      return this.#withPin(record, { purpose: 'signature', label, signal }, use);
    });
    const settled = turn.catch(() => {});
    this.#turns.set(key, settled);
    void settled.then(() => {
      if (this.#turns.get(key) === settled) this.#turns.delete(key);
    });
    return turn;
  }

  /** Ends the prompts for logins: nobody can sign any more. */
  close(reason: Error): void {
    for (const { controller } of this.#shared.values()) controller.abort(reason);
    this.#shared.clear();
  }

  async #login(token: TokenId, label: string, signal: AbortSignal): Promise<void> {
    const record = await this.#thread.request('token', { token }, signal);
    await this.#withPin(record, { purpose: 'login', label, signal }, (pin) =>
      this.#thread.request('login', { token, pin }, signal),
    );
  }

  /** Asks, uses, remembers a refusal, wipes. */
  async #withPin<Result>(
    record: TokenRecord,
    about: Pick<PinRequest, 'purpose' | 'label' | 'signal'>,
    use: (pin: Pin) => Promise<Result>,
  ): Promise<Result> {
    const pin = await askPin(record, about, this.#callback, this.#refused);
    // Taken now: what is moved to the thread cannot be read here any more.
    const hash = this.#refused.hash(pin);
    try {
      about.signal.throwIfAborted();
      return await use(pin);
    } catch (error) {
      // A PIN pad takes another one the next time.
      if (pin !== 'pad' && error instanceof OperationFailed && isRefusal(error.failure)) {
        this.#refused.add(record, about.purpose, hash);
      }
      throw error;
    } finally {
      // What has moved to the thread is wiped there.
      if (pin !== 'pad' && pin.length > 0) pin.fill(0);
    }
  }

  #join(key: string, shared: SharedLogin, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      shared.waiting += 1;
      const aborted = () => {
        shared.waiting -= 1;
        reject(signal.reason);
        if (shared.waiting > 0) return;
        // Nobody waits for this prompt any more; whoever comes next gets one of their own.
        this.#forget(key, shared.controller);
        shared.controller.abort(signal.reason);
      };
      if (signal.aborted) return aborted();
      signal.addEventListener('abort', aborted, { once: true });
      const over = shared.controller.signal;
      // The callback may pay no heed to its signal.
      const closed = () => reject(over.reason);
      over.addEventListener('abort', closed, { once: true });
      shared.done.then(resolve, reject).finally(() => {
        signal.removeEventListener('abort', aborted);
        over.removeEventListener('abort', closed);
      });
    });
  }

  #forget(key: string, controller: AbortController): void {
    if (this.#shared.get(key)?.controller === controller) this.#shared.delete(key);
  }
}
