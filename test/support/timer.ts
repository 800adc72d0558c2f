/** Time that is over when a test says so. */
import { deferred, within } from './client';

/** Notes each timer of `ms` milliseconds that is set in this realm; end by `jest.restoreAllMocks()`. */
export function noteTimer(ms: number) {
  const noted = deferred<() => void>();
  const { setTimeout } = globalThis;
  const noting = (runOut: () => void, delay?: number, ...args: []) => {
    if (delay === ms) noted.resolve(runOut);
    return setTimeout(runOut, delay, ...args);
  };
  const set = jest.spyOn(globalThis, 'setTimeout').mockImplementation(noting as never);
  return {
    /** Has the first of them run out, once it is set. */
    runOut: async () => (await within('timer', noted.promise))(),
    count: () => set.mock.calls.filter(([, delay]) => delay === ms).length,
  };
}
