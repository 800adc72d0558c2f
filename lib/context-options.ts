/**
 * What a context is made from: read once, not yet parsed.
 */
import { X509Certificate } from 'node:crypto';
import tls, { type SecureVersion } from 'node:tls';
import type { NativeTrustStore } from './binding';
import { type Raw, toList, toRaw } from './bytes';
import { Credential } from './credential';
import {
  type Bytes,
  type CertificateInput,
  type CredentialInputs,
  type CredentialOptions,
  describeCredential,
  type PrivateKeyInput,
  type RawCertificate,
  type RawKey,
  readCertificate,
  readCredential,
  readKey,
  readPfx,
} from './credential-options';
import { invalidArgValue } from './errors';
import { inputNames } from './failures';
import { type Fingerprint, FingerprintParts } from './fingerprint';
import { snapshot } from './given';
import { checkServerSide, type ServerSideOptions } from './server-options';
import { declaredSchemes, isSigner, type Signer } from './signer';
import { defaultTrust } from './trust';
import type { ClientCertCallback } from './types';
import { refuseUnsupported } from './unsupported-options';

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
export interface SecureContextOptions extends ServerSideOptions {
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
  /**
   * The old way to say which versions: the name of a method of OpenSSL's, such as `'TLSv1_2_method'`, in
   * place of `minVersion` and `maxVersion`.
   */
  secureProtocol?: string | undefined;
  /** A mask of `crypto.constants.SSL_OP_…`. */
  secureOptions?: number | undefined;
  /** Take any certificate in `ca` as an anchor, not only self-signed ones. Default: `false`. */
  allowPartialTrustChain?: boolean | undefined;
  /** What {@link SecureContext.setClientCertCallback} sets. */
  clientCertCallback?: ClientCertCallback | null | undefined;
}

/** As they were given, and what stands for them where they were not: programs may change that. */
export interface ProtocolInputs {
  readonly minVersion: unknown;
  readonly maxVersion: unknown;
  readonly secureProtocol: unknown;
  readonly ciphers: unknown;
  readonly ecdhCurve: unknown;
  readonly sigalgs: unknown;
  readonly secureOptions: unknown;
  readonly defaultMinVersion: SecureVersion;
  readonly defaultMaxVersion: SecureVersion;
  readonly defaultCiphers: string;
  readonly defaultCurve: string;
}

/**
 * All that shapes a context, each option read once: getters and lists may say something else the next
 * time. The callback is not among it: a context may be shared, and the callback not.
 */
export interface ContextInputs {
  readonly authorities: readonly RawCertificate[] | undefined;
  readonly crls: readonly Raw[];
  /** The default authorities, where they are trusted. */
  readonly defaultTrust: NativeTrustStore | undefined;
  readonly allowPartialTrustChain: boolean;
  readonly credentials: readonly (Credential | CredentialInputs)[];
  readonly protocol: ProtocolInputs;
}

export function readContext(options: SecureContextOptions): ContextInputs {
  refuseUnsupported(options);
  const { ca, crl } = options;
  checkServerSide(options);
  const authorities =
    ca === undefined || ca === null
      ? undefined
      : toList(ca).map((item, i) => readCertificate(item, `options.ca[${i}]`));
  return {
    authorities,
    crls: toList(crl).map((item, i) => toRaw(item, `options.crl[${i}]`)),
    defaultTrust: authorities === undefined ? defaultTrust() : undefined,
    allowPartialTrustChain: options.allowPartialTrustChain === true,
    credentials: readCredentials(options),
    protocol: {
      minVersion: options.minVersion,
      maxVersion: options.maxVersion,
      secureProtocol: options.secureProtocol,
      ciphers: options.ciphers,
      ecdhCurve: options.ecdhCurve,
      sigalgs: options.sigalgs,
      secureOptions: options.secureOptions,
      defaultMinVersion: tls.DEFAULT_MIN_VERSION,
      defaultMaxVersion: tls.DEFAULT_MAX_VERSION,
      defaultCiphers: tls.DEFAULT_CIPHERS,
      defaultCurve: tls.DEFAULT_ECDH_CURVE,
    },
  };
}

/** Equal for inputs that make the same context. */
export function contextFingerprint(inputs: ContextInputs): Fingerprint {
  const parts = new FingerprintParts();
  const { authorities, crls, credentials } = inputs;
  // Long and public: to compare them is cheaper than to digest them.
  parts.add(authorities?.length, crls.length, ...crls);
  for (const authority of authorities ?? []) {
    if (authority instanceof X509Certificate) parts.addObject(authority);
    else parts.add(authority);
  }
  parts.add(inputs.defaultTrust, inputs.allowPartialTrustChain, ...Object.values(inputs.protocol));
  parts.add(credentials.length);
  for (const credential of credentials) {
    if (Credential.is(credential)) parts.addObject(credential);
    else describeCredential(credential, parts);
  }
  return parts.fingerprint();
}

