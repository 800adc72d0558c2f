/**
 * A PFX (PKCS#12): certificate, chain and key in one file, mostly encrypted as a whole.
 */
import { basename } from 'node:path';
import { Credential } from '../../credential';
import { TLSClientCertError } from '../../errors';
import { Identity, type Needs, type PassphraseCallback } from './identity';
import { askPassphrase } from './passphrase';

/** What is wrong with one, by `reason` of the error of {@link Credential}. */
const FAULTS: Readonly<Record<string, string>> = {
  'pfx-unreadable': 'is no readable PFX (PKCS#12): it is damaged, or something else',
  'pfx-unsupported':
    'is protected by an algorithm that OpenSSL has not, or in its legacy provider only (RC2 or the like). Export it again ' +
    'with a current one: openssl pkcs12 -legacy to PEM, and openssl pkcs12 -export back',
  'pfx-incomplete': 'is a PFX without a certificate and its private key: it can identify nobody',
};

export class PfxIdentity extends Identity {
  readonly kind = 'pfx';
  readonly where: string;
  readonly #bytes: Buffer;
  readonly #passphrase: PassphraseCallback | undefined;
  #opened: Credential | undefined;

  private constructor(
    file: string,
    bytes: Buffer,
    opened: Credential | undefined,
    passphrase: PassphraseCallback | undefined,
  ) {
    super();
    this.where = file;
    this.#bytes = bytes;
    this.#opened = opened;
    this.#passphrase = passphrase;
  }

  /** Opened at once when it has no passphrase; or the error that says that it is of no use. */
  static read(
    file: string,
    bytes: Buffer,
    passphrase: PassphraseCallback | undefined,
  ): PfxIdentity | TLSClientCertError {
    try {
      return new PfxIdentity(file, bytes, tried(file, bytes, ''), passphrase);
    } catch (error) {
      return error as TLSClientCertError;
    }
  }

  get label(): string {
    return basename(this.where);
  }

  get certificate() {
    return this.#opened?.certificate;
  }

  get chain() {
    return this.#opened?.chain ?? [];
  }

  get keyWhere(): string {
    return this.where;
  }

  get needs(): Needs {
    return this.#opened === undefined ? 'passphrase' : 'nothing';
  }

  override preview(): Credential | undefined {
    return this.#opened;
  }

  protected async make(signal: AbortSignal): Promise<Credential> {
    this.#opened ??= await askPassphrase(
      this.where,
      'pfx',
      this.#passphrase,
      signal,
      (passphrase) => tried(this.where, this.#bytes, passphrase),
    );
    return this.#opened;
  }
}

/** Undefined when the passphrase is wrong. */
function tried(file: string, pfx: Buffer, passphrase: string): Credential | undefined {
  try {
    return new Credential(passphrase === '' ? { pfx } : { pfx, passphrase });
  } catch (error) {
    const { code, reason = '' } = error as TLSClientCertError;
    if (code === 'ERR_CREDENTIAL_PASSPHRASE') return undefined;
    const what = FAULTS[reason] ?? 'cannot be read as a PFX';
    throw new TLSClientCertError('ERR_CREDENTIAL_INVALID', `${file} ${what}.`, {
      input: file,
      reason,
      cause: error,
    });
  }
}
