import type { NativeStoreKey } from '../../binding';
import { publicError } from '../../failures';
import {
  isSignatureScheme,
  type SignatureScheme,
  signatureSchemeName,
  signatureSchemeNumber,
} from '../../signature-schemes';
import type { SignContext, Signer } from '../../signer';
import { type StoreName, storeError } from './failures';
import { Turns } from './turns';

/** Signs with a key that stays in its store. */
export class StoreSigner implements Signer {
  readonly schemes: readonly SignatureScheme[];
  readonly #key: NativeStoreKey;
  readonly #store: StoreName;
  readonly #turns = new Turns();

  constructor(key: NativeStoreKey, schemes: readonly SignatureScheme[], store: StoreName) {
    this.#key = key;
    this.schemes = schemes;
    this.#store = store;
  }

  /** What a device once began cannot be stopped; what it has not begun, and nobody wants, is not. */
  async sign(
    data: Uint8Array,
    scheme: SignatureScheme,
    { signal }: SignContext,
  ): Promise<Uint8Array> {
    try {
      const sign = () => this.#key.sign(signatureSchemeNumber(scheme), data);
      return await this.#turns.take(sign, signal);
    } catch (error) {
      throw publicError(error, (failure) => storeError(failure, this.#store));
    }
  }
}

/** Those of a key's schemes that have a name. */
export function schemesOf(key: NativeStoreKey): SignatureScheme[] {
  return key.schemes().map(signatureSchemeName).filter(isSignatureScheme);
}
