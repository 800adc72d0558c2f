/**
 * From the native part's records to public errors.
 */
import { alertName } from './alerts';
import type { FailureRecord, OpenSSLErrorRecord } from './binding';
import { TLSClientCertError } from './errors';
import { isTLS13Scheme, type SignatureScheme, signatureSchemeName } from './signature-schemes';

/** Runs a native constructor and throws the public error in place of its record. */
export function translated<T>(
  construct: () => T,
  translate: (failure: FailureRecord) => TLSClientCertError,
): T {
  try {
    return construct();
  } catch (error) {
    throw publicError(error, translate);
  }
}

/** What to throw in place of what native code threw, or its promise was rejected with. */
export function publicError(
  thrown: unknown,
  translate: (failure: FailureRecord) => TLSClientCertError,
): unknown {
  const failure = (thrown as { failure?: FailureRecord } | null | undefined)?.failure;
  return failure === undefined ? thrown : translate(failure);
}

/** OpenSSL's own words, for the end of a sentence; empty when it said nothing. */
export function openssl(failure: FailureRecord): string {
  const root = failure.stack[0];
  return root === undefined ? '' : ` OpenSSL says: ${root.text}.`;
}

export function details(failure: FailureRecord) {
  const [root, ...rest] = failure.stack;
  return {
    library: root?.library,
    opensslErrorStack: rest.length > 0 ? rest.map((record) => record.text) : undefined,
  };
}

/** How the inputs of a credential are called where the caller wrote them. */
export interface CredentialInputNames {
  cert: string;
  chain: (index: number) => string;
  key: (index: number) => string;
  pfx: string;
  passphrase: string;
}

/** @param prefix - What stands before each, for instance `'options.credential.'`. */
export function inputNames(prefix: string): CredentialInputNames {
  return {
    cert: `${prefix}cert`,
    chain: (index) => `${prefix}chain[${index}]`,
    key: () => `${prefix}key`,
    pfx: `${prefix}pfx`,
    passphrase: `${prefix}passphrase`,
  };
}

/** In the options of `new Credential()`. */
export const INPUT_NAMES = inputNames('');

