/**
 * Whether two sets of options come to the same, told without keeping what is secret in them.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Raw } from './bytes';

/** Of no use to anyone who finds a digest: passphrases are easily guessed. */
const DIGEST_KEY = randomBytes(32);

/** Collects what a {@link Fingerprint} is of. Where one kind of list ends is for the caller to add. */
export class FingerprintParts {
  readonly #parts: unknown[] = [];
  readonly #secrets: Raw[] = [];
  #owner: object | undefined;

  /** Values, and bytes, which count by what they hold when they are compared. */
  add(...parts: readonly unknown[]): void {
    this.#parts.push(...parts);
  }

  /** What never changes, or is only what it is: it counts by identity. */
  addObject(object: object): void {
    this.#parts.push(object);
    this.#owner ??= object;
  }

  /** Enters by a digest. Text and its bytes are the same. */
  addSecret(secret: Raw | undefined): void {
    this.#parts.push(secret === undefined);
    if (secret !== undefined) this.#secrets.push(secret);
  }

  /** To be made when all are added. */
  fingerprint(): Fingerprint {
    return new Fingerprint([digest(this.#secrets), ...this.#parts], this.#owner);
  }
}

export class Fingerprint {
  readonly #parts: readonly unknown[];

  constructor(
    parts: readonly unknown[],
    /** The first of its objects: where that is gone, no other fingerprint can equal this one. */
    readonly owner: object | undefined,
  ) {
    this.#parts = parts;
  }

  equals(other: Fingerprint): boolean {
    const theirs = other.#parts;
    return (
      this.#parts.length === theirs.length && this.#parts.every((part, i) => same(part, theirs[i]))
    );
  }

  /** The same, without the caller's memory, which may change. */
  detached(): Fingerprint {
    return new Fingerprint(
      this.#parts.map((part) => (part instanceof Uint8Array ? Buffer.from(part) : part)),
      this.owner,
    );
  }
}

function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  return (
    one instanceof Uint8Array && other instanceof Uint8Array && Buffer.compare(one, other) === 0
  );
}

function digest(secrets: readonly Raw[]): string {
  if (secrets.length === 0) return '';
  const hmac = createHmac('sha256', DIGEST_KEY);
  // In front, so that no secret's end can pass for the next one's beginning.
  hmac.update(secrets.map((secret) => Buffer.byteLength(secret)).join());
  for (const secret of secrets) hmac.update(secret);
  return hmac.digest('base64');
}
