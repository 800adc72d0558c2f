/** Looks for bytes in this process's own memory, and for text in its heap. Linux alone shows the former. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { getHeapSnapshot } from 'node:v8';

/** The bytes, kept so that whoever looks for them does not find this. */
export class Mark {
  readonly #inverted: Buffer;

  constructor(bytes: Uint8Array) {
    this.#inverted = inverted(Buffer.from(bytes));
  }

  /** Whether memory has them that this process could write to. */
  inMemory(): boolean {
    return writableMemory((chunk) => inverted(chunk).includes(this.#inverted));
  }

  /** Whether a snapshot has them as text, in one of the usual forms. */
  inSnapshot(snapshot: string): boolean {
    const bytes = inverted(Buffer.from(this.#inverted));
    const forms = (['hex', 'base64', 'latin1', 'utf8'] as const).map((form) =>
      bytes.toString(form),
    );
    bytes.fill(0);
    return forms.some((form) => snapshot.includes(JSON.stringify(form).slice(1, -1)));
  }
}

/** Strings stand in it as JSON. What nobody holds is collected first. */
export async function heapSnapshot(of: Readable = getHeapSnapshot()): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of of) chunks.push(Buffer.from(chunk as string));
  return Buffer.concat(chunks).toString('latin1');
}

/** In place; in words where that can be, which is a good deal faster. */
function inverted(bytes: Buffer): Buffer {
  const { buffer, byteOffset, length } = bytes;
  const words = byteOffset % 4 === 0 ? length >> 2 : 0;
  const inWords = new Int32Array(buffer, words === 0 ? 0 : byteOffset, words);
  for (let i = 0; i < words; i++) inWords[i] = ~(inWords[i] as number);
  for (let i = words * 4; i < length; i++) bytes[i] = (bytes[i] as number) ^ 0xff;
  return bytes;
}

const CHUNK = 1024 * 1024;
/** So that what lies across the border of two chunks is seen whole. */
const OVERLAP = 256;
/** A sanitizer's shadow, and what is reserved and not used. */
const LARGEST = 2 ** 30;

function writableMemory(isThere: (chunk: Buffer) => boolean): boolean {
  const maps = readFileSync('/proc/self/maps', 'latin1').split('\n');
  const memory = openSync('/proc/self/mem', 'r');
  const room = Buffer.alloc(CHUNK + OVERLAP);
  try {
    return maps.some((line) => {
      const [, from = '', to = ''] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
      const [start, end] = [Number.parseInt(from, 16), Number.parseInt(to, 16)];
      if (!(end - start <= LARGEST)) return false;
      for (let at = start; at < end; at += CHUNK) {
        const size = readAt(memory, room, at, Math.min(room.length, end - at));
        const found = isThere(room.subarray(0, size));
        // A copy of it is not to be found in its turn.
        room.fill(0);
        if (found) return true;
      }
      return false;
    });
  } finally {
    closeSync(memory);
  }
}

/** Some of a process's pages nobody may read, and some are gone by now. */
function readAt(memory: number, room: Buffer, at: number, size: number): number {
  try {
    return readSync(memory, room, 0, size, at);
  } catch {
    return 0;
  }
}
