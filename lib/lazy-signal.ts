/** An `AbortSignal` that is made when somebody first looks at it: most callbacks never do. */
export class LazySignal {
  #controller: AbortController | undefined;
  #reason: Error | undefined;

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }

  /** What a callback gets: it shows the signal, and not how to abort it. */
  get context(): { readonly signal: AbortSignal } {
    const signal = () => this.signal;
    return {
      get signal() {
        return signal();
      },
    };
  }
}
