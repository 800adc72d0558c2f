/**
 * The worker thread of a PKCS#11 module, seen from the main thread.
 */
import { realpathSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { messageOf } from '../../errors';
import { asError, moduleError, OperationFailed } from './failures';
import type { LibraryRecord, OperationName, Operations, Reply, Request } from './protocol';
import { RefusedPins } from './refused-pins';

/** Whatever somebody has put on `Object.prototype`. */
const isFailure = (reply: Reply): reply is Extract<Reply, { failure: unknown }> =>
  Object.hasOwn(reply, 'failure');

interface Job {
  readonly request: Request;
  readonly resolve: (brought: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type State =
  | { readonly is: 'running'; readonly worker: Worker }
  | { readonly is: 'over'; readonly error: Error };

/** What signers and modules need of a thread. */
export interface Operator {
  /** The module's path, as it was given. */
  readonly path: string;
  readonly refusedPins: RefusedPins;
  /**
   * Performs an operation, after those that were asked for before it. Rejects with
   * {@link OperationFailed}, or, when the thread is over, with `ERR_PKCS11_MODULE`. When `signal` aborts
   * before it was begun, it is not, and this rejects with the signal's reason; after that what came of
   * it is told all the same, for a PIN may have been used up.
   */
  request<Name extends OperationName>(
    name: Name,
    takes: Operations[Name]['takes'],
    signal?: AbortSignal,
  ): Promise<Operations[Name]['brings']>;
  /** Keeps the process alive until the returned function is called. */
  hold(): () => void;
}

/**
 * One for each module and process thread, shared by all who loaded it: PKCS#11 keeps logins and
 * initialization for the whole process, and C_Finalize would pull the rug from under others.
 */
const threads = new Map<string, Promise<ModuleThread>>();

/** Those whose threads died while the module was initialized, so that nobody finalized it. */
const orphaned = new Set<string>();

/** Those on their way out: C_Finalize has to be over before the next C_Initialize. */
const ending = new Map<string, Promise<void>>();

/**
 * They outlive the threads: whoever opens a module for each connection must not lock a card either. For all
 * modules, because one may have several names, and a card several modules.
 */
const refusedPins = new RefusedPins();

export class ModuleThread implements Operator {
  #state: State;
  #users = 0;
  #holds = 0;
  #current: Job | undefined;
  readonly #queue: Job[] = [];
  readonly refusedPins = refusedPins;
  #opened: Operations['open']['brings'] | undefined;

  private constructor(
    readonly path: string,
    readonly name: string,
  ) {
    // Beside this file, in TypeScript or compiled.
    const worker = new Worker(require.resolve('./worker'));
    this.#state = { is: 'running', worker };
    worker.on('message', (reply: Reply) => this.#replied(reply));
    worker.on('error', (error) =>
      this.#over('thread-failed', `failed: ${messageOf(error)}`, error),
    );
    worker.on('exit', () => this.#over('thread-ended', 'has ended'));
  }

  /** The thread of the module at `path`, started if need be. To be given back by {@link release}. */
  static async share(path: string): Promise<ModuleThread> {
    const name = resolved(path);
    for (;;) {
      const starting = threads.get(name) ?? ModuleThread.#start(path, name);
      threads.set(name, starting);
      try {
        const thread = await starting;
        // It may have come to its end while this waited.
        if (thread.#state.is === 'over' || threads.get(name) !== starting) continue;
        thread.#users += 1;
        return thread;
      } catch (error) {
        if (threads.get(name) === starting) threads.delete(name);
        throw error;
      }
    }
  }

  static async #start(path: string, name: string): Promise<ModuleThread> {
    await ending.get(name);
    const thread = new ModuleThread(path, name);
    const release = thread.hold();
    try {
      thread.#opened = await thread.request('open', { path, orphaned: orphaned.delete(name) });
      return thread;
    } catch (error) {
      await thread.#end();
      throw asError(error, { path });
    } finally {
      release();
    }
  }

  /** Of C_GetInfo. */
  get info(): LibraryRecord {
    if (this.#opened === undefined) throw new Error('the module is not open');
    return this.#opened.library;
  }

  request<Name extends OperationName>(
    name: Name,
    takes: Operations[Name]['takes'],
    signal?: AbortSignal,
  ): Promise<Operations[Name]['brings']> {
    return new Promise<unknown>((resolve, reject) => {
      if (this.#state.is === 'over') return reject(this.#state.error);
      if (signal?.aborted) return reject(signal.reason);
      const release = this.hold();
      const settled = () => {
        release();
        signal?.removeEventListener('abort', aborted);
      };
      const job: Job = {
        request: { name, takes },
        resolve: (brought) => {
          settled();
          resolve(brought);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      };
      // What the thread is at cannot be stopped; what waits need not be begun.
      const aborted = () => {
        const place = this.#queue.indexOf(job);
        if (place < 0) return;
        this.#queue.splice(place, 1);
        job.reject(signal?.reason);
      };
      signal?.addEventListener('abort', aborted, { once: true });
      this.#queue.push(job);
      this.#next();
    }) as Promise<Operations[Name]['brings']>;
  }

  hold(): () => void {
    this.#holds += 1;
    if (this.#holds === 1 && this.#state.is === 'running') this.#state.worker.ref();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holds -= 1;
      // Idle, it is no reason to stay.
      if (this.#holds === 0 && this.#state.is === 'running') this.#state.worker.unref();
    };
  }

  /** Ends the thread when its last user is gone; then C_Finalize has been called. */
  async release(): Promise<void> {
    this.#users -= 1;
    if (this.#users > 0 || this.#state.is === 'over') return;
    threads.delete(this.name);
    const closed = this.request('close', {})
      .then(() => {
        this.#opened = undefined;
      })
      .finally(() => this.#end());
    const ended = closed.catch(() => {}).finally(() => ending.delete(this.name));
    ending.set(this.name, ended);
    try {
      await closed;
    } catch (error) {
      throw asError(error, { path: this.path });
    }
  }

  async #end(): Promise<void> {
    if (this.#state.is === 'running') await this.#state.worker.terminate();
  }

  #next(): void {
    if (this.#current !== undefined || this.#state.is === 'over') return;
    this.#current = this.#queue.shift();
    if (this.#current === undefined) return;
    const { request } = this.#current;
    const { pin } = request.takes as { pin?: unknown };
    // Moved, not copied: no second PIN stays behind here. It has its memory to itself.
    const moved = pin instanceof Uint8Array ? [pin.buffer as ArrayBuffer] : [];
    this.#state.worker.postMessage(request, moved);
  }

  #replied(reply: Reply): void {
    const job = this.#current;
    this.#current = undefined;
    if (isFailure(reply)) job?.reject(new OperationFailed(reply.failure));
    else job?.resolve(reply.brought);
    this.#next();
  }

  #over(reason: string, what: string, cause?: unknown): void {
    if (this.#state.is === 'over') return;
    const error = moduleError(
      reason,
      `The thread of the PKCS#11 module ${this.path} ${what}. Load the module again.`,
      cause,
    );
    this.#state = { is: 'over', error };
    if (this.#opened?.ours) orphaned.add(this.name);
    void threads.get(this.name)?.then(
      (thread) => thread === this && threads.delete(this.name),
      () => {},
    );
    const jobs = this.#current === undefined ? this.#queue : [this.#current, ...this.#queue];
    this.#current = undefined;
    for (const job of jobs.splice(0)) job.reject(error);
    this.#queue.length = 0;
  }
}

/** The same module under two names is one; a bare name is the loader's business. */
function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
