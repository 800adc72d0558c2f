/**
 * Asking for PINs: what the callback is told, and what its answer is taken for.
 */
import { types } from 'node:util';
import { describe, messageOf, TLSClientCertError } from '../../errors';
import { unlessAborted } from '../unless-aborted';
import { pinError, tokenName } from './failures';
import type { Pin, TokenRecord } from './protocol';
import { type Pkcs11Token, publicToken, type TriesLeft } from './token';

/** What a PIN is wanted for. */
export interface PinRequest {
  readonly token: Pkcs11Token;
  /** How many tries are left; PKCS#11 tells no number. See {@link TriesLeft}. */
  readonly triesLeft: TriesLeft;
  /**
   * `'login'`: to use the token; not again as long as it stays in its slot. `'signature'`: for this one
   * signature, by a key that wants that (CKA_ALWAYS_AUTHENTICATE).
   */
  readonly purpose: 'login' | 'signature';
  /** The label of the certificate that is to be used. */
  readonly label: string;
  /** Aborts when no PIN is of use any more: all handshakes that wait for it are over. */
  readonly signal: AbortSignal;
}

/** `null` and `undefined`: no PIN is given, the signature fails with `ERR_PKCS11_PIN`, `'cancelled'`. */
export type PinAnswer = string | Uint8Array | null | undefined;

/**
 * Asked when a signature needs a PIN, and never before. Its answer goes to the token once and is not
 * kept: bytes are overwritten after use, a string is left to the garbage collector.
 */
export type PinCallback = (request: PinRequest) => PinAnswer | PromiseLike<PinAnswer>;

/**
 * Gets a PIN for a token from the callback, as bytes that are nobody else's.
 *
 * @throws {@link TLSClientCertError} `ERR_PKCS11_PIN`; its `reason` is `'locked'` or
 *   `'not-initialized'` (the callback is not called), `'missing'` (there is none), `'cancelled'` (it
 *   gave none) or `'callback-failed'`.
 */
export async function askPin(
  record: TokenRecord,
  about: Pick<PinRequest, 'purpose' | 'label' | 'signal'>,
  callback: PinCallback | undefined,
): Promise<Pin> {
  const token = publicToken(record);
  const name = tokenName(record);
  if (token.pin === 'locked') {
    throw pinError(
      'locked',
      `The PIN of ${name} is locked. Unblock it with the token's own tool and the PUK.`,
    );
  }
  if (token.pinPad) return 'pad';
  if (token.pin === 'not-initialized') {
    throw pinError(
      'not-initialized',
      `The PIN of ${name} has never been set. Set one with the token's own tool.`,
    );
  }
  if (callback === undefined) {
    throw pinError(
      'missing',
      `${name} wants a PIN. Pass the option pin, a function that asks for it.`,
    );
  }
  const answer = await answerOf(callback, { ...about, token, triesLeft: token.pin }, name);
  const pin = bytesOf(answer);
  if (pin === undefined) {
    throw pinError('cancelled', `No PIN was given for ${name}. To go on, connect again.`);
  }
  return pin;
}

async function answerOf(
  callback: PinCallback,
  request: PinRequest,
  token: string,
): Promise<PinAnswer> {
  try {
    const answer = Promise.resolve(callback(request));
    return await unlessAborted(answer, request.signal).catch((error) => {
      // One that comes too late goes nowhere, and is wiped as the others are.
      void answer.then(bytesOf).then(
        (pin) => pin?.fill(0),
        () => {},
      );
      throw error;
    });
  } catch (error) {
    if (request.signal.aborted) throw request.signal.reason;
    if (error instanceof TLSClientCertError && error.code === 'ERR_PKCS11_PIN') throw error;
    throw pinError(
      'callback-failed',
      `The PIN callback failed for ${token}: ${messageOf(error)}`,
      error,
    );
  }
}

/** A copy with memory of its own, which can be moved to the thread; what was handed over is wiped. */
function bytesOf(answer: unknown): Uint8Array | undefined {
  if (answer === null || answer === undefined || answer === '') return undefined;
  if (typeof answer === 'string') {
    const encoded = Buffer.from(answer, 'utf8');
    const pin = new Uint8Array(encoded);
    encoded.fill(0);
    return pin;
  }
  if (!types.isUint8Array(answer)) {
    // A number may be a PIN that has lost the zeros in front of it.
    const error = new TypeError(
      'The callback "pin" must answer with the PIN as a string or a Uint8Array, or with null for ' +
        `none. Received ${describe(answer)}`,
    );
    throw Object.assign(error, { code: 'ERR_INVALID_ARG_TYPE' });
  }
  const pin = answer.length === 0 ? undefined : new Uint8Array(answer);
  answer.fill(0);
  return pin;
}
