import { constants } from 'node:crypto';
import tls, { type SecureVersion } from 'node:tls';
import { binding, type NativeContext } from './binding';
import { toBytes, toList } from './bytes';
import {
  type Bytes,
  type CertificateInput,
  Credential,
  type CredentialOptions,
  certificateBytes,
  credentialOption,
  fromCertificate,
  fromPfx,
  fromSigner,
  type PrivateKeyInput,
  privateKeyInput,
} from './credential';
import { invalidArgType, invalidArgValue, outOfRange, TLSClientCertError } from './errors';
import { contextError, translated } from './failures';
import { isTLS13Scheme, OFFERED_SCHEMES } from './signature-schemes';
import { isSigner, type Signer } from './signer';
import { customTrust } from './trust';
import type { ClientCertCallback } from './types';

/** A private key with a passphrase of its own, as `node:tls` takes it. */
export interface KeyWithPassphrase {
  pem: Bytes;
  passphrase?: Bytes | undefined;
}

/** A PKCS#12 structure with a passphrase of its own, as `node:tls` takes it. */
export interface PfxWithPassphrase {
  buf: Bytes;
  passphrase?: Bytes | undefined;
}

/**
 * Options of {@link createSecureContext}. Names, types and defaults are those of
 * `tls.createSecureContext()` unless a line says otherwise.
 */
export interface SecureContextOptions {
  /** Trusted authorities, in place of Node's default ones. PEM; DER is taken as well. */
  ca?: CertificateInput | readonly CertificateInput[] | undefined;
  /**
   * Certificate chains to send when the server asks, leaf first, one for each of `key` in any
   * order. The first that suits the request is sent. Nobody is asked then:
   * `clientCertCallback` is not called, as SSL_CTX_set_client_cert_cb(3) has it.
   */
  cert?: CertificateInput | readonly CertificateInput[] | undefined;
  /** Private keys to `cert`, in any order; a {@link Signer} has the place of its certificate. */
  key?:
    | PrivateKeyInput
    | KeyWithPassphrase
    | Signer
    | readonly (PrivateKeyInput | KeyWithPassphrase | Signer)[]
    | undefined;
  /**
   * PKCS#12 structures, in place of `cert` and `key`. Node's type has strings here as well; none can
   * hold one, and `ERR_INVALID_ARG_TYPE` says so.
   */
  pfx?: Bytes | PfxWithPassphrase | readonly (Bytes | PfxWithPassphrase)[] | undefined;
  /**
   * The same as `cert` and `key`, with a chain of its own, or made before: parsed once for many contexts,
   * or from `Credential.fromStore()`. They follow those of `cert` and `pfx`.
   */
  credential?:
    | Credential
    | CredentialOptions
    | readonly (Credential | CredentialOptions)[]
    | undefined;
  /** For encrypted `key` and `pfx` that bring none of their own. */
  passphrase?: Bytes | undefined;
  /** Revocation lists. When given, there must be one for every authority in the server's chain. */
  crl?: Bytes | readonly Bytes[] | undefined;
  /**
   * Cipher names of TLS 1.2 and 1.3 in one list, separated by colons. Default: `tls.DEFAULT_CIPHERS`
   * without those whose key exchange is RSA (`:!kRSA`): with these a TLS 1.2 server proves only after
   * the client's certificate was sent that it holds the key to its own.
   */
  ciphers?: string | undefined;
  /** Groups for key agreement, separated by colons, or `'auto'`. Default: `tls.DEFAULT_ECDH_CURVE`. */
  ecdhCurve?: string | undefined;
  /** Signature algorithms, separated by colons. Default: OpenSSL's. */
  sigalgs?: string | undefined;
  /** Default: `tls.DEFAULT_MIN_VERSION`. */
  minVersion?: SecureVersion | undefined;
  /**
   * Default: `tls.DEFAULT_MAX_VERSION`; `'TLSv1.2'` when what is set in advance can sign for no later
   * version: signers that declare only schemes such as `rsa_pkcs1_sha256`.
   */
  maxVersion?: SecureVersion | undefined;
  /** A mask of `crypto.constants.SSL_OP_…`. */
  secureOptions?: number | undefined;
  /** Take any certificate in `ca` as an anchor, not only self-signed ones. Default: `false`. */
  allowPartialTrustChain?: boolean | undefined;
  /** What {@link SecureContext.setClientCertCallback} sets. */
  clientCertCallback?: ClientCertCallback | null | undefined;
}

