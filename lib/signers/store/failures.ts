/**
 * What can be wrong with a store, in sentences.
 */
import type { FailureRecord } from '../../binding';
import { TLSClientCertError } from '../../errors';
import { details, internalError, openssl } from '../../failures';

/** A store as errors speak of it. */
export interface StoreName {
  /** Without the PIN that an RFC 7512 URI may hold. */
  readonly uri: string;
  readonly providers: readonly string[];
}

export function storeName(uri: string, providers: readonly string[]): StoreName {
  return { uri: uri.replace(/(pin-value=)[^&;?#]*/gi, '$1…'), providers };
}

/** Of a failure that native code reports. */
export function storeError(failure: FailureRecord, store: StoreName): TLSClientCertError {
  const error = (code: string, input: string | undefined, sentence: string) =>
    new TLSClientCertError(code, sentence, { input, reason: failure.reason, ...details(failure) });
  switch (failure.reason) {
    case 'store-provider': {
      const input = `providers[${failure.index}]`;
      const name = store.providers[failure.index] ?? '';
      return error(
        'ERR_STORE_PROVIDER',
        input,
        `The OpenSSL provider "${name}" (${input}) cannot be loaded: ${whyNotLoaded(name, failure)}`,
      );
    }
    case 'store-scheme':
      return error(
        'ERR_STORE_UNREADABLE',
        'uri',
        `No provider knows the scheme of the store "${store.uri}": name one that does in "providers".`,
      );
    case 'store-unreadable':
      return error(
        'ERR_STORE_UNREADABLE',
        'uri',
        `The store "${store.uri}" cannot be read.${openssl(failure)}`,
      );
    case 'store-passphrase-missing':
      return error(
        'ERR_CREDENTIAL_PASSPHRASE',
        'uri',
        `The store "${store.uri}" is locked: give its passphrase as "passphrase".`,
      );
    case 'store-passphrase-wrong':
      return error(
        'ERR_CREDENTIAL_PASSPHRASE',
        'uri',
        `The store "${store.uri}" cannot be opened with "passphrase": the passphrase is wrong, or what is in the store is damaged.`,
      );
    case 'store-signature':
      return error(
        'ERR_CRYPTO_OPERATION_FAILED',
        undefined,
        `The key in the store "${store.uri}" gave no signature. Is its device still there, is its passphrase right, and may it sign under this scheme (option "schemes")?${openssl(failure)}`,
      );
    default:
      return internalError(failure);
  }
}

function whyNotLoaded(name: string, failure: FailureRecord): string {
  // The name of the file that was looked for stands in front of the dynamic linker's words.
  const linker = /^filename\(.*?\): (.*)$/s.exec(failure.detail)?.[1];
  if (linker === undefined) {
    return `its module was found, and would not start. Is its device there, and configured?${openssl(failure)}`;
  }
  const wayOut = /[/\\]/.test(name)
    ? ''
    : ' OpenSSL looks for a bare name in the folder that the environment variable OPENSSL_MODULES names, or else in the one that it was built with, which Node.js does not bring along. Give the absolute path of the module.';
  return `${linker}.${wayOut}`;
}

/** What is not, or not clearly, in a store that could be read. */
const LACKS = {
  'no-private-key':
    'holds no private key. Name the object that is one, and the provider that can open it in "providers"',
  'no-certificate':
    'holds a private key and no certificate: give the certificate that was issued for it as "cert"',
  'several-credentials':
    'holds more than one certificate with its private key: give the one that is meant as "cert"',
  'key-unsupported':
    'holds a private key that can sign under none of the signature schemes of TLS that are known here',
} as const;

export function lacksError(reason: keyof typeof LACKS, store: StoreName): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_STORE_UNREADABLE',
    `The store "${store.uri}" ${LACKS[reason]}.`,
    { input: 'uri', reason },
  );
}

export function storeMismatchError(store: StoreName, certificates: string): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_CREDENTIAL_MISMATCH',
    `No private key in the store "${store.uri}" belongs to ${certificates}: their public keys differ. Give the certificate that was issued for the key as "cert".`,
    { input: 'cert', reason: 'key-mismatch' },
  );
}
