/**
 * Remembers what tokens refused, so that a callback that always gives the same answer does not lock a
 * card.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { NamedTurns } from '../turns';
import { isRefusal, OperationFailed, pinError, tokenName } from './failures';
import type { PinRequest } from './pin';
import { type Pin, type TokenRecord, tokenKey } from './protocol';

/** Not the PINs: hashes under a key that is never written anywhere. */
export class RefusedPins {
  readonly #key = randomBytes(32);
  readonly #hashes = new Set<string>();
  readonly #turns = new NamedTurns();

  /**
   * Has a PIN presented to a token by `use`, unless the token refused it before. One at a time: of two
   * alike, the second is to know what became of the first.
   *
   * @param signal - Until `use` is called.
   * @throws {@link TLSClientCertError} `ERR_PKCS11_PIN` with `reason` `'incorrect'`: it was refused.
   */
  present<Result>(
    token: TokenRecord,
    purpose: PinRequest['purpose'],
    pin: Pin,
    signal: AbortSignal,
    use: () => Promise<Result>,
  ): Promise<Result> {
    // A PIN pad takes another one the next time.
    if (pin === 'pad') return use();
    const name = tokenKey(token);
    // Taken now: what is moved to the thread cannot be read here any more.
    const hash = createHmac('sha256', this.#key).update(`${name}\0${purpose}\0`).update(pin);
    const known = hash.digest('hex');
    const presented = async () => {
      if (this.#hashes.has(known)) throw refusedBefore(token);
      try {
        return await use();
      } catch (error) {
        if (error instanceof OperationFailed && isRefusal(error.failure)) this.#hashes.add(known);
        throw error;
      }
    };
    return this.#turns.take(name, presented, signal);
  }
}

function refusedBefore(token: TokenRecord): Error {
  return pinError(
    'incorrect',
    `The PIN for ${tokenName(token)} is one that it refused before. It is not sent again, so that the ` +
      'token does not lock. If it is right by now, start the program again.',
  );
}
