import type { FailureRecord, NativeStoreKey } from '../../binding';
import type { TLSClientCertError } from '../../errors';
import { publicError } from '../../failures';
import {
  isSignatureScheme,
  type SignatureScheme,
  signatureSchemeName,
  signatureSchemeNumber,
} from '../../signature-schemes';
import type { SignContext, Signer } from '../../signer';
import { Turns } from '../turns';
import { isRefusal, refusalError, type StoreName, storeError } from './failures';

/** Signs with a key that stays in its store. */
export class StoreSigner implements Signer {
  readonly schemes: readonly SignatureScheme[];
  readonly #key: NativeStoreKey;
  readonly #store: StoreName;
  readonly #locked: boolean;
  readonly #turns = new Turns();
  /** Once its passphrase was refused: each further try might bring the device nearer to locking. */
  #refusal: TLSClientCertError | undefined;

  /** @param locked - Whether there is a passphrase. */
  constructor(
    key: NativeStoreKey,
    schemes: readonly SignatureScheme[],
    store: StoreName,
    locked: boolean,
  ) {
    this.#key = key;
    this.schemes = schemes;
    this.#store = store;
    this.#locked = locked;
  }

  /** What a device once began cannot be stopped; what it has not begun, and nobody wants, is not. */
  async sign(
    data: Uint8Array,
    scheme: SignatureScheme,
    { signal }: SignContext,
  ): Promise<Uint8Array> {
    return this.#turns.take(async () => {
      if (this.#refusal !== undefined) throw this.#refusal;
      try {
        return await this.#key.sign(signatureSchemeNumber(scheme), data);
      } catch (error) {
        throw publicError(error, (failure) => this.#translated(failure));
      }
    }, signal);
  }

  #translated(failure: FailureRecord): TLSClientCertError {
    if (!isRefusal(failure)) return storeError(failure, this.#store);
    this.#refusal = refusalError(failure, this.#store, this.#locked);
    return this.#refusal;
  }
}

/** Those of a key's schemes that have a name. */
export function schemesOf(key: NativeStoreKey): SignatureScheme[] {
  return key.schemes().map(signatureSchemeName).filter(isSignatureScheme);
}
