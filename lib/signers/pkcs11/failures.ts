/**
 * From what happened in the worker thread to the errors of this package.
 */
import { existsSync } from 'node:fs';
import { TLSClientCertError } from '../../errors';
import { CKR, returnValueName } from './constants';
import type { FailureRecord, TokenId } from './protocol';

/** What an operation was about, for the sentence. */
export interface About {
  readonly path: string;
  readonly token?: TokenId | undefined;
  /** The key's or certificate's label. */
  readonly object?: string | undefined;
}

/**
 * After these, session or handles are not what they were, and another try with new ones may do: the
 * card was away, or somebody else in this process logged out or closed the sessions.
 */
const STALE: readonly number[] = [
  CKR.CKR_TOKEN_NOT_PRESENT,
  CKR.CKR_DEVICE_REMOVED,
  CKR.CKR_SESSION_HANDLE_INVALID,
  CKR.CKR_SESSION_CLOSED,
  CKR.CKR_USER_NOT_LOGGED_IN,
  CKR.CKR_OBJECT_HANDLE_INVALID,
  CKR.CKR_KEY_HANDLE_INVALID,
  CKR.CKR_CRYPTOKI_NOT_INITIALIZED,
];

/** The reasons of `ERR_PKCS11_PIN` that come from a token, and what to do. */
const PIN_REASONS = new Map<number, readonly [reason: string, sentence: string]>([
  [CKR.CKR_PIN_INCORRECT, ['incorrect', 'was wrong. It is not tried again: enter the right one']],
  [CKR.CKR_PIN_INVALID, ['invalid', 'has characters that the token does not take']],
  [CKR.CKR_PIN_LEN_RANGE, ['length', 'is too short or too long for the token']],
  [CKR.CKR_PIN_EXPIRED, ['expired', "has expired: set a new one with the token's own tool"]],
  [CKR.CKR_PIN_LOCKED, ['locked', "is locked: unblock it with the token's own tool and the PUK"]],
  [
    CKR.CKR_USER_PIN_NOT_INITIALIZED,
    ['not-initialized', "has never been set: set one with the token's own tool"],
  ],
  [CKR.CKR_CANCEL, ['cancelled', 'was not entered at the token: the entry was cancelled']],
  [CKR.CKR_FUNCTION_CANCELED, ['cancelled', 'was not entered at the token: it was cancelled']],
]);

/** Whether a failed operation is worth another try, with a new session. */
export function isStale(failure: FailureRecord): boolean {
  return failure.kind === 'returned' && STALE.includes(failure.value);
}

/** Whether a token was presented a PIN that it does not accept. */
export function isRefusal(failure: FailureRecord): boolean {
  // Pulled out since, it has refused it all the same.
  if (failure.kind === 'token-gone') return failure.after !== undefined && isRefusal(failure.after);
  return (
    failure.kind === 'returned' &&
    (failure.value === CKR.CKR_PIN_INCORRECT ||
      failure.value === CKR.CKR_PIN_INVALID ||
      failure.value === CKR.CKR_PIN_LEN_RANGE)
  );
}

/** Thrown by the thread, so that whoever asked can look at the record first. */
export class OperationFailed extends Error {
  constructor(readonly failure: FailureRecord) {
    super(failure.kind);
  }
}

/** What was thrown, as an error of this package when it is a failed operation. */
export function asError(thrown: unknown, about: About): unknown {
  return thrown instanceof OperationFailed ? errorOf(thrown.failure, about) : thrown;
}

