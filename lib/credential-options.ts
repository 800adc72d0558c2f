/**
 * What a credential is made from: read once and checked, not yet parsed.
 */
import { type KeyObject, X509Certificate } from 'node:crypto';
import { types } from 'node:util';
import { type Raw, toList, toRaw } from './bytes';
import { invalidArgType, invalidArgValue } from './errors';
import { type CredentialInputNames, INPUT_NAMES } from './failures';
import type { FingerprintParts } from './fingerprint';
import { snapshot } from './given';
import { isPromiseLike } from './is-promise-like';
import type { SignatureScheme } from './signature-schemes';
import { declaredSchemes, isSigner, type Signer } from './signer';

/** PEM text, PEM or DER bytes. */
export type Bytes = string | NodeJS.ArrayBufferView;

/** A certificate: PEM (which may bring its chain along), DER, or parsed. */
export type CertificateInput = Bytes | X509Certificate;

/** A private key: PEM or DER (PKCS#8 or traditional, encrypted or not), or parsed. */
export type PrivateKeyInput = Bytes | KeyObject;

/** A credential from its parts. */
export interface CertificateCredentialOptions {
  /** The client's certificate. In PEM, certificates behind the first belong to its chain. */
  cert: CertificateInput;
  /** Its private key, or what signs in its place. */
  key: PrivateKeyInput | Signer;
  /**
   * Intermediates, in the order in which they are sent: each certifies the one before
   * (RFC 5246, section 7.4.2). The root may be left out. They follow those in `cert`.
   */
  chain?: CertificateInput | readonly CertificateInput[] | undefined;
  /** For an encrypted key. */
  passphrase?: Bytes | undefined;
  pfx?: undefined;
}

/** A credential from a PKCS#12 structure. */
export interface PfxCredentialOptions {
  /**
   * PKCS#12 in DER. Its certificates are brought into order, and the chain is sent up to, and
   * without, the root.
   */
  pfx: NodeJS.ArrayBufferView;
  /** The structure's passphrase. */
  passphrase?: Bytes | undefined;
  cert?: undefined;
  key?: undefined;
  chain?: undefined;
}

/** What a {@link Credential} is made from. */
export type CredentialOptions = CertificateCredentialOptions | PfxCredentialOptions;

export type RawCertificate = Raw | X509Certificate;

export interface RawKey {
  readonly key: Raw | KeyObject;
  readonly passphrase: Raw | undefined;
}

/**
 * The options' values, each read once: getters and lists may say something else the next time.
 * What is in the caller's memory stays there.
 */
export type CredentialInputs = (
  | {
      readonly kind: 'key';
      readonly certificate: RawCertificate;
      readonly chain: readonly RawCertificate[];
      /** The one that belongs to the certificate is taken. */
      readonly keys: readonly RawKey[];
    }
  | {
      readonly kind: 'signer';
      readonly certificate: RawCertificate;
      readonly chain: readonly RawCertificate[];
      readonly signer: Signer;
      readonly schemes: readonly SignatureScheme[] | undefined;
    }
  | { readonly kind: 'pfx'; readonly pfx: Uint8Array; readonly passphrase: Raw | undefined }
) & {
  /** What the parts are called where they came from. */
  readonly names: () => CredentialInputNames;
};

const CREDENTIAL_NAMES = ['cert', 'key', 'chain', 'pfx', 'passphrase'];

/**
 * @param path - Where the options stand, for the errors.
 * @param names - What its parts are called there.
 */
export function readCredential(
  options: unknown,
  path = 'options',
  names: () => CredentialInputNames = () => INPUT_NAMES,
): CredentialInputs {
  if (options === null || typeof options !== 'object') {
    throw invalidArgType(path, 'of type object', options);
  }
  const { cert, key, chain, pfx, passphrase } = snapshot(
    options as Record<string, unknown>,
    CREDENTIAL_NAMES,
  );
  const secret = passphrase === undefined ? undefined : toRaw(passphrase, `${path}.passphrase`);
  if (pfx !== undefined) {
    if (cert !== undefined || key !== undefined || chain !== undefined) {
      throw invalidArgValue(`${path}.pfx`, 'excludes cert, key and chain: give one or the other');
    }
    return { kind: 'pfx', pfx: readPfx(pfx, `${path}.pfx`), passphrase: secret, names };
  }
  const certificate = readCertificate(cert, `${path}.cert`);
  const rest = toList(chain).map((item, i) => readCertificate(item, `${path}.chain[${i}]`));
  if (isSigner(key)) {
    if (secret !== undefined) {
      throw invalidArgValue(`${path}.passphrase`, 'is for an encrypted key: a signer has none');
    }
    const schemes = declaredSchemes(key, `${path}.key`);
    return { kind: 'signer', certificate, chain: rest, signer: key, schemes, names };
  }
  const keys = [readKey(key, secret, `${path}.key`)];
  return { kind: 'key', certificate, chain: rest, keys, names };
}

export function readCertificate(value: unknown, name: string): RawCertificate {
  return value instanceof X509Certificate ? value : toRaw(value, name);
}

export function readPfx(value: unknown, name: string): Uint8Array {
  // It is binary: a string of it was damaged when it was decoded.
  if (ArrayBuffer.isView(value)) return toRaw(value, name) as Uint8Array;
  throw invalidArgType(name, 'an instance of Buffer, TypedArray or DataView', value);
}

export function readKey(value: unknown, passphrase: Raw | undefined, name: string): RawKey {
  if (types.isKeyObject(value)) {
    const key = value as KeyObject;
    if (key.type !== 'private') {
      throw invalidArgValue(name, `must be a private key, not a ${key.type} one`);
    }
    return { key, passphrase: undefined };
  }
  if (types.isCryptoKey(value)) {
    throw invalidArgValue(
      name,
      'is a CryptoKey: give webCryptoSigner(key), which tls-client-cert/webcrypto exports',
    );
  }
  if (isPromiseLike(value)) {
    throw invalidArgValue(name, 'is a promise: await it, or give a Signer, whose sign() may wait');
  }
  if (typeof value !== 'string' && !ArrayBuffer.isView(value)) {
    throw invalidArgType(
      name,
      'of type string or an instance of Buffer, TypedArray, DataView, KeyObject or Signer',
      value,
    );
  }
  return { key: toRaw(value, name), passphrase };
}

/** Adds all that shapes the credential, and nothing else. */
export function describeCredential(inputs: CredentialInputs, parts: FingerprintParts): void {
  parts.add(inputs.kind);
  if (inputs.kind === 'pfx') {
    parts.addSecret(inputs.pfx);
    parts.addSecret(inputs.passphrase);
    return;
  }
  describeCertificate(inputs.certificate, parts);
  parts.add(inputs.chain.length);
  for (const certificate of inputs.chain) describeCertificate(certificate, parts);
  if (inputs.kind === 'signer') {
    parts.addObject(inputs.signer);
    parts.add(inputs.schemes?.join());
    return;
  }
  parts.add(inputs.keys.length);
  for (const { key, passphrase } of inputs.keys) {
    if (types.isKeyObject(key)) parts.addObject(key);
    else parts.addSecret(key as Raw);
    parts.addSecret(passphrase);
  }
}

/** A file that holds the certificate may hold its key as well. */
function describeCertificate(certificate: RawCertificate, parts: FingerprintParts): void {
  if (certificate instanceof X509Certificate) parts.addObject(certificate);
  else parts.addSecret(certificate);
}