/** `cert`, `key`, `pfx`, `passphrase` and `credential` in all the shapes that node:tls takes. */
function readCredentials(options: SecureContextOptions): (Credential | CredentialInputs)[] {
  const { cert, key, pfx, credential } = options;
  const common = passphraseOf(options.passphrase, 'options.passphrase', undefined);
  return [
    ...readPairs(toList<unknown>(cert), toList<unknown>(key), common),
    ...toList<unknown>(pfx).map((item, i) => readPfxItem(item, i, common)),
    ...toList<unknown>(credential).map((item, i) => {
      const name = `options.credential${Array.isArray(credential) ? `[${i}]` : ''}`;
      return Credential.is(item) ? item : readCredential(item, name, () => inputNames(`${name}.`));
    }),
  ];
}

function readPairs(
  certs: readonly unknown[],
  keyItems: readonly unknown[],
  common: Raw | undefined,
): CredentialInputs[] {
  const certificates = certs.map((item, i) => readCertificate(item, `options.cert[${i}]`));
  if (certificates.length > 0 && keyItems.length === 0) {
    throw invalidArgValue(
      'options.key',
      'is missing: options.cert is given, and needs its private key',
    );
  }
  if (keyItems.length > 0 && certificates.length === 0) {
    throw invalidArgValue(
      'options.cert',
      'is missing: options.key is given, and needs its certificate',
    );
  }
  const keys: RawKey[] = [];
  /** Where each of `keys` stood. */
  const places: number[] = [];
  keyItems.forEach((item, k) => {
    if (!isSigner(item)) {
      keys.push(readKeyItem(item, common, `options.key[${k}]`));
      places.push(k);
    } else if (k >= certificates.length) {
      throw invalidArgValue(`options.key[${k}]`, 'is a signer without a certificate at its place');
    }
  });
  return certificates.map((certificate, i) => {
    const own = keyItems[i];
    const namesWith = (keyName: (index: number) => string) => () => ({
      cert: `options.cert[${i}]`,
      chain: () => `options.cert[${i}]`,
      key: keyName,
      pfx: 'options.pfx',
      passphrase: 'options.passphrase',
    });
    if (!isSigner(own)) {
      const names = namesWith((index) => `options.key[${places[index] ?? i}]`);
      return { kind: 'key', certificate, chain: [], keys, names };
    }
    const name = `options.key[${i}]`;
    const schemes = declaredSchemes(own, name);
    const names = namesWith(() => name);
    return { kind: 'signer', certificate, chain: [], signer: own, schemes, names };
  });
}

function readKeyItem(item: unknown, common: Raw | undefined, name: string): RawKey {
  const pair = pairOf(item, 'pem');
  if (pair === undefined) return readKey(item, common, name);
  const passphrase = passphraseOf(pair.passphrase, `${name}.passphrase`, common);
  return readKey(pair.value, passphrase, `${name}.pem`);
}

function readPfxItem(item: unknown, i: number, common: Raw | undefined): CredentialInputs {
  const name = `options.pfx[${i}]`;
  const { value: bytes, passphrase: own } = pairOf(item, 'buf') ?? { value: item };
  return {
    kind: 'pfx',
    pfx: readPfx(bytes, name),
    passphrase: passphraseOf(own, `${name}.passphrase`, common),
    names: () => ({
      cert: name,
      chain: () => name,
      key: () => name,
      pfx: name,
      passphrase: own === undefined ? 'options.passphrase' : `${name}.passphrase`,
    }),
  };
}

function passphraseOf(own: unknown, name: string, common: Raw | undefined): Raw | undefined {
  return own === undefined || own === null ? common : toRaw(own, name);
}

/** What has a passphrase of its own; undefined for what has not. */
function pairOf(item: unknown, key: string): { value: unknown; passphrase?: unknown } | undefined {
  if (item === null || typeof item !== 'object' || ArrayBuffer.isView(item)) return undefined;
  const { [key]: value, passphrase } = snapshot(item as Record<string, unknown>, [
    key,
    'passphrase',
  ]);
  return value === undefined && !Object.hasOwn(item, key) ? undefined : { value, passphrase };
}