export function credentialError(
  failure: FailureRecord,
  names: CredentialInputNames,
): TLSClientCertError {
  const unreadable = (input: string, what: string) =>
    new TLSClientCertError(
      'ERR_CREDENTIAL_INVALID',
      `"${input}" holds no readable ${what} (PEM or DER; the contents, not a file name).${openssl(failure)}`,
      { input, reason: failure.reason, ...details(failure) },
    );
  const passphrase = (input: string, sentence: string) =>
    new TLSClientCertError('ERR_CREDENTIAL_PASSPHRASE', sentence, {
      input,
      reason: failure.reason,
      ...details(failure),
    });
  const key = names.key(failure.index);
  switch (failure.reason) {
    case 'certificate-unreadable':
      return unreadable(names.cert, 'certificate');
    case 'chain-unreadable':
      return unreadable(names.chain(failure.index), 'certificate');
    case 'key-unreadable':
      return unreadable(key, 'private key');
    case 'key-passphrase-missing':
      return passphrase(
        key,
        `"${key}" is encrypted: give its passphrase as "${names.passphrase}".`,
      );
    case 'key-passphrase-wrong':
      return passphrase(
        key,
        `"${key}" cannot be decrypted with "${names.passphrase}": the passphrase is wrong, or the key is damaged.`,
      );
    case 'key-unsupported':
      return new TLSClientCertError(
        'ERR_CREDENTIAL_INVALID',
        `"${key}" is encrypted with an algorithm that OpenSSL 3 keeps in its legacy provider (RC2, DES or ` +
          `the like). Encrypt it again with a current one, for instance by ` +
          `\`openssl pkey -provider legacy -provider default -aes256\`.${openssl(failure)}`,
        { input: key, reason: failure.reason, ...details(failure) },
      );
    case 'key-mismatch':
      return new TLSClientCertError(
        'ERR_CREDENTIAL_MISMATCH',
        `"${names.key(0)}" does not belong to the certificate in "${names.cert}": their public keys ` +
          `differ. Give the key that the certificate was issued for.${openssl(failure)}`,
        { input: names.key(0), reason: failure.reason, ...details(failure) },
      );
    case 'no-fibres':
      return new TLSClientCertError(
        'ERR_SIGNER_UNSUPPORTED',
        `"${names.key(0)}" is a signer, but OpenSSL cannot wait for one on this platform: its C library (musl, for instance in Alpine Linux) has no fibres. Use a Node.js built for glibc, or a key in memory.`,
        { input: names.key(0), reason: failure.reason },
      );
    case 'key-type-unsupported':
      return new TLSClientCertError(
        'ERR_CREDENTIAL_INVALID',
        `"${names.key(0)}" is a signer, and signers work for RSA, RSA-PSS, EC, Ed25519 and Ed448 keys; the certificate in "${names.cert}" has a key of type ${failure.detail || 'unknown'}.`,
        { input: names.cert, reason: failure.reason, ...details(failure) },
      );
    case 'schemes-unsuitable':
      return new TLSClientCertError(
        'ERR_CREDENTIAL_MISMATCH',
        `"${names.key(0)}" declares no scheme under which the key of the certificate in "${names.cert}" can sign: that is of type ${failure.detail}. Declare what the key can do, or give the certificate that belongs to it.`,
        { input: names.key(0), reason: failure.reason },
      );
    case 'pfx-unreadable':
      return new TLSClientCertError(
        'ERR_CREDENTIAL_INVALID',
        `"${names.pfx}" is no readable PKCS#12 (PFX) structure.${openssl(failure)}`,
        { input: names.pfx, reason: failure.reason, ...details(failure) },
      );
    case 'pfx-unsupported':
      return new TLSClientCertError(
        'ERR_CREDENTIAL_INVALID',
        `"${names.pfx}" is protected by an algorithm that this OpenSSL has not, or keeps in its legacy provider ` +
          `(RC2 or the like). Export it again with a current one, for instance by ` +
          `\`openssl pkcs12 -legacy\` to PEM and \`openssl pkcs12 -export\` back.${openssl(failure)}`,
        { input: names.pfx, reason: failure.reason, ...details(failure) },
      );
    case 'pfx-passphrase-missing':
      return passphrase(
        names.pfx,
        `"${names.pfx}" is encrypted: give its passphrase as "${names.passphrase}".`,
      );
    case 'pfx-passphrase-wrong':
      return passphrase(
        names.pfx,
        `"${names.pfx}" cannot be opened with "${names.passphrase}": the passphrase is wrong.`,
      );
    case 'pfx-incomplete':
      return new TLSClientCertError(
        'ERR_CREDENTIAL_INVALID',
        `"${names.pfx}" holds no ${failure.detail}: a client certificate needs both certificate and private key.`,
        { input: names.pfx, reason: failure.reason },
      );
    default:
      return internalError(failure);
  }
}

const CONTEXT_FAILURES: Readonly<Record<string, { option: string; what: string; code: string }>> = {
  'protocol-versions': {
    option: 'options.minVersion',
    what: 'and maxVersion leave no protocol version that this OpenSSL supports',
    code: 'ERR_TLS_PROTOCOL_VERSION_CONFLICT',
  },
  'cipher-list': {
    option: 'options.ciphers',
    what: 'names no cipher that this OpenSSL knows',
    code: 'ERR_SSL_NO_CIPHER_MATCH',
  },
  'cipher-suites': {
    option: 'options.ciphers',
    what: 'names a TLS 1.3 cipher suite that this OpenSSL does not know',
    code: 'ERR_SSL_NO_CIPHER_MATCH',
  },
  groups: {
    option: 'options.ecdhCurve',
    what: 'names a curve or group that this OpenSSL does not know',
    code: 'ERR_CRYPTO_OPERATION_FAILED',
  },
  'signature-schemes': {
    option: 'options.sigalgs',
    what: 'names a signature algorithm that this OpenSSL does not know',
    code: 'ERR_CRYPTO_OPERATION_FAILED',
  },
  'no-fibres': {
    option: 'options.pskCallback',
    what: 'cannot be waited for on this platform: its C library (musl, for instance in Alpine Linux) has no fibres',
    code: 'ERR_TLS_PSK_UNSUPPORTED',
  },
  'server-name': {
    option: 'options.servername',
    what: 'cannot be sent as a server name (RFC 6066, section 3: at most 255 bytes)',
    code: 'ERR_INVALID_ARG_VALUE',
  },
  'alpn-protocols': {
    option: 'options.ALPNProtocols',
    what: 'is no valid list of protocol names (RFC 7301, section 3.1)',
    code: 'ERR_INVALID_ARG_VALUE',
  },
};

