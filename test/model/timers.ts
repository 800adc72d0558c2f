/** Timers that were set and neither cleared nor gone off, those included that keep no process alive. */
import { createHook } from 'node:async_hooks';

export class Timers {
  readonly #alive = new Set<number>();
  readonly #hook = createHook({
    init: (id, type) => {
      if (type === 'Timeout') this.#alive.add(id);
    },
    destroy: (id) => {
      this.#alive.delete(id);
    },
  }).enable();

  /** Of those that were set since this was made. */
  get alive(): number {
    return this.#alive.size;
  }

  stop(): void {
    this.#hook.disable();
  }
}
