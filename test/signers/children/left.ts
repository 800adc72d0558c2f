/** What memory holds, in words. */
export const left = (memory: Uint8Array): string =>
  memory.every((byte) => byte === 0) ? 'wiped' : String.fromCharCode(...memory);
