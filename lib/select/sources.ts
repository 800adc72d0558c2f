/**
 * Where a selection takes its credentials from.
 */
import type { CertificateRequest } from '../certificate-request';
import { Credential, sharedCredential } from '../credential';
import type { CredentialOptions } from '../credential-options';
import { invalidArgType } from '../errors';
import { has } from '../given';
import type { ClientCertCallbackContext } from '../types';

/** What a {@link CredentialFinder} found: one credential, several, or none. */
export type FoundCredentials =
  | Credential
  | CredentialOptions
  | Iterable<Credential | CredentialOptions>
  | AsyncIterable<Credential | CredentialOptions>
  | null
  | undefined;

/**
 * Looks for credentials when a server asks: in a store, on the smart cards that are in the readers
 * now. It is called when its turn comes, for each request anew; what is worth keeping, it keeps.
 *
 * An iterable is read one by one, only as far as is needed, and closed then: an async generator can
 * look at one card after another. The signal aborts when no credential is of use any more.
 */
export type CredentialFinder = (
  request: CertificateRequest,
  context: ClientCertCallbackContext,
) => FoundCredentials | PromiseLike<FoundCredentials>;

/** A credential, what one is made from, or a function that finds some. */
export type CredentialSource = Credential | CredentialOptions | CredentialFinder;

/** Credentials that are there, and functions that have yet to find theirs. */
export type CheckedSource = Credential | CredentialFinder;

/** Makes at once what can be made at once, so that a wrong key is no surprise of the first handshake. */
export function checkedSources(sources: unknown): CheckedSource[] {
  if (!Array.isArray(sources)) throw invalidArgType('sources', 'an Array', sources);
  return sources.map((source: unknown, i) => {
    if (typeof source === 'function') return source as CredentialFinder;
    if (isCredentialLike(source)) return Credential.from(source);
    throw invalidArgType(
      `sources[${i}]`,
      'a Credential, an Object to make one from ({ cert, key } or { pfx }), or a function that finds some',
      source,
    );
  });
}

/** All credentials of all sources in order, each looked for when it is asked for. */
export async function* credentialsOf(
  sources: readonly CheckedSource[],
  request: CertificateRequest,
  context: ClientCertCallbackContext,
): AsyncGenerator<Credential, void> {
  for (const [i, source] of sources.entries()) {
    if (typeof source !== 'function') {
      yield source;
      continue;
    }
    context.signal.throwIfAborted();
    const found: unknown = await source(request, context);
    for await (const item of asIterable(found, i)) {
      // Whoever looked until nobody cared any more need not look on.
      context.signal.throwIfAborted();
      if (!isCredentialLike(item)) throw wrongFind(i, item);
      yield sharedCredential(item);
    }
  }
}

function asIterable(found: unknown, i: number): Iterable<unknown> | AsyncIterable<unknown> {
  if (found === null || found === undefined) return [];
  if (isCredentialLike(found)) return [found];
  if (typeof found === 'object' && (Symbol.iterator in found || Symbol.asyncIterator in found)) {
    return found as Iterable<unknown>;
  }
  throw wrongFind(i, found);
}

function wrongFind(i: number, found: unknown): TypeError {
  return invalidArgType(
    `sources[${i}]()`,
    'a Credential, an Object to make one from ({ cert, key } or { pfx }), an iterable of these, or null',
    found,
  );
}

function isCredentialLike(value: unknown): value is Credential | CredentialOptions {
  if (Credential.is(value)) return true;
  return value !== null && typeof value === 'object' && (has(value, 'cert') || has(value, 'pfx'));
}
