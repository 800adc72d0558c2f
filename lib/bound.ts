import type { AsyncResource } from 'node:async_hooks';

// biome-ignore lint/suspicious/noExplicitAny: of any arguments
type Functions<T> = { [Name in keyof T]: (...args: any[]) => void };

/** The same functions, each called in the context of `scope`: whoever calls them may be in another. */
export function boundTo<T extends Functions<T>>(scope: AsyncResource, functions: T): T {
  const bound: Functions<T> = { ...functions };
  for (const name in functions) {
    const call = functions[name];
    bound[name] = (...args) => scope.runInAsyncScope(call, undefined, ...args);
  }
  return bound as T;
}