export function contextError(failure: FailureRecord): TLSClientCertError {
  const index = failure.index;
  if (failure.reason === 'authority-unreadable') {
    return new TLSClientCertError(
      'ERR_TLS_CA_INVALID',
      `options.ca[${index}] holds no readable certificate (PEM or DER).${openssl(failure)}`,
      { input: `options.ca[${index}]`, reason: failure.reason, ...details(failure) },
    );
  }
  if (failure.reason === 'crl-unreadable') {
    return new TLSClientCertError(
      'ERR_CRYPTO_OPERATION_FAILED',
      `options.crl[${index}] holds no readable certificate revocation list (PEM or DER).${openssl(failure)}`,
      { input: `options.crl[${index}]`, reason: failure.reason, ...details(failure) },
    );
  }
  const known = CONTEXT_FAILURES[failure.reason];
  if (known === undefined) return internalError(failure);
  return new TLSClientCertError(known.code, `${known.option} ${known.what}.${openssl(failure)}`, {
    input: known.option,
    reason: failure.reason,
    ...details(failure),
  });
}

/** What bears on whether a credential can be sent. */
export interface Presentation {
  /** Its certificate's subject. */
  subject: string;
  /** The schemes that its signer declares, if it has one that does. */
  schemes?: readonly SignatureScheme[] | undefined;
  /** Whether its key is a signer. */
  signs: boolean;
  /** The connection's version, for instance `'TLSv1.3'`. */
  protocol: string;
}

/** Why a credential would not be sent. */
export function unusableError(
  failure: FailureRecord,
  presentation: Presentation,
): TLSClientCertError {
  const which =
    failure.index === 0 ? 'its certificate' : `certificate ${failure.index} of its chain`;
  const why: Readonly<Record<string, string>> = {
    'key-too-small': `${which} has ${failure.detail}. Use a stronger key, or lower the level with "@SECLEVEL=" in ciphers`,
    'signature-too-weak': `${which} carries ${failure.detail}. Have it issued anew with SHA-256, or lower the level with "@SECLEVEL=" in ciphers`,
    'no-common-scheme': noCommonScheme(presentation),
    'scheme-not-declared': `for this server OpenSSL picks the scheme ${signatureSchemeName(failure.index)}, which its signer does not declare. Set the credential in advance by cert and key, so that OpenSSL can be told, or leave that scheme out by the option sigalgs`,
    'certificate-scheme-refused':
      'its certificate is signed under a scheme that the server does not take in certificates (signature_algorithms_cert). Use one that was issued with another signature',
    'not-sent': `OpenSSL refused to load or send it.${openssl(failure)}`,
  };
  const sentence = (why[failure.reason] ?? `${failure.reason}.${openssl(failure)}`).replace(
    /\.$/,
    '',
  );
  return new TLSClientCertError(
    'ERR_CREDENTIAL_UNUSABLE',
    `The client certificate ${presentation.subject} would not be sent: ${sentence}.`,
    { reason: failure.reason, ...details(failure) },
  );
}

function noCommonScheme({ schemes, signs, protocol }: Presentation): string {
  if (signs && (protocol === 'TLSv1' || protocol === 'TLSv1.1')) {
    return `its key is a signer, and these sign for TLS 1.2 and 1.3; this server speaks ${protocol}. Use a key in memory, or set minVersion: 'TLSv1.2'`;
  }
  if (schemes === undefined) {
    return 'its key can sign under none of the signature schemes that the server and this client have in common (request.signatureSchemes, option sigalgs). Use a key of another type';
  }
  const declared = `its signer declares ${schemes.join(', ')}, and none of these suits the server's request (request.signatureSchemes, option sigalgs)`;
  return protocol === 'TLSv1.3' && !schemes.some(isTLS13Scheme)
    ? `${declared}: TLS 1.3 does not know them. If the server speaks TLS 1.2, connect with maxVersion: 'TLSv1.2'`
    : `${declared}. Use another key, or a signer that can do more`;
}

