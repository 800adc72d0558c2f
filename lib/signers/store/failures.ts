/**
 * What can be wrong with a store, in sentences.
 */
import type { FailureRecord } from '../../binding';
import { TLSClientCertError } from '../../errors';
import { details, internalError, openssl } from '../../failures';
import type { SignatureScheme } from '../../signature-schemes';
import { decoded } from '../pkcs11/percent';

/** A store as errors speak of it. */
export interface StoreName {
  /** Without the PIN that an RFC 7512 URI may hold. */
  readonly uri: string;
  readonly providers: readonly string[];
  readonly propertyQuery: string | undefined;
  /** Takes that PIN out of what OpenSSL says. */
  hide(failure: FailureRecord): FailureRecord;
}

export function storeName(
  uri: string,
  providers: readonly string[],
  propertyQuery?: string,
): StoreName {
  const pins = Array.from(uri.matchAll(PIN_VALUE), ([, , pin = '']) => pin).filter(Boolean);
  const secrets = pins.flatMap((pin) => [pin, decoded(pin)?.toString() ?? pin]);
  return {
    uri: withoutPins(uri),
    providers,
    propertyQuery,
    hide(failure) {
      const stack = failure.stack.map((record) => {
        const [, standard = '', words = record.text] = OPENSSL_TEXT.exec(record.text) ?? [];
        const shown = withoutPins(words);
        // In a form of its provider's own.
        const tells = secrets.some((secret) => shown.includes(secret));
        return { ...record, text: tells ? standard : standard + shown };
      });
      return { ...failure, stack };
    },
  };
}

const PIN_VALUE = /(pin-value=)([^&;?#]*)/gi;
/** ERR_error_string(3): number, library, function and reason; and what native code puts behind. */
const OPENSSL_TEXT = /^((?:[^:]*:){4}[^:]*)(.*)$/s;

function withoutPins(text: string): string {
  return text.replace(PIN_VALUE, '$1…');
}

/** Of a failure that native code reports. */
export function storeError(record: FailureRecord, store: StoreName): TLSClientCertError {
  const failure = store.hide(record);
  const error = (
    code: string,
    input: string | undefined,
    sentence: string,
    reason = failure.reason,
  ) => new TLSClientCertError(code, sentence, { input, reason, ...details(failure) });
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
        store.propertyQuery === undefined
          ? `No provider knows the scheme of the store "${store.uri}": name one that does in "providers".`
          : `No provider that "propertyQuery" allows knows the scheme of the store "${store.uri}" (a file's is "file"): name one that does in "providers", or begin each property with "?", so that it is preferred, and not demanded.`,
      );
    case 'store-unreadable':
      if (failure.detail === 'algorithm') {
        const named = store.providers.includes('legacy');
        return error(
          'ERR_STORE_UNREADABLE',
          'uri',
          `The store "${store.uri}" is encrypted with an algorithm that OpenSSL 3 keeps in its legacy provider (RC2 or the like).${named ? '' : ' A private key in PEM or DER can be read all the same, with "legacy" among "providers".'} Write a PKCS#12 anew with a current algorithm, by \`openssl pkcs12 -legacy\` to PEM and \`openssl pkcs12 -export\` back, or run Node.js with --openssl-legacy-provider.${says(failure)}`,
          'store-algorithm-unsupported',
        );
      }
      return error(
        'ERR_STORE_UNREADABLE',
        'uri',
        failure.detail === 'content'
          ? `The store "${store.uri}" is there, and no provider can read what is in it. Is it a key or certificate in PEM or DER, or a PKCS#12? Name a provider that knows it in "providers"${store.propertyQuery === undefined ? '' : ', and one that "propertyQuery" allows'}.${says(failure)}`
          : `The store "${store.uri}" cannot be read.${says(failure)}`,
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
        `The store "${store.uri}" cannot be opened with "passphrase": the passphrase is wrong, or what is in the store is damaged.${says(failure)}`,
      );
    case 'store-signature':
      return error(
        'ERR_CRYPTO_OPERATION_FAILED',
        undefined,
        `The key in the store "${store.uri}" gave no signature. Is its device still there, is its passphrase right, and may it sign under this scheme (option "schemes")?${says(failure)}`,
      );
    default:
      return internalError(failure);
  }
}

