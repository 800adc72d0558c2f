import { invalidArgType } from './errors';

/** Text, or a view of the caller's bytes. */
export type Raw = string | Uint8Array;

/** Any view stands for the bytes it shows; nothing is copied. */
export function toRaw(value: unknown, name: string): Raw {
  if (typeof value === 'string' || value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  throw invalidArgType(
    name,
    'of type string or an instance of Buffer, TypedArray or DataView',
    value,
  );
}

/** A string stands for its UTF-8 bytes. */
export function encode(raw: Raw): Uint8Array {
  return typeof raw === 'string' ? Buffer.from(raw, 'utf8') : raw;
}

export function toBytes(value: unknown, name: string): Uint8Array {
  return encode(toRaw(value, name));
}

/** One value or a list of them, as node:tls takes `ca`, `cert`, `key`, `crl` and `pfx`. */
export function toList<T>(value: T | readonly T[] | null | undefined): readonly T[] {
  if (value === null || value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}
