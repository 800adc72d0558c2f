/**
 * What of a caller's options is the caller's: own properties and those of a class of his, but nothing that
 * somebody has put on `Object.prototype`, where it would be an option of everybody's.
 */

/** `object[name]`, read once; undefined for what only `Object.prototype` has. */
export function given<T extends object, K extends keyof T>(object: T, name: K): T[K] | undefined {
  const value = object[name];
  return value === undefined || isEverybodys(object, name) ? undefined : value;
}

/** Whether it has `name`, be it undefined, and not from `Object.prototype` alone. */
export function has(object: object, name: PropertyKey): boolean {
  return name in object && !isEverybodys(object, name);
}

/**
 * Those of `names`, each read once: getters and proxies may say something else the next time. What is read of
 * the result is never inherited.
 */
export function snapshot<T extends object>(options: T, names: Iterable<keyof T>): T {
  const copy = Object.create(null) as T;
  for (const name of names) {
    const value = given(options, name);
    if (value !== undefined) copy[name] = value;
  }
  return copy;
}

/** `record` for native code and for Node's, to which what it does not say is not to be found elsewhere. */
export function bare<T extends object>(record: T): T {
  return Object.assign(Object.create(null), record);
}

function isEverybodys(object: object, name: PropertyKey): boolean {
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, name)) return at !== object && isRoot(at);
  }
  // A proxy answers for what it does not show.
  return false;
}

/** Of any realm. */
function isRoot(object: object): boolean {
  return Object.getPrototypeOf(object) === null && Object.hasOwn(object, 'hasOwnProperty');
}
