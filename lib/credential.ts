import { type KeyObject, X509Certificate } from 'node:crypto';
import { inspect, types } from 'node:util';
import { binding, type NativeCredential, type NativeKeyInput } from './binding';
import { toBytes, toList } from './bytes';
import { invalidArgType, invalidArgValue } from './errors';
import {
  type CredentialInputNames,
  credentialError,
  INPUT_NAMES,
  inputNames,
  type Presentation,
  translated,
} from './failures';
import { isPromiseLike } from './is-promise-like';
import { printName } from './names';
import { type SignatureScheme, signatureSchemeNumber } from './signature-schemes';
import { declaredSchemes, isSigner, type Signer } from './signer';
import { openStore, type StoreOptions } from './signers/store/open';

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

/** A native credential, and who signs for it where it has no key. */
export interface ParsedCredential {
  readonly native: NativeCredential;
  readonly signer: Signer | null;
  /** Those that the signer declares, if it does. */
  readonly schemes?: readonly SignatureScheme[] | undefined;
}

/** Lets {@link Credential.adopt} past the constructor's parsing. */
class Parsed {
  constructor(readonly parsed: ParsedCredential) {}
}

/**
 * A certificate, its chain and its private key: parsed once, checked to belong together, and
 * shared by any number of connections.
 *
 * The private key cannot be read back.
 */
export class Credential {
  readonly #parsed: ParsedCredential;
  #certificates: readonly X509Certificate[] | undefined;

  /**
   * @throws {@link TLSClientCertError} `ERR_CREDENTIAL_INVALID`: an input cannot be read;
   *   `ERR_CREDENTIAL_PASSPHRASE`: a passphrase is missing or wrong; `ERR_CREDENTIAL_MISMATCH`: the
   *   key does not belong to the certificate; `ERR_SIGNER_UNSUPPORTED`: `key` is a {@link Signer}, and
   *   this platform cannot wait for one. The error's `input` names what is at fault.
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
   */
  constructor(options: CredentialOptions) {
    this.#parsed = options instanceof Parsed ? options.parsed : parse(options);
  }

  /** @internal A credential around a native one. */
  static adopt(parsed: ParsedCredential): Credential {
    return new Credential(new Parsed(parsed) as unknown as CredentialOptions);
  }

  /** `value` itself when it is a credential already, else a new one made from it. */
  static from(value: Credential | CredentialOptions): Credential {
    return value instanceof Credential ? value : new Credential(value);
  }

  /**
   * A credential whose key is where only OpenSSL's providers get at it: a TPM, an HSM, or a file. The
   * key stays there and signs there, off the event loop.
   *
   * @param uri - As OSSL_STORE takes it (ossl_store(7)): a file's name, `handle:0x81000001`, …
   * @throws {@link TLSClientCertError} by rejection: `ERR_STORE_PROVIDER`: a provider cannot be loaded;
   *   `ERR_STORE_UNREADABLE`: `uri` cannot be opened, or lacks what is needed (`reason` says what);
   *   `ERR_CREDENTIAL_PASSPHRASE`, `ERR_CREDENTIAL_MISMATCH`, `ERR_CREDENTIAL_INVALID`,
   *   `ERR_SIGNER_UNSUPPORTED` as from the constructor. A TPM looks at its passphrase only when it signs: a
   *   wrong one is the `cause` of the connection's `ERR_SIGNER_FAILED`.
   */
  static async fromStore(uri: string, options: StoreOptions = {}): Promise<Credential> {
    return new Credential(await openStore(uri, options));
  }

  /** The leaf. */
  get certificate(): X509Certificate {
    return this.#parseCertificates()[0] as X509Certificate;
  }

  /** What is sent behind the leaf, in that order. */
  get chain(): readonly X509Certificate[] {
    return this.#parseCertificates().slice(1);
  }

  /** The leaf's subject as in RFC 4514, for instance `CN=alice,O=Example`. */
  get subject(): string {
    return printName(this.#parsed.native.subject());
  }

  /** Shows whose it is, and nothing secret. */
  [inspect.custom](): string {
    const key = this.#parsed.signer === null ? this.keyType : `${this.keyType} by a signer`;
    return `Credential <${this.subject}, ${key}, ${this.chain.length} intermediate(s)>`;
  }

  /** The key's type as `KeyObject.asymmetricKeyType` has it: `'rsa'`, `'ec'`, `'ed25519'`, … */
  get keyType(): string | undefined {
    return this.certificate.publicKey.asymmetricKeyType;
  }

  /** @internal */
  static nativeOf(credential: Credential): NativeCredential {
    return credential.#parsed.native;
  }

  /** @internal Who signs where the key is not in memory; else `null`. */
  static signerOf(credential: Credential): Signer | null {
    return credential.#parsed.signer;
  }

  /** @internal The schemes that its signer declares; undefined: none, or there is no signer. */
  static schemesOf(credential: Credential): readonly SignatureScheme[] | undefined {
    return credential.#parsed.schemes;
  }

  /** @internal What an error says about it. */
  static presentationOf(credential: Credential, protocol: string): Presentation {
    const { signer, schemes } = credential.#parsed;
    return { subject: credential.subject, schemes, signs: signer !== null, protocol };
  }

  #parseCertificates(): readonly X509Certificate[] {
    this.#certificates ??= this.#parsed.native
      .certificates()
      .map((der) => new X509Certificate(der));
    return this.#certificates;
  }
}

