import { EventEmitter } from 'node:events';

/** That of the code under test, and that of Node's own classes: here, unlike in a program, these are two. */
const ROOTS = [Object.prototype, Object.getPrototypeOf(EventEmitter.prototype) as object];

/** Runs `action` while `Object.prototype` has these, as faults in programs' JSON merging let strangers do. */
export async function polluted<T>(
  names: Readonly<Record<string, unknown>>,
  action: () => T | Promise<T>,
): Promise<T> {
  for (const [name, value] of Object.entries(names)) {
    for (const root of ROOTS) {
      Object.defineProperty(root, name, { value, configurable: true, writable: true });
    }
  }
  try {
    return await action();
  } finally {
    for (const name of Object.keys(names)) {
      for (const root of ROOTS) delete root[name as never];
    }
  }
}