/**
 * What connections have in common: trust, protocol settings, credentials set in advance, and the
 * client certificate callback. It mirrors OpenSSL's `SSL_CTX`.
 */
export class SecureContext {
  readonly #native: NativeContext;
  readonly #credentials: readonly Credential[];
  readonly #limitedBySigners: boolean;
  #clientCertCallback: ClientCertCallback | null = null;

  private constructor(
    native: NativeContext,
    credentials: readonly Credential[],
    limitedBySigners: boolean,
  ) {
    this.#native = native;
    this.#credentials = credentials;
    this.#limitedBySigners = limitedBySigners;
  }

  /** @internal Use {@link createSecureContext}. */
  static of(
    native: NativeContext,
    credentials: readonly Credential[],
    limitedBySigners: boolean,
  ): SecureContext {
    return new SecureContext(native, credentials, limitedBySigners);
  }

  /**
   * Sets the function that is called when a server asks for a client certificate; `null` registers
   * no callback in OpenSSL at all, and requests are declined.
   *
   * It holds for requests that arrive from now on. A callback in the options of `connect()` goes
   * before this one.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE`
   * @see SSL_CTX_set_client_cert_cb(3)
   */
  setClientCertCallback(callback: ClientCertCallback | null): void {
    if (callback !== null && typeof callback !== 'function') {
      throw invalidArgType('callback', 'of type function or null', callback);
    }
    this.#clientCertCallback = callback;
    this.#native.setAsksForClientCert(callback !== null);
  }

  /**
   * The function set, or `null`.
   *
   * @see SSL_CTX_get_client_cert_cb(3)
   */
  getClientCertCallback(): ClientCertCallback | null {
    return this.#clientCertCallback;
  }

  /** Credentials set in advance by `cert` and `key`, `pfx` or `credential`. */
  get credentials(): readonly Credential[] {
    return this.#credentials;
  }

  /** @internal Whether it does not offer TLS 1.3 because no signer can do it. */
  static isLimitedBySigners(context: SecureContext): boolean {
    return context.#limitedBySigners;
  }

  /** @internal */
  static nativeOf(context: SecureContext): NativeContext {
    return context.#native;
  }
}

/**
 * Makes a context that any number of connections may share, as `tls.createSecureContext()` does.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; Error
 *   `ERR_TLS_INVALID_PROTOCOL_VERSION`.
 * @throws {@link TLSClientCertError} `ERR_CREDENTIAL_…` for `cert`, `key` and `pfx`;
 *   `ERR_TLS_CA_INVALID`; `ERR_SSL_NO_CIPHER_MATCH`; `ERR_TLS_PROTOCOL_VERSION_CONFLICT`;
 *   `ERR_CRYPTO_OPERATION_FAILED` for `crl`, `ecdhCurve` and `sigalgs`.
 */
export function createSecureContext(options: SecureContextOptions = {}): SecureContext {
  if (options === null || typeof options !== 'object') {
    throw invalidArgType('options', 'of type object', options);
  }
  const ca =
    options.ca === undefined || options.ca === null
      ? undefined
      : toList(options.ca).map((item, i) => certificateBytes(item, `options.ca[${i}]`));
  const crls = toList(options.crl).map((item, i) => toBytes(item, `options.crl[${i}]`));
  const credentials = staticCredentials(options);
  const { cipherList, cipherSuites, minVersion, maxVersion, limitedBySigners } = protocolSettings(
    options,
    credentials,
  );
  const groups = optionalString(options.ecdhCurve, 'options.ecdhCurve') ?? tls.DEFAULT_ECDH_CURVE;
  const signatureSchemes = optionalString(options.sigalgs, 'options.sigalgs');
  if (signatureSchemes === '') throw invalidArgValue('options.sigalgs', 'names no algorithm');
  const native = translated(
    () =>
      new binding.Context({
        trust: customTrust(ca, crls),
        minVersion,
        maxVersion,
        cipherList,
        cipherSuites,
        groups: groups === 'auto' ? undefined : groups,
        signatureSchemes,
        // Whoever names algorithms means them for both sides.
        clientSignatureSchemes:
          signatureSchemes === undefined ? clientSchemes(credentials) : undefined,
        options: secureOptions(options.secureOptions),
        allowPartialTrustChain: options.allowPartialTrustChain === true,
      }),
    contextError,
  );
  const context = SecureContext.of(native, credentials, limitedBySigners);
  if (options.clientCertCallback !== undefined) {
    context.setClientCertCallback(options.clientCertCallback);
  }
  return context;
}

