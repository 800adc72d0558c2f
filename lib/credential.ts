import { type KeyObject, X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { binding, type NativeCredential } from './binding';
import { encode, type Raw } from './bytes';
import {
  type CredentialInputs,
  type CredentialOptions,
  describeCredential,
  type RawCertificate,
  readCredential,
} from './credential-options';
import { credentialError, type Presentation, translated } from './failures';
import { FingerprintParts } from './fingerprint';
import { bare } from './given';
import { printName } from './names';
import { Recent } from './recent';
import { type SignatureScheme, signatureSchemeNumber } from './signature-schemes';
import type { Signer } from './signer';
import { openStore, type StoreOptions } from './signers/store/open';

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
    this.#parsed = options instanceof Parsed ? options.parsed : parse(readCredential(options));
  }

  /** @internal A credential around a native one. */
  static adopt(parsed: ParsedCredential): Credential {
    return new Credential(new Parsed(parsed) as unknown as CredentialOptions);
  }

  /** @internal Not what a proxy of one says of itself, nor what has its prototype. */
  static is(value: unknown): value is Credential {
    return typeof value === 'object' && value !== null && #parsed in value;
  }

  /** `value` itself when it is a credential already, else a new one made from it. */
  static from(value: Credential | CredentialOptions): Credential {
    return Credential.is(value) ? value : new Credential(value);
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

const recentCredentials = new Recent<Credential>();

/** As `Credential.from()`, but equal options give the same credential, parsed once. */
export function sharedCredential(value: Credential | CredentialOptions): Credential {
  return Credential.is(value) ? value : recentCredential(readCredential(value));
}

export function recentCredential(inputs: CredentialInputs): Credential {
  const parts = new FingerprintParts();
  describeCredential(inputs, parts);
  return recentCredentials.get(parts.fingerprint(), () => makeCredential(inputs));
}

export function makeCredential(inputs: CredentialInputs): Credential {
  return Credential.adopt(parse(inputs));
}

function parse(inputs: CredentialInputs): ParsedCredential {
  const copies = new SecretCopies();
  const make = (native: ConstructorParameters<typeof binding.Credential>[0]) =>
    translated(
      () => new binding.Credential(bare(native)),
      (failure) => credentialError(failure, inputs.names()),
    );
  try {
    switch (inputs.kind) {
      case 'pfx': {
        const passphrase = copies.optional(inputs.passphrase);
        return { native: make({ pfx: inputs.pfx, passphrase }), signer: null };
      }
      case 'signer': {
        const { signer, schemes } = inputs;
        // Whether it can sign is seen when it does.
        const numbers = (schemes ?? []).map(signatureSchemeNumber);
        return { native: make({ ...copies.chain(inputs), schemes: numbers }), signer, schemes };
      }
      case 'key': {
        const keys = inputs.keys.map(({ key, passphrase }) => ({
          bytes: copies.key(key),
          passphrase: copies.optional(passphrase),
        }));
        return { native: make({ ...copies.chain(inputs), keys }), signer: null };
      }
    }
  } finally {
    copies.wipe();
  }
}

export function certificateBytes(certificate: RawCertificate): Uint8Array {
  return certificate instanceof X509Certificate ? certificate.raw : encode(certificate);
}

/** Secrets as bytes; what had to be copied for that does not stay behind. */
class SecretCopies {
  readonly #copies: Uint8Array[] = [];

  of(secret: Raw): Uint8Array {
    return typeof secret === 'string' ? this.#ours(encode(secret)) : secret;
  }

  optional(secret: Raw | undefined): Uint8Array | undefined {
    return secret === undefined ? undefined : this.of(secret);
  }

  key(key: Raw | KeyObject): Uint8Array {
    if (typeof key === 'string' || key instanceof Uint8Array) return this.of(key);
    return this.#ours(key.export(bare({ type: 'pkcs8', format: 'der' })));
  }

  /** A text that holds the certificate may hold its key as well. */
  chain(inputs: { certificate: RawCertificate; chain: readonly RawCertificate[] }) {
    const bytes = (certificate: RawCertificate) =>
      certificate instanceof X509Certificate ? certificate.raw : this.of(certificate);
    return { certificate: bytes(inputs.certificate), chain: inputs.chain.map(bytes) };
  }

  wipe(): void {
    for (const copy of this.#copies) copy.fill(0);
  }

  #ours(copy: Uint8Array): Uint8Array {
    this.#copies.push(copy);
    return copy;
  }
}
