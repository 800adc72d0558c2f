/**
 * Credentials out of OSSL_STORE: keys that only an OpenSSL provider can open.
 */
import { createPublicKey, type KeyObject, type PublicKeyInput, X509Certificate } from 'node:crypto';
import { parse } from 'node:path';
import { binding, type NativeStoreContents, type NativeStoreKey } from '../../binding';
import { toBytes } from '../../bytes';
import type {
  Bytes,
  CertificateCredentialOptions,
  CertificateInput,
} from '../../credential-options';
import { invalidArgType, invalidArgValue } from '../../errors';
import { credentialError, INPUT_NAMES, publicError, translated } from '../../failures';
import { bare, snapshot } from '../../given';
import type { SignatureScheme } from '../../signature-schemes';
import { declaredSchemes } from '../../signer';
import { chainOf } from '../chain';
import { NamedTurns } from '../turns';
import { unlessAborted } from '../unless-aborted';
import { lacksError, schemesError, storeError, storeMismatchError, storeName } from './failures';
import { StoreSigner, schemesOf } from './signer';

/** Options of `Credential.fromStore()`. */
export interface StoreOptions {
  /**
   * The providers that are loaded beside OpenSSL's default one, for this credential alone: names of
   * modules in the folder that the environment variable `OPENSSL_MODULES` names, or absolute paths.
   * A provider runs in this process with all its rights: never take one from an untrusted source.
   */
  providers?: readonly string[] | undefined;
  /**
   * For a store that asks for one. Nobody is asked at the terminal. One that a TPM has refused when it
   * was to sign is not sent again: it would count against the TPM's lockout.
   */
  passphrase?: Bytes | undefined;
  /**
   * The certificate of the key, with its chain or without, for a store that holds none or several.
   * With it the store's certificates are not looked at.
   */
  cert?: CertificateInput | undefined;
  /** As in `new Credential()`. Default, without `cert`: out of the store's certificates. */
  chain?: CertificateInput | readonly CertificateInput[] | undefined;
  /**
   * Under which the key signs, where its provider does not know: a TPM's key may be bound to one
   * scheme when it is made, and TLS must not offer others. Default: those that the provider begins, of
   * which one at least must be among these.
   */
  schemes?: readonly SignatureScheme[] | undefined;
  /** Which of several implementations OpenSSL prefers: property(7). */
  propertyQuery?: string | undefined;
  /** Gives up waiting. What a device has begun ends by itself. */
  signal?: AbortSignal | undefined;
}

const NAMES: readonly (keyof StoreOptions)[] = [
  ...(['providers', 'passphrase', 'cert', 'chain', 'schemes', 'propertyQuery', 'signal'] as const),
];

/** Out of the store at `uri`, what `new Credential()` takes. */
export async function openStore(
  uri: string,
  given: StoreOptions,
): Promise<CertificateCredentialOptions> {
  if (given === null || typeof given !== 'object') {
    throw invalidArgType('options', 'of type object', given);
  }
  const options = snapshot(given, NAMES);
  const input = checked(uri, options);
  const { cert, chain, passphrase, signal } = options;
  signal?.throwIfAborted();
  const store = storeName(uri, input.providers, input.propertyQuery);
  const opening = openInTurn(uri, input, options).catch((error: unknown) => {
    throw publicError(error, (failure) => storeError(failure, store));
  });
  const contents = await (signal == null ? opening : unlessAborted(opening, signal));
  const signer = (key: NativeStoreKey) => {
    const possible = schemesOf(key);
    if (possible.length === 0) throw lacksError('key-unsupported', store);
    const schemes = input.schemes ?? possible;
    if (!schemes.some((scheme) => possible.includes(scheme))) throw schemesError(store, possible);
    return new StoreSigner(key, schemes, store, passphrase !== undefined);
  };
  if (contents.keys.length === 0) throw lacksError('no-private-key', store);
  if (cert !== undefined && input.leaf !== undefined) {
    const [pair] = pairs([input.leaf], contents.keys);
    if (pair === undefined) throw storeMismatchError(store, 'the certificate in "cert"');
    return { cert, chain, key: signer(pair.key) };
  }
  if (contents.certificates.length === 0) throw lacksError('no-certificate', store);
  const certificates = contents.certificates.map((der) => new X509Certificate(der));
  const [pair, second] = pairs(certificates, contents.keys);
  if (pair === undefined) throw storeMismatchError(store, 'a certificate in it');
  if (second !== undefined) throw lacksError('several-credentials', store);
  return {
    cert: pair.certificate,
    chain: chain ?? chainOf(pair.certificate, certificates),
    key: signer(pair.key),
  };
}

