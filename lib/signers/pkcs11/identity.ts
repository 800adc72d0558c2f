/**
 * A certificate on a token, with the key that belongs to it.
 */
import type { X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { Credential } from '../../credential';
import type { SignatureScheme } from '../../signature-schemes';
import type { Signer } from '../../signer';
import type { Found } from './inventory';
import type { Logins } from './logins';
import type { Operator } from './thread';
import { type Pkcs11Token, publicToken, tokenId } from './token';
import { TokenKey } from './token-key';
import { Pkcs11Uri } from './uri';

/**
 * A certificate on a token, its chain as far as the token has it, and its private key, which stays there.
 *
 * It may be returned from a `clientCertCallback` as it is, or as {@link credential}.
 */
export class Pkcs11Identity {
  readonly #found: Found;
  #credential: Credential | undefined;
  /** The token, as it was when it was looked at. */
  readonly token: Pkcs11Token;
  /**
   * The private key. Its `schemes` are those that type and size of the key, the token's mechanisms and
   * the key's `CKA_ALLOWED_MECHANISMS` have in common; the last, as far as the token shows the
   * private key before a login.
   */
  readonly key: Signer & { readonly schemes: readonly SignatureScheme[] };

  /** @internal From {@link Pkcs11Module}. */
  constructor(found: Found, thread: Operator, logins: Logins) {
    const { contents, object, certificate, schemes } = found;
    this.#found = found;
    this.token = publicToken(contents.token);
    this.key = new TokenKey(
      {
        token: tokenId(contents.token),
        id: object.id,
        label: object.label,
        publicKey: certificate.publicKey,
        schemes,
      },
      thread,
      logins,
    );
  }

  /** The certificate. */
  get certificate(): X509Certificate {
    return this.#found.certificate;
  }

  /** The same, under the name that it has among a credential's options. */
  get cert(): X509Certificate {
    return this.#found.certificate;
  }

  /** The issuers that the token holds, nearest first, without the root. */
  get chain(): readonly X509Certificate[] {
    return this.#found.chain;
  }

  /** The certificate's label (CKA_LABEL). */
  get label(): string {
    return this.#found.object.label;
  }

  /** What ties certificate and key together (CKA_ID). */
  get id(): Uint8Array {
    return new Uint8Array(this.#found.object.id);
  }

  /**
   * Whether the token showed a key with the certificate's id when it was looked at: the private one or,
   * before a login, the public one in its place. `false` means that the key is hidden until the login,
   * or is not there at all: it is looked for at the first signature, which fails with
   * `ERR_PKCS11_OBJECT`, `'key-not-found'`, in the second case. Never `false` while the token is logged
   * in: then a certificate without its key is no identity.
   */
  get keySeen(): boolean {
    return this.#found.keySeen;
  }

  /** RFC 7512: the token and the id, for `module.identity()` the next time. */
  get uri(): string {
    const { label, manufacturer, model, serial } = this.token;
    const token = { token: label, manufacturer, model, serial };
    const object = { id: this.#found.object.id, object: this.label, type: 'cert' } as const;
    return new Pkcs11Uri({ ...token, ...object }).toString();
  }

  /**
   * As a credential, made once.
   *
   * @throws {@link TLSClientCertError} `ERR_CREDENTIAL_INVALID`: the certificate is not of a kind that
   *   can be used.
   */
  credential(): Credential {
    this.#credential ??= new Credential(this);
    return this.#credential;
  }

  [inspect.custom](): string {
    return `Pkcs11Identity <${this.label}, ${this.uri}>`;
  }
}