const VERSIONS: Readonly<Record<SecureVersion, number>> = {
  TLSv1: 0x0301,
  'TLSv1.1': 0x0302,
  'TLSv1.2': 0x0303,
  'TLSv1.3': 0x0304,
};

function version(value: unknown, fallback: SecureVersion, which: string): number {
  const name = value ?? fallback;
  if (typeof name === 'string' && Object.hasOwn(VERSIONS, name)) {
    return VERSIONS[name as SecureVersion];
  }
  const shown = typeof name === 'string' ? JSON.stringify(name) : typeof name;
  throw Object.assign(
    new TypeError(
      `${shown} is not a valid ${which} TLS protocol version: use one of ${Object.keys(VERSIONS).join(', ')}`,
    ),
    { code: 'ERR_TLS_INVALID_PROTOCOL_VERSION' },
  );
}

/**
 * Splits the one cipher list as node:tls does: without ciphers of TLS 1.2 it rules that out, without
 * suites of TLS 1.3 it leaves OpenSSL's.
 */
function protocolSettings(options: SecureContextOptions, credentials: readonly Credential[]) {
  let minVersion = version(options.minVersion, tls.DEFAULT_MIN_VERSION, 'minimum');
  let maxVersion = version(options.maxVersion, tls.DEFAULT_MAX_VERSION, 'maximum');
  const ciphers = optionalString(options.ciphers, 'options.ciphers') || defaultCiphers();
  const names = ciphers.split(':').filter((name) => name.length > 0);
  if (names.length === 0) throw invalidArgValue('options.ciphers', 'names no cipher');
  const isSuite = (name: string) => /^!?TLS_/.test(name);
  const cipherSuites = names.filter(isSuite).join(':');
  const cipherList = names.filter((name) => !isSuite(name)).join(':');
  // Where only TLS 1.3 is left anyway, the server may yet not ask.
  const limitedBySigners =
    options.maxVersion == null &&
    maxVersion >= VERSIONS['TLSv1.3'] &&
    minVersion < VERSIONS['TLSv1.3'] &&
    cipherList !== '' &&
    !signsTLS13(credentials);
  if (limitedBySigners) maxVersion = VERSIONS['TLSv1.2'];
  if (cipherList === '' && maxVersion < VERSIONS['TLSv1.3']) {
    throw new TLSClientCertError(
      'ERR_SSL_NO_CIPHERS_AVAILABLE',
      'options.ciphers names suites of TLS 1.3 only, and options.maxVersion rules TLS 1.3 out: no cipher is left.',
      { input: 'options.ciphers' },
    );
  }
  if (cipherList === '') minVersion = Math.max(minVersion, VERSIONS['TLSv1.3']);
  if (minVersion > maxVersion) {
    throw Object.assign(
      new TypeError('options.minVersion is above options.maxVersion: no protocol version is left'),
      { code: 'ERR_TLS_PROTOCOL_VERSION_CONFLICT' },
    );
  }
  return {
    minVersion,
    maxVersion,
    cipherSuites: cipherSuites === '' ? undefined : cipherSuites,
    cipherList: cipherList === '' ? undefined : cipherList,
    limitedBySigners,
  };
}

/**
 * Node's default list, without the ciphers whose key exchange is RSA: with those, a server has proved
 * nothing yet when it asks for the client's certificate, and whoever copies a public chain could ask.
 */
function defaultCiphers(): string {
  const { DEFAULT_CIPHERS } = tls;
  // A list that the person who runs the program chose is left alone.
  return DEFAULT_CIPHERS === constants.defaultCoreCipherList
    ? `${DEFAULT_CIPHERS}:!kRSA`
    : DEFAULT_CIPHERS;
}

function secureOptions(value: unknown): number {
  if (value === undefined || value === null) return 0;
  if (typeof value !== 'number')
    throw invalidArgType('options.secureOptions', 'of type number', value);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw outOfRange('options.secureOptions', 'a non-negative integer', value);
  }
  return value;
}

