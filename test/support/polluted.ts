/** Runs `action` while `Object.prototype` has these, as faults in programs' JSON merging let strangers do. */
export async function polluted<T>(
  names: Readonly<Record<string, unknown>>,
  action: () => T | Promise<T>,
): Promise<T> {
  for (const [name, value] of Object.entries(names)) {
    Object.defineProperty(Object.prototype, name, { value, configurable: true, writable: true });
  }
  try {
    return await action();
  } finally {
    for (const name of Object.keys(names)) delete (Object.prototype as never)[name];
  }
}