export function errorOf(failure: FailureRecord, about: About): TLSClientCertError {
  const token = tokenName(about.token);
  const object = about.object === undefined ? 'the key' : `the key of "${about.object}"`;
  switch (failure.kind) {
    case 'returned':
      return returned(failure, token);
    case 'token-gone':
      return tokenError(
        'removed',
        `${token} is not there any more. Put it back and connect again.`,
        failure.after === undefined ? undefined : cause(failure.after),
      );
    case 'key-not-found':
      return objectError(
        'key-not-found',
        `${token} has the certificate "${about.object ?? ''}", but no private key with its CKA_ID. ` +
          'Import the key under the same id, or choose another certificate.',
      );
    case 'key-ambiguous':
      return objectError(
        'key-ambiguous',
        `${token} has ${failure.count} private keys with the CKA_ID of "${about.object ?? ''}". ` +
          'Give each key and its certificate an id of their own.',
      );
    case 'no-mechanism':
      return objectError(
        'no-mechanism',
        `Neither ${token} nor ${object} allow a mechanism for this signature scheme ` +
          '(see CKA_ALLOWED_MECHANISMS). Take another key, or a server that accepts other schemes.',
      );
    case 'pkcs11js-missing':
      return moduleError(
        'pkcs11js-missing',
        'The package pkcs11js, which loads PKCS#11 modules, is not installed or cannot be loaded. ' +
          'Run: npm install pkcs11js',
        new Error(failure.message),
      );
    case 'not-loaded':
      return notLoaded(failure.message, about.path);
    case 'unexpected':
      return new TLSClientCertError(
        'ERR_PKCS11_FAILED',
        `The PKCS#11 module ${about.path} could not be used: ${failure.message}`,
        { reason: 'unexpected' },
      );
  }
}

function returned(
  failure: FailureRecord & { kind: 'returned' },
  token: string,
): TLSClientCertError {
  const name = returnValueName(failure.value);
  const [reason, sentence] = PIN_REASONS.get(failure.value) ?? [];
  if (failure.function === 'C_Login' && reason !== undefined) {
    return pinError(reason, `The PIN of ${token} ${sentence}.`, cause(failure));
  }
  if (
    failure.value === CKR.CKR_TOKEN_NOT_PRESENT ||
    failure.value === CKR.CKR_DEVICE_REMOVED ||
    failure.value === CKR.CKR_TOKEN_NOT_RECOGNIZED
  ) {
    return tokenError(
      'removed',
      `${token} was removed. Put it back and connect again.`,
      cause(failure),
    );
  }
  return new TLSClientCertError(
    'ERR_PKCS11_FAILED',
    `${failure.function} of the PKCS#11 module returned ${name} for ${token}.`,
    { reason: name },
  );
}

function notLoaded(message: string, path: string): TLSClientCertError {
  const why = new Error(message);
  // The loader's own words: no other names the function.
  if (message.includes('C_GetFunctionList')) {
    return moduleError(
      'not-pkcs11',
      `The library ${path} is no PKCS#11 module: it has no C_GetFunctionList. Give the path of the ` +
        "token's PKCS#11 module.",
      why,
    );
  }
  // A bare name is looked for by the loader, in its folders.
  if (/[\\/]/.test(path) && !existsSync(path)) {
    return moduleError(
      'not-found',
      `There is no file ${path}. Give the path of the token's PKCS#11 module.`,
      why,
    );
  }
  return moduleError(
    'not-loadable',
    `The PKCS#11 module ${path} cannot be loaded: ${message}`,
    why,
  );
}

export function moduleError(reason: string, message: string, why?: unknown): TLSClientCertError {
  return failed('ERR_PKCS11_MODULE', reason, message, why);
}

export function tokenError(reason: string, message: string, why?: unknown): TLSClientCertError {
  return failed('ERR_PKCS11_TOKEN', reason, message, why);
}

export function pinError(reason: string, message: string, why?: unknown): TLSClientCertError {
  return failed('ERR_PKCS11_PIN', reason, message, why);
}

export function objectError(reason: string, message: string): TLSClientCertError {
  return failed('ERR_PKCS11_OBJECT', reason, message);
}

function failed(code: string, reason: string, message: string, why?: unknown): TLSClientCertError {
  // It may begin with a token's name.
  const sentence = message.replace(/^the /, 'The ');
  return new TLSClientCertError(code, sentence, { reason, cause: why });
}

export function tokenName(token: TokenId | undefined): string {
  if (token === undefined) return 'the token';
  return `the token "${token.label}" (serial ${token.serial === '' ? 'unknown' : token.serial})`;
}

/** What the module said, for whoever looks closer. */
function cause(failure: FailureRecord): Error | undefined {
  if (failure.kind !== 'returned') return undefined;
  return new Error(`${failure.function} returned ${returnValueName(failure.value)}`);
}
