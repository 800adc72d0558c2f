/** Counts, and watches, what native code is made to parse. */
import { binding } from '../../lib/binding';

const COUNTED = {
  Context: 'contexts',
  Credential: 'credentials',
  TrustStore: 'trustStores',
} as const;

type Counter = (typeof COUNTED)[keyof typeof COUNTED];
export type Made = Record<Counter, number>;

type Class = new (...args: unknown[]) => object;

/** What was made while `action` ran, and does not hold on to it. */
export async function madeObjects(
  action: () => unknown,
): Promise<Record<Counter, WeakRef<object>[]>> {
  const made: Record<Counter, WeakRef<object>[]> = {
    contexts: [],
    credentials: [],
    trustStores: [],
  };
  const classes = binding as unknown as Record<string, Class>;
  const originals = { ...classes };
  for (const [name, counter] of Object.entries(COUNTED)) {
    const Original = originals[name] as Class;
    classes[name] = function counted(...args: unknown[]) {
      const object = new Original(...args);
      made[counter].push(new WeakRef(object));
      return object;
    } as unknown as Class;
  }
  try {
    await action();
  } finally {
    for (const name of Object.keys(COUNTED)) classes[name] = originals[name] as Class;
  }
  return made;
}

/** How many. Contexts and credentials are made by parsing, and in no other way. */
export async function madeDuring(action: () => unknown): Promise<Made> {
  const { contexts, credentials, trustStores } = await madeObjects(action);
  return {
    contexts: contexts.length,
    credentials: credentials.length,
    trustStores: trustStores.length,
  };
}
