import { given } from './given';

/** Whether `await` would wait for `value`. Looking at `then` may throw. */
export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return (
    value !== null &&
    (typeof value === 'object' || typeof value === 'function') &&
    typeof given(value as { then?: unknown }, 'then') === 'function'
  );
}
