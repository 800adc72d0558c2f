import { invalidArgType } from './errors';

/** A string stands for its UTF-8 bytes; any view or ArrayBuffer for the bytes it shows. */
export function toBytes(value: unknown, name: string): Uint8Array {
  if (typeof value === 'string') return Buffer.from(value, 'utf8');
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  throw invalidArgType(
    name,
    'of type string or an instance of Buffer, TypedArray or DataView',
    value,
  );
}

/** One value or a list of them, as node:tls takes `ca`, `cert`, `key`, `crl` and `pfx`. */
export function toList<T>(value: T | readonly T[] | null | undefined): readonly T[] {
  if (value === null || value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}