/**
 * The end of what tpm2-openssl says when a TPM refuses an authorization: the response code, and the
 * TPM's own words for it.
 */
const TPM_SESSION_ERROR = /: (\d+) tpm:session\(\d+\):[^:]*$/;
/** TPM_RC_AUTH_FAIL and TPM_RC_BAD_AUTH (TPM 2.0 Library, part 2, section 6.6.3). */
const TPM_REFUSALS: readonly number[] = [0x8e, 0xa2];

/** Whether a TPM looked at the passphrase, and does not take it. */
export function isRefusal(failure: FailureRecord): boolean {
  if (failure.reason !== 'store-signature') return false;
  return failure.stack.some(({ text }) => {
    const code = TPM_SESSION_ERROR.exec(text)?.[1];
    // Without the number of the session.
    return code !== undefined && TPM_REFUSALS.includes(Number(code) & ~0xf00);
  });
}

/** @param given - Whether there was a passphrase. */
export function refusalError(
  record: FailureRecord,
  store: StoreName,
  given: boolean,
): TLSClientCertError {
  const failure = store.hide(record);
  const refused = (why: string, reason: string) =>
    new TLSClientCertError(
      'ERR_CREDENTIAL_PASSPHRASE',
      `The key in the store "${store.uri}" gave no signature: ${why}.${says(failure)}`,
      { input: 'uri', reason, ...details(failure) },
    );
  // By tpm2-openssl's rules nobody was asked.
  if (/^(handle|object):[^?]*$/i.test(store.uri)) {
    return refused(
      'it takes a passphrase, and none was sent, because its URI does not say so. Make a new credential, with "?pass" at the end of the URI, and the passphrase as "passphrase"',
      'store-passphrase-missing',
    );
  }
  return given
    ? refused(
        'the TPM refused "passphrase". It is not sent again, so that the TPM does not lock: make a new credential with the right one',
        'store-passphrase-wrong',
      )
    : refused(
        'it takes a passphrase. Make a new credential, with it as "passphrase"',
        'store-passphrase-missing',
      );
}

/** Not the decoder's "unsupported", which is what all others come to, where there is another. */
function says(failure: FailureRecord): string {
  const telling = failure.stack.filter(
    ({ library, reason }) => library !== 'STORE routines' || reason !== 'unsupported',
  );
  return openssl(telling.length === 0 ? failure : { ...failure, stack: telling });
}

function whyNotLoaded(name: string, failure: FailureRecord): string {
  // The name of the file that was looked for stands in front of the dynamic linker's words.
  const linker = /^filename\(.*?\): (.*)$/s.exec(failure.detail)?.[1];
  if (linker !== undefined) {
    const wayOut = /[/\\]/.test(name)
      ? ''
      : ' OpenSSL looks for a bare name in the folder that the environment variable OPENSSL_MODULES names, or else in the one that it was built with, which Node.js does not bring along. Give the absolute path of the module.';
    return `${linker}.${wayOut}`;
  }
  if (failure.detail.startsWith('symname(OSSL_provider_init)')) {
    return 'it is a shared library, but no OpenSSL provider: it has no function OSSL_provider_init. Give the path of a provider.';
  }
  return `its module was found, and would not start. Is its device there, and configured?${openssl(failure)}`;
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

/** @param possible - Under which the key can sign. */
export function schemesError(
  store: StoreName,
  possible: readonly SignatureScheme[],
): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_CREDENTIAL_MISMATCH',
    `"schemes" names none under which the key in the store "${store.uri}" can sign: these are ${possible.join(', ')}. Name some of them, or leave the option out.`,
    { input: 'schemes', reason: 'schemes-unsuitable' },
  );
}
