import { constants } from 'node:crypto';
import type { SecureVersion } from 'node:tls';
import { binding, type NativeContext } from './binding';
import { encode } from './bytes';
import {
  type ContextInputs,
  contextFingerprint,
  type ProtocolInputs,
  readContext,
  type SecureContextOptions,
} from './context-options';
import { Credential, certificateBytes, makeCredential, recentCredential } from './credential';
import type { CredentialInputs } from './credential-options';
import { invalidArgType, invalidArgValue, outOfRange, TLSClientCertError } from './errors';
import { contextError, translated } from './failures';
import { snapshot } from './given';
import { CONTEXT_NAMES } from './option-names';
import { Recent } from './recent';
import { methodVersions } from './secure-protocol';
import { isTLS13Scheme, OFFERED_SCHEMES } from './signature-schemes';
import { customTrust } from './trust';
import type { ClientCertCallback } from './types';

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

  /** @internal Not what a proxy of one says of itself, nor what has its prototype. */
  static is(value: unknown): value is SecureContext {
    return typeof value === 'object' && value !== null && #native in value;
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
  const given = snapshot(options, CONTEXT_NAMES);
  const context = makeContext(readContext(given), makeCredential);
  if (given.clientCertCallback !== undefined) {
    context.setClientCertCallback(given.clientCertCallback);
  }
  return context;
}

const recentContexts = new Recent<SecureContext>();

/**
 * The context of connections that have equal options, made once. It has no callback, and no caller
 * ever gets hold of it: nothing that one connection does to it could reach another.
 *
 * @throws As {@link createSecureContext}.
 */
export function sharedContext(options: SecureContextOptions): SecureContext {
  const inputs = readContext(options);
  return recentContexts.get(contextFingerprint(inputs), () =>
    makeContext(inputs, recentCredential),
  );
}

function makeContext(
  inputs: ContextInputs,
  credentialFrom: (inputs: CredentialInputs) => Credential,
): SecureContext {
  const credentials = inputs.credentials.map((item) =>
    Credential.is(item) ? item : credentialFrom(item),
  );
  const { protocol } = inputs;
  const { cipherList, cipherSuites, minVersion, maxVersion, limitedBySigners } = protocolSettings(
    protocol,
    credentials,
  );
  const groups = optionalString(protocol.ecdhCurve, 'options.ecdhCurve') ?? protocol.defaultCurve;
  const signatureSchemes = optionalString(protocol.sigalgs, 'options.sigalgs');
  if (signatureSchemes === '') throw invalidArgValue('options.sigalgs', 'names no algorithm');
  const native = translated(
    () =>
      new binding.Context({
        trust: customTrust(
          inputs.authorities?.map(certificateBytes),
          inputs.crls.map(encode),
          inputs.defaultTrust,
        ),
        minVersion,
        maxVersion,
        cipherList,
        cipherSuites,
        groups: groups === 'auto' ? undefined : groups,
        signatureSchemes,
        // Whoever names algorithms means them for both sides.
        clientSignatureSchemes:
          signatureSchemes === undefined ? clientSchemes(credentials) : undefined,
        options: secureOptions(protocol.secureOptions),
        allowPartialTrustChain: inputs.allowPartialTrustChain,
      }),
    contextError,
  );
  return SecureContext.of(native, credentials, limitedBySigners);
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

function versions(protocol: ProtocolInputs): { minVersion: number; maxVersion: number } {
  const { minVersion, maxVersion, defaultMinVersion, defaultMaxVersion } = protocol;
  const method = optionalString(protocol.secureProtocol, 'options.secureProtocol');
  const given = minVersion ?? maxVersion;
  if (method && given != null) {
    throw Object.assign(
      new TypeError(
        `TLS protocol version ${JSON.stringify(given)} conflicts with secureProtocol ${JSON.stringify(method)}`,
      ),
      { code: 'ERR_TLS_PROTOCOL_VERSION_CONFLICT' },
    );
  }
  const [lowest, highest] = method === undefined ? [] : methodVersions(method);
  return {
    minVersion: version(minVersion ?? lowest, defaultMinVersion, 'minimum'),
    maxVersion: version(maxVersion ?? highest, defaultMaxVersion, 'maximum'),
  };
}

/**
 * Splits the one cipher list as node:tls does: without ciphers of TLS 1.2 it rules that out, without
 * suites of TLS 1.3 it leaves OpenSSL's.
 */
function protocolSettings(protocol: ProtocolInputs, credentials: readonly Credential[]) {
  let { minVersion, maxVersion } = versions(protocol);
  const ciphers =
    optionalString(protocol.ciphers, 'options.ciphers') || safer(protocol.defaultCiphers);
  const names = ciphers.split(':').filter((name) => name.length > 0);
  if (names.length === 0) throw invalidArgValue('options.ciphers', 'names no cipher');
  const isSuite = (name: string) => /^!?TLS_/.test(name);
  const cipherSuites = names.filter(isSuite).join(':');
  const cipherList = names.filter((name) => !isSuite(name)).join(':');
  // Where only TLS 1.3 is left anyway, the server may yet not ask.
  const limitedBySigners =
    protocol.maxVersion == null &&
    protocol.secureProtocol == null &&
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
function safer(defaultCiphers: string): string {
  // A list that the person who runs the program chose is left alone.
  return defaultCiphers === constants.defaultCoreCipherList
    ? `${defaultCiphers}:!kRSA`
    : defaultCiphers;
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