function optionalString(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
  return value;
}

/** `cert`, `key`, `pfx` and `passphrase` in all the shapes that node:tls takes. */
function staticCredentials(options: SecureContextOptions): Credential[] {
  const common = passphraseOf(options.passphrase, 'options.passphrase', undefined);
  const certs = toList(options.cert).map((item, i) => certificateBytes(item, `options.cert[${i}]`));
  const keyItems = toList(options.key);
  if (certs.length > 0 && keyItems.length === 0) {
    throw invalidArgValue(
      'options.key',
      'is missing: options.cert is given, and needs its private key',
    );
  }
  if (keyItems.length > 0 && certs.length === 0) {
    throw invalidArgValue(
      'options.cert',
      'is missing: options.key is given, and needs its certificate',
    );
  }
  const inMemory = keyItems.flatMap((item, k) => (isSigner(item) ? [] : [{ item, k }]));
  keyItems.forEach((item, k) => {
    if (!isSigner(item) || k < certs.length) return;
    throw invalidArgValue(`options.key[${k}]`, 'is a signer without a certificate at its place');
  });
  const credentials = certs.map((certificate, i) => {
    const names = {
      cert: `options.cert[${i}]`,
      chain: () => `options.cert[${i}]`,
      key: (index: number) => `options.key[${inMemory[index]?.k ?? i}]`,
      pfx: 'options.pfx',
      passphrase: 'options.passphrase',
    };
    const own = keyItems[i];
    if (isSigner(own)) {
      const name = `options.key[${i}]`;
      return Credential.adopt(
        fromSigner(certificate, [], own, name, { ...names, key: () => name }),
      );
    }
    // Read anew for each: they are wiped when it is done.
    const keys = inMemory.map(({ item, k }) => keyOf(item, common, `options.key[${k}]`));
    return Credential.adopt(fromCertificate(certificate, [], keys, names));
  });
  toList(options.pfx).forEach((item, i) => {
    const name = `options.pfx[${i}]`;
    const [bytes, own] = isPair(item, 'buf') ? [item.buf, item.passphrase] : [item, undefined];
    const passphrase = passphraseOf(own, `${name}.passphrase`, common);
    credentials.push(
      Credential.adopt(
        fromPfx(bytes, passphrase, name, {
          cert: name,
          chain: () => name,
          key: () => name,
          pfx: name,
          passphrase: own === undefined ? 'options.passphrase' : `${name}.passphrase`,
        }),
      ),
    );
  });
  toList(options.credential).forEach((item, i) => {
    const place = Array.isArray(options.credential) ? `[${i}]` : '';
    credentials.push(credentialOption(item, `options.credential${place}`));
  });
  return credentials;
}

/** Whether any of them, or nobody at all, can sign for TLS 1.3. */
function signsTLS13(credentials: readonly Credential[]): boolean {
  return (
    credentials.length === 0 ||
    credentials.some((credential) => Credential.schemesOf(credential)?.some(isTLS13Scheme) ?? true)
  );
}

/**
 * The schemes that the credentials' signers declare, by which OpenSSL picks; undefined when nothing is
 * declared. Other credentials keep all that there are.
 */
function clientSchemes(credentials: readonly Credential[]): string | undefined {
  const declared = credentials.map(Credential.schemesOf);
  if (declared.every((schemes) => schemes === undefined)) return undefined;
  const known = OFFERED_SCHEMES.filter((scheme) =>
    declared.some((schemes) => schemes === undefined || schemes.includes(scheme)),
  );
  return known.length === 0 ? undefined : known.join(':');
}

function keyOf(item: unknown, common: Uint8Array | undefined, name: string) {
  if (!isPair(item, 'pem')) return privateKeyInput(item, common, name);
  const passphrase = passphraseOf(item.passphrase, `${name}.passphrase`, common);
  return privateKeyInput(item.pem, passphrase, `${name}.pem`);
}

function passphraseOf(own: unknown, name: string, common: Uint8Array | undefined) {
  return own === undefined || own === null ? common : toBytes(own, name);
}

function isPair<K extends string>(
  item: unknown,
  key: K,
): item is Record<K, unknown> & { passphrase?: unknown } {
  return item !== null && typeof item === 'object' && !ArrayBuffer.isView(item) && key in item;
}