interface CheckedOptions {
  /** Of `cert`. */
  readonly leaf: X509Certificate | undefined;
  readonly providers: readonly string[];
  readonly propertyQuery: string | undefined;
  readonly schemes: readonly SignatureScheme[] | undefined;
}

function checked(uri: unknown, options: StoreOptions): CheckedOptions {
  checkText(uri, 'uri');
  const { cert, propertyQuery, schemes, signal } = options;
  const providers: unknown = options.providers ?? [];
  if (!Array.isArray(providers)) {
    throw invalidArgType('options.providers', 'an Array of names', providers);
  }
  providers.forEach((name, i) => {
    checkText(name, `options.providers[${i}]`);
  });
  if (propertyQuery !== undefined) checkText(propertyQuery, 'options.propertyQuery');
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw invalidArgType('options.signal', 'an instance of AbortSignal', signal);
  }
  return {
    leaf: cert === undefined ? undefined : leafOf(cert),
    providers: [...providers],
    propertyQuery,
    schemes: declaredSchemes({ schemes, sign: neverCalled }, 'options'),
  };
}

/** Read as the credential will be, before anybody is asked for the key. */
function leafOf(cert: CertificateInput): X509Certificate {
  if (cert instanceof X509Certificate) return cert;
  const certificate = ownBytes(cert, 'options.cert');
  try {
    const native = translated(
      () => new binding.Credential(bare({ certificate, chain: [], schemes: [] })),
      (failure) => credentialError(failure, INPUT_NAMES),
    );
    return new X509Certificate(native.certificates()[0] as Buffer);
  } finally {
    // Its key may be in the same text.
    certificate.fill(0);
  }
}

function neverCalled(): never {
  throw new Error('unreachable');
}

function checkText(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw invalidArgType(name, 'of type string', value);
  // It would end there for OpenSSL.
  if (value === '' || value.includes('\0')) {
    throw invalidArgValue(name, 'must be neither empty nor contain null bytes');
  }
}

/** By provider: a device that takes one client at a time blocks the next. */
const openings = new NamedTurns();
/** Those of OpenSSL's own, which have no device. */
const WITHOUT_DEVICE: readonly string[] = ['default', 'base', 'legacy', 'fips', 'null'];

async function openInTurn(uri: string, input: CheckedOptions, options: StoreOptions) {
  const { passphrase, signal } = options;
  // By the time its turn comes, the caller may have wiped his.
  const own = passphrase === undefined ? undefined : ownBytes(passphrase, 'options.passphrase');
  const inTurn = async ([name, ...others]: readonly string[]): Promise<NativeStoreContents> =>
    name === undefined ? open(uri, input, own) : openings.take(name, () => inTurn(others), signal);
  try {
    return await inTurn(devicesOf(input.providers));
  } finally {
    own?.fill(0);
  }
}

/** A copy, which is to be wiped. */
function ownBytes(secret: Bytes, name: string): Uint8Array {
  const bytes = toBytes(secret, name);
  return typeof secret === 'string' ? bytes : Uint8Array.from(bytes);
}

/**
 * Each under one name, however it is spelled: a module's path ends in the name by which OpenSSL finds
 * it. In an order that all have in common, so that no two wait for each other.
 */
function devicesOf(providers: readonly string[]): readonly string[] {
  const names = providers.map((path) => parse(path).name);
  return [...new Set(names)].filter((name) => !WITHOUT_DEVICE.includes(name)).sort();
}

/** @param passphrase - Wiped as soon as it was read. */
function open(
  uri: string,
  { providers, propertyQuery }: CheckedOptions,
  passphrase: Uint8Array | undefined,
): Promise<NativeStoreContents> {
  try {
    return binding.openStore(bare({ uri, providers, propertyQuery, passphrase }));
  } finally {
    passphrase?.fill(0);
  }
}

interface Pair {
  readonly certificate: X509Certificate;
  readonly key: NativeStoreKey;
}

/** The certificates that have their key, each once. */
function pairs(
  certificates: readonly X509Certificate[],
  keys: readonly NativeStoreKey[],
): readonly Pair[] {
  const publicKeys = keys.map((key) => ({ key, publicKey: publicKeyOf(key) }));
  const found = new Map<string, Pair>();
  for (const certificate of certificates) {
    const match = publicKeys.find(({ publicKey }) => publicKey?.equals(certificate.publicKey));
    if (match !== undefined) {
      found.set(certificate.fingerprint256, { certificate, key: match.key });
    }
  }
  return [...found.values()];
}

/** Undefined for a key of a type that Node.js does not know. */
function publicKeyOf(key: NativeStoreKey): KeyObject | undefined {
  try {
    return createPublicKey(
      bare<PublicKeyInput>({ key: key.publicKey(), format: 'der', type: 'spki' }),
    );
  } catch {
    return undefined;
  }
}
