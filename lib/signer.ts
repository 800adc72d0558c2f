/**
 * Keys that are not in this process's memory, or not at hand at all.
 */
import { Sign } from 'node:crypto';
import { describe, invalidArgType, invalidArgValue } from './errors';
import { given } from './given';
import { isSignatureScheme, type SignatureScheme } from './signature-schemes';

/** The third argument of {@link Signer.sign}. */
export interface SignContext {
  /**
   * Aborts when the signature is of no use any more: the socket is gone, `clientCertTimeout` has
   * passed, or the caller gave up. A PIN dialog closes itself on it. Its `reason` is the error.
   */
  readonly signal: AbortSignal;
}

/**
 * A private key that can sign, wherever it is: on a smart card, in an HSM, in a cloud's key management.
 * It stands in the place of `key` in a credential.
 *
 * `sign` is called once for each handshake in which the credential is sent, on a clean stack, never
 * inside OpenSSL. One signer may be asked for any number of signatures at the same time.
 */
export interface Signer {
  /**
   * The schemes under which it can sign; the order means nothing. Default: whatever a key of the
   * certificate's type can do.
   */
  readonly schemes?: readonly SignatureScheme[] | undefined;
  /**
   * Signs `data`.
   *
   * @param data - What is to be signed, before any hash. It is the signer's to keep.
   * @param scheme - One of {@link schemes}: it names padding, hash and, on TLS 1.3, curve.
   * @returns The signature as it stands in CertificateVerify (RFC 8446, section 4.4.3): for RSA as
   *   long as the modulus, for ECDSA the DER of an `ECDSA-Sig-Value`, for Ed25519 and Ed448 as in
   *   RFC 8032. It is verified with the certificate's key before it is sent.
   *
   * When it throws or rejects, the connection fails with `ERR_SIGNER_FAILED` and the error as its
   * `cause`.
   */
  sign(
    data: Uint8Array,
    scheme: SignatureScheme,
    context: SignContext,
  ): Uint8Array | PromiseLike<Uint8Array>;
}

/** Whether a private key's place is taken by a signer. */
export function isSigner(value: unknown): value is Signer {
  return (
    value !== null &&
    typeof value === 'object' &&
    !ArrayBuffer.isView(value) &&
    // node:crypto's: it signs what it was fed, not what it is asked for.
    !(value instanceof Sign) &&
    typeof given(value as { sign?: unknown }, 'sign') === 'function'
  );
}

/** The declared schemes, checked; undefined when none are declared. */
export function declaredSchemes(
  signer: Signer,
  name: string,
): readonly SignatureScheme[] | undefined {
  const schemes = given(signer, 'schemes');
  if (schemes === undefined || schemes === null) return undefined;
  if (!Array.isArray(schemes)) {
    throw invalidArgType(`${name}.schemes`, 'an Array of signature schemes', schemes);
  }
  // Holes in it become what is no scheme.
  const declared: unknown[] = Array.from(schemes);
  declared.forEach((scheme, i) => {
    if (isSignatureScheme(scheme)) return;
    const what = typeof scheme === 'string' ? JSON.stringify(scheme) : describe(scheme);
    throw invalidArgValue(
      `${name}.schemes[${i}]`,
      `is ${what}, which is no TLS signature scheme; one is for instance 'rsa_pss_rsae_sha256'`,
    );
  });
  if (declared.length === 0) throw invalidArgValue(`${name}.schemes`, 'names no scheme');
  return declared as SignatureScheme[];
}