/**
 * @param path - Where the options stand, for the errors.
 * @param names - What its parts are called there.
 */
function parse(options: unknown, path = 'options', names = INPUT_NAMES): ParsedCredential {
  if (options === null || typeof options !== 'object') {
    throw invalidArgType(path, 'of type object', options);
  }
  const { cert, key, chain, pfx, passphrase } = options as Record<string, unknown>;
  const secret = passphrase === undefined ? undefined : toBytes(passphrase, `${path}.passphrase`);
  if (pfx !== undefined) {
    if (cert !== undefined || key !== undefined || chain !== undefined) {
      throw invalidArgValue(`${path}.pfx`, 'excludes cert, key and chain: give one or the other');
    }
    return fromPfx(pfx, secret, `${path}.pfx`, names);
  }
  const certificate = certificateBytes(cert, `${path}.cert`);
  const rest = toList(chain).map((item, i) => certificateBytes(item, `${path}.chain[${i}]`));
  if (isSigner(key)) {
    if (secret !== undefined) {
      throw invalidArgValue(`${path}.passphrase`, 'is for an encrypted key: a signer has none');
    }
    return fromSigner(certificate, rest, key, `${path}.key`, names);
  }
  return fromCertificate(certificate, rest, [privateKeyInput(key, secret, `${path}.key`)], names);
}

/** As `Credential.from()`, for what stands in an option called `name`. */
export function credentialOption(value: unknown, name: string): Credential {
  if (value instanceof Credential) return value;
  return Credential.adopt(parse(value, name, inputNames(`${name}.`)));
}

/** A credential from parts; of the keys, the one that belongs to the certificate is taken. */
export function fromCertificate(
  certificate: Uint8Array,
  chain: Uint8Array[],
  keys: PrivateKeyBytes[],
  names: CredentialInputNames,
): ParsedCredential {
  try {
    const native = translated(
      () => new binding.Credential({ certificate, chain, keys }),
      (failure) => credentialError(failure, names),
    );
    return { native, signer: null };
  } finally {
    for (const key of keys) if (key.ours) key.bytes.fill(0);
  }
}

/** A credential for which `signer` signs. Whether it can is seen when it does. */
export function fromSigner(
  certificate: Uint8Array,
  chain: Uint8Array[],
  signer: Signer,
  name: string,
  names: CredentialInputNames,
): ParsedCredential {
  const schemes = declaredSchemes(signer, name);
  const numbers = (schemes ?? []).map(signatureSchemeNumber);
  const native = translated(
    () => new binding.Credential({ certificate, chain, schemes: numbers }),
    (failure) => credentialError(failure, names),
  );
  return { native, signer, schemes };
}

export function fromPfx(
  pfx: unknown,
  passphrase: Uint8Array | undefined,
  name: string,
  names: CredentialInputNames,
): ParsedCredential {
  // It is binary: a string of it was damaged when it was decoded.
  if (!ArrayBuffer.isView(pfx)) {
    throw invalidArgType(name, 'an instance of Buffer, TypedArray or DataView', pfx);
  }
  const bytes = toBytes(pfx, name);
  const native = translated(
    () => new binding.Credential({ pfx: bytes, passphrase }),
    (failure) => credentialError(failure, names),
  );
  return { native, signer: null };
}

export function certificateBytes(value: unknown, name: string): Uint8Array {
  return value instanceof X509Certificate ? value.raw : toBytes(value, name);
}

export interface PrivateKeyBytes extends NativeKeyInput {
  /** The bytes are a copy made here, to be wiped after use. */
  ours: boolean;
}

export function privateKeyInput(
  value: unknown,
  passphrase: Uint8Array | undefined,
  name: string,
): PrivateKeyBytes {
  if (types.isKeyObject(value)) {
    const key = value as KeyObject;
    if (key.type !== 'private') {
      throw invalidArgValue(name, `must be a private key, not a ${key.type} one`);
    }
    return { bytes: key.export({ type: 'pkcs8', format: 'der' }), ours: true };
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
  const copied = typeof value === 'string';
  if (!copied && !ArrayBuffer.isView(value)) {
    throw invalidArgType(
      name,
      'of type string or an instance of Buffer, TypedArray, DataView, KeyObject or Signer',
      value,
    );
  }
  return { bytes: toBytes(value, name), passphrase, ours: copied };
}