/** What a signer gave is no signature; `explanation`: what it is. */
export function signatureError(
  failure: FailureRecord,
  subject: string,
  explanation: string,
): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_SIGNATURE_INVALID',
    `What the signer of the client certificate ${subject} returned is no ${signatureSchemeName(failure.index)} signature of the data by the certificate's key. Nothing was sent. ${explanation}`,
    { reason: failure.reason, ...details(failure) },
  );
}

const ALERT_HINTS: Readonly<Record<string, string>> = {
  certificate_required: 'the server demands a client certificate and got none',
  unknown_ca:
    "the server does not trust the authority of this client's certificate, or an intermediate certificate is missing from its chain",
  bad_certificate: "the server rejects this client's certificate",
  unsupported_certificate: 'the server does not take a client certificate of this kind',
  certificate_revoked: "this client's certificate was revoked",
  certificate_expired: "this client's certificate has expired",
  certificate_unknown: "the server could not accept this client's certificate",
  access_denied: 'the server knows this client and denies it access',
  protocol_version: 'the server speaks none of the versions from minVersion to maxVersion',
  handshake_failure:
    'the two sides found no common settings, or the server demands a client certificate',
};

/** Why a server was sent none. */
const WHY_NONE = {
  callback: 'the callback declined',
  'nothing-configured': 'neither clientCertCallback nor cert and key nor pfx is set',
};

/** How servers refuse a client that sent no certificate. */
const REFUSALS_OF_NOBODY = new Set([
  'handshake_failure',
  'bad_certificate',
  'certificate_required',
]);

/** What OpenSSL's words mean to the person who reads them. */
const EXPLAINED: Readonly<Record<string, string>> = {
  'unexpected eof while reading':
    'the connection was closed without a close_notify alert, so what was received may be cut short',
  'wrong version number': 'the server does not answer in TLS',
  'no protocols available': 'minVersion and maxVersion leave no protocol version',
  'wrong ssl version': 'TLS 1.3 has no renegotiation',
  'no renegotiation': 'the server refuses to renegotiate, as most do when a client begins',
};

/** What has a sentence of its own, by the native reason. */
const SENTENCES: Readonly<Record<string, readonly [code: string, sentence: string]>> = {
  'closed-midway': [
    'ECONNRESET',
    'The server closed the connection in the middle of a renegotiation.',
  ],
  'not-open': [
    'ERR_TLS_RENEGOTIATION_REFUSED',
    'There is no open connection to renegotiate: it is not secure yet, or was ended.',
  ],
  'renegotiation-disabled': [
    'ERR_TLS_RENEGOTIATION_DISABLED',
    'The server asked for a renegotiation, which disableRenegotiation() has ruled out.',
  ],
  'renegotiation-limit': [
    'ERR_TLS_SESSION_ATTACK',
    'The server asks for renegotiations again and again: more than tls.CLIENT_RENEG_LIMIT within tls.CLIENT_RENEG_WINDOW seconds.',
  ],
  'answers-unread': [
    'ERR_TLS_SESSION_ATTACK',
    'The server asks again and again after the handshake and does not read the answers: more than 256 KiB of them wait to be sent.',
  ],
  'renegotiation-insecure': [
    'ERR_TLS_RENEGOTIATION_REFUSED',
    'No renegotiation with this server: it does not protect them (RFC 5746), so that somebody else could have spoken before us.',
  ],
  'forbidden-by-http2': [
    'ERR_TLS_FORBIDDEN_BY_HTTP2',
    'This connection agreed on HTTP/2, which allows neither renegotiation nor a request for a client certificate after the handshake (RFC 9113, section 9.2; RFC 8740). Leave h2 out of ALPNProtocols for a server that asks later.',
  ],
};

