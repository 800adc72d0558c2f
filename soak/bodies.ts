/** What is uploaded and downloaded: the same bytes on both sides, unlike at every place. */
import { createHash } from 'node:crypto';
import { randomOf } from './random';

export interface Body {
  readonly bytes: Buffer;
  /** SHA-256, in hexadecimal. */
  readonly digest: string;
}

const made = new Map<number, Body>();

export function bodyOf(size: number): Body {
  const known = made.get(size);
  if (known !== undefined) return known;
  const random = randomOf(0, size);
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1) bytes[at] = Math.floor(random() * 256);
  const body = { bytes, digest: createHash('sha256').update(bytes).digest('hex') };
  made.set(size, body);
  return body;
}
