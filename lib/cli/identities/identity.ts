/**
 * What a person can show a server: a certificate, and a way to its key.
 */
import type { X509Certificate } from 'node:crypto';
import { Credential } from '../../credential';
import type { TLSClientCertError } from '../../errors';
import type { PinCallback } from '../../signers/pkcs11/pin';

/** What has to be typed in before it can be used. `'pin-pad'`: at the reader, not here. */
export type Needs = 'nothing' | 'passphrase' | 'pin' | 'pin-pad';

/** A passphrase that is wanted. */
export interface PassphraseRequest {
  /** What it opens: `'alice.p12'`. */
  readonly file: string;
  readonly kind: 'key' | 'pfx';
  /** From 1; more when the one before was wrong. */
  readonly attempt: number;
  /** After this many no more are asked for. */
  readonly attempts: number;
  /** Aborts when it is of no use any more. */
  readonly signal: AbortSignal;
}

/** Called when a key is needed, never before. Undefined: there is none, it is given up. */
export type PassphraseCallback = (
  request: PassphraseRequest,
) => string | undefined | PromiseLike<string | undefined>;

/** Who is asked for secrets. Without one, what needs it fails with an error that says so. */
export interface Asked {
  readonly passphrase?: PassphraseCallback | undefined;
  readonly pin?: PinCallback | undefined;
}

/** Where something was looked for, and why that came to nothing. */
export interface Problem {
  /** A file, a folder or a URI. */
  readonly source: string;
  /** Whether that is what was named; else it is a file in a folder that was. */
  readonly named: boolean;
  readonly error: TLSClientCertError;
}

export interface CredentialWanted {
  readonly signal?: AbortSignal | undefined;
}

/** A certificate with its key, wherever both are. */
export abstract class Identity {
  abstract readonly kind: 'file' | 'pfx' | 'token';
  /** The file with the certificate, or the `pkcs11:` URI. */
  abstract readonly where: string;
  /** What its owner calls it: the file's name, the label on the token. */
  abstract readonly label: string;
  /** Undefined for a PFX that is not opened yet; {@link credential} opens it. */
  abstract readonly certificate: X509Certificate | undefined;
  /** Issuers that are at hand and are sent along, nearest first, without the root. */
  abstract readonly chain: readonly X509Certificate[];
  /** Where the key is: a file, or a `pkcs11:` URI. */
  abstract readonly keyWhere: string;
  abstract readonly needs: Needs;
  /** Whether the key was seen; a token may hide it until the login, or have none. */
  readonly keySeen: boolean = true;
  /** The token's label, for those on one. */
  readonly device: string | undefined = undefined;
  #preview: Credential | undefined;
  #credential: Promise<Credential> | undefined;

  /**
   * A credential to ask `request.supports()` and `lib/select` about, without any secret: it cannot
   * sign. Undefined for a PFX that is not opened yet.
   *
   * @throws TLSClientCertError `ERR_CREDENTIAL_INVALID`, `ERR_SIGNER_UNSUPPORTED`.
   */
  preview(): Credential | undefined {
    const { certificate, chain } = this;
    if (certificate === undefined) return undefined;
    const sign = () => {
      throw new Error('this credential is only for questions about it');
    };
    this.#preview ??= new Credential({ cert: certificate, chain, key: { sign } });
    return this.#preview;
  }

  /**
   * The credential to send; asks for a passphrase if it has to. A PIN is asked for later, when the
   * token signs. What was made once is kept.
   *
   * @throws TLSClientCertError by rejection. `ERR_CREDENTIAL_PASSPHRASE` with `reason` `'missing'`:
   *   nobody can be asked; `'cancelled'`; `'wrong'`: so were all of them. `ERR_CREDENTIAL_MISMATCH`,
   *   `ERR_CREDENTIAL_INVALID`, `ERR_SIGNER_UNSUPPORTED`.
   */
  credential(wanted: CredentialWanted = {}): Promise<Credential> {
    if (this.#credential === undefined) {
      const making = this.make(wanted.signal ?? new AbortController().signal);
      this.#credential = making;
      // Whoever comes after a failure is asked anew.
      making.catch(() => {
        if (this.#credential === making) this.#credential = undefined;
      });
    }
    return this.#credential;
  }

  protected abstract make(signal: AbortSignal): Promise<Credential>;
}
