/**
 * A certificate and its key in files.
 */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  type X509Certificate,
} from 'node:crypto';
import { basename } from 'node:path';
import { Credential } from '../../credential';
import { TLSClientCertError } from '../../errors';
import { Identity, type Needs, type PassphraseCallback } from './identity';
import { type KeyPart, publicKeyOf } from './parts';
import { askPassphrase } from './passphrase';

/** A certificate and the key that is, or may be, its own. */
export interface Pair {
  readonly file: string;
  readonly certificate: X509Certificate;
  readonly chain: readonly X509Certificate[];
  /** One that was matched; or encrypted ones, of which one may be the right one. */
  readonly keys: readonly [KeyPart, ...KeyPart[]];
}

export class FileIdentity extends Identity {
  readonly kind = 'file';
  readonly #pair: Pair;
  readonly #passphrase: PassphraseCallback | undefined;
  #whole: Credential | undefined;

  constructor(pair: Pair, passphrase: PassphraseCallback | undefined) {
    super();
    this.#pair = pair;
    this.#passphrase = passphrase;
  }

  get where(): string {
    return this.#pair.file;
  }

  get label(): string {
    return basename(this.#pair.file);
  }

  get certificate() {
    return this.#pair.certificate;
  }

  get chain() {
    return this.#pair.chain;
  }

  get keyWhere(): string {
    return this.#pair.keys[0].file;
  }

  get needs(): Needs {
    return this.#pair.keys[0].is === 'plain' ? 'nothing' : 'passphrase';
  }

  /** With its key where that can be read: then it needs no fibres. */
  override preview(): Credential | undefined {
    const { certificate: cert, chain, keys } = this.#pair;
    const [first] = keys;
    if (first.is === 'encrypted') return super.preview();
    this.#whole ??= new Credential({ cert, chain, key: first.key });
    return this.#whole;
  }

  protected async make(signal: AbortSignal): Promise<Credential> {
    if (this.#whole === undefined) {
      const { certificate: cert, chain, keys } = this.#pair;
      const [first] = keys;
      const key = first.is === 'plain' ? first.key : await this.#decrypted(signal);
      this.#whole = new Credential({ cert, chain, key });
    }
    return this.#whole;
  }

  #decrypted(signal: AbortSignal): Promise<KeyObject> {
    const wanted = publicKeyOf(this.certificate.publicKey);
    return askPassphrase(this.keyWhere, 'key', this.#passphrase, signal, (passphrase) => {
      const opened = this.#pair.keys.flatMap((key) => opens(key, passphrase));
      const own = opened.find((key) => publicKeyOf(createPublicKey(key)) === wanted);
      if (opened.length === 0 || own !== undefined) return own;
      throw new TLSClientCertError(
        'ERR_CREDENTIAL_MISMATCH',
        `The private key in ${this.keyWhere} does not belong to the certificate in ${this.where}: their public keys differ. Give the key that the certificate was issued for.`,
        { input: this.keyWhere, reason: 'mismatch' },
      );
    });
  }
}

function opens(part: KeyPart, passphrase: string): KeyObject[] {
  if (part.is === 'plain') return [part.key];
  const { bytes: key } = part;
  try {
    const isPem = key[0] === 0x2d;
    const format = isPem
      ? ({ format: 'pem' } as const)
      : ({ format: 'der', type: 'pkcs8' } as const);
    return [createPrivateKey({ key, passphrase, ...format })];
  } catch {
    return [];
  }
}