/** What the client had shown the server when it failed. */
export interface Shown {
  /** Why its request was answered by none. */
  declined?: keyof typeof WHY_NONE | undefined;
  /** Subject of the certificate that it was shown. */
  identity?: string | undefined;
  /** TLS 1.3 was not offered for want of a signer that can do it. */
  limitedBySigners?: boolean | undefined;
}

/** A failure of the handshake or the record layer, with the code that `node:tls` would give. */
export function protocolError(
  failure: FailureRecord | null,
  { declined, identity, limitedBySigners }: Shown = {},
): TLSClientCertError {
  const known = SENTENCES[failure?.reason ?? ''];
  if (known !== undefined) {
    const [code, sentence] = known;
    return new TLSClientCertError(code, sentence, { reason: failure?.reason });
  }
  const root = failure?.stack[0];
  if (failure === null || root === undefined) return internalError(failure ?? UNEXPLAINED);
  // Whatever the library: so does the socket of node:tls, unlike the rest of Node.
  const code = `ERR_SSL_${root.reason.toUpperCase().replaceAll(' ', '_')}`;
  // Only an error that OpenSSL reports as the peer's alert is one: a close_notify before a
  // truncation, or an alert long past, is not.
  const alert =
    failure.alert !== undefined && tellsOfAlert(root, failure.alert)
      ? alertName(failure.alert)
      : undefined;
  const hint =
    declined !== undefined && alert !== undefined && REFUSALS_OF_NOBODY.has(alert)
      ? `the server asked for a client certificate and goes no further without: ${WHY_NONE[declined]}`
      : alert === 'protocol_version' && limitedBySigners
        ? 'TLS 1.3 was not offered, because no signer in key declares a scheme that it knows, and the server speaks no version below. Give a key that can, for instance by rsa_pss_rsae_sha256'
        : ALERT_HINTS[alert ?? ''];
  const about = alert === undefined ? undefined : identity;
  const sentence =
    alert === undefined
      ? (EXPLAINED[root.reason] ?? root.reason)
      : `the server sent the alert ${alert}${hint === undefined ? '' : `: ${hint}`}`;
  const shown = about === undefined ? '' : ` It was shown the client certificate of ${about}.`;
  return new TLSClientCertError(code, `TLS failed: ${sentence} (${root.text}).${shown}`, {
    ...details(failure),
    reason: root.reason,
    alert,
    identity: about,
  });
}

/** By number, for not all of them have "alert" in their words: 1000 (SSL_AD_REASON_OFFSET) and the alert's own. */
function tellsOfAlert({ library, text }: OpenSSLErrorRecord, alert: number): boolean {
  const code = Number.parseInt(/^error:([0-9A-F]+):/.exec(text)?.[1] ?? '0', 16);
  return library === 'SSL routines' && (code & 0x7fffff) === 1000 + alert;
}

/** Nothing can be done with it any more, as its owner wanted. */
export function destroyedError(what: 'connection' | 'socket' | 'stream'): TLSClientCertError {
  return new TLSClientCertError('ERR_TLS_CONNECTION_OVER', `The ${what} was destroyed.`);
}

/** The server went before its question was answered. */
export function gaveUpError(cause?: Error): TLSClientCertError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? 'ECONNRESET';
  // A reset is how a server goes; anything else happened on the way to it.
  if (cause === undefined || code === 'ECONNRESET' || code === 'EPIPE') {
    return new TLSClientCertError(
      'ECONNRESET',
      'The server closed the connection while its request for a client certificate was not answered yet.',
      { cause },
    );
  }
  return new TLSClientCertError(
    code,
    `The connection was lost while the server's request for a client certificate was not answered yet: ${cause.message}`,
    { cause },
  );
}

const UNEXPLAINED: FailureRecord = { reason: 'internal', index: 0, detail: '', stack: [] };

/** Something that should not happen, with all that is known about it. */
export function internalError(failure: FailureRecord): TLSClientCertError {
  return new TLSClientCertError(
    'ERR_CRYPTO_OPERATION_FAILED',
    `An OpenSSL operation failed (${failure.reason}).${openssl(failure)}`,
    { reason: failure.reason, ...details(failure) },
  );
}
