/**
 * Answers a server's request with the first credential that suits it.
 */
import type { CertificateRequest } from '../certificate-request';
import type { Credential } from '../credential';
import { invalidArgType, invalidArgValue, TLSClientCertError } from '../errors';
import { given } from '../given';
import type { ClientCertCallback, ClientCertCallbackContext } from '../types';
import { type Reason, reasonsAgainst } from './reasons';
import { type CredentialSource, checkedSources, credentialsOf } from './sources';

/** What {@link explain} says of one credential. */
export interface Explanation {
  readonly credential: Credential;
  /** `credential.subject`. */
  readonly subject: string;
  /** Whether {@link firstMatch} sends it. */
  readonly taken: boolean;
  /** Why, or all that speaks against it. At least one. */
  readonly reasons: readonly Reason[];
}

/** Decides when no credential suits; its answer is the callback's. */
export type NoMatchHandler = (
  request: CertificateRequest,
  explanations: readonly Explanation[],
  context: ClientCertCallbackContext,
) => ReturnType<ClientCertCallback>;

/** The second argument of {@link firstMatch}. */
export interface FirstMatchOptions {
  /**
   * What happens when no credential suits.
   *
   * - `'decline'`: no certificate is sent, and the server decides. Default.
   * - `'fail'`: the connection fails with `ERR_CLIENT_CERT_CALLBACK`. Its `cause` has the code
   *   `ERR_CLIENT_CERT_NO_MATCH` and names each credential and what speaks against it.
   * - A function: it is told the same, may write it down or ask a person, and answers.
   */
  onNoMatch?: 'decline' | 'fail' | NoMatchHandler | undefined;
  /** The time at which certificates have to be valid. Default: now, by the system's clock. */
  now?: (() => Date) | undefined;
}

/** The third argument of {@link explain}. */
export interface ExplainOptions {
  /** As in {@link FirstMatchOptions}. */
  now?: (() => Date) | undefined;
  /** Passed to the functions among the sources. Default: one that never aborts. */
  signal?: AbortSignal | undefined;
}

/**
 * A `clientCertCallback` that answers with the first credential that suits what the server asks for,
 * in the order of `sources`. One suits when
 *
 * - it, or a certificate of its chain, was issued by one of the authorities that the server named, if
 *   it named any (`request.matchesAuthorities()`; RFC 8446, section 4.2.4),
 * - on TLS 1.2 and below, the server takes keys of its type (RFC 5246, section 7.4.4),
 * - it would be sent (`request.supports()`: signature schemes, security level),
 * - its certificate is for signatures (`digitalSignature`) and for clients (`clientAuth` or
 *   `anyExtendedKeyUsage`), where it says what it is for (RFC 5280, sections 4.2.1.3 and 4.2.1.12),
 * - it and its chain are valid now.
 *
 * Credentials are made at once from the options among the sources. Functions are called when all
 * before them did not suit; when one throws or rejects, or finds what is no credential, the
 * connection fails with `ERR_CLIENT_CERT_CALLBACK` and that error as its `cause`.
 *
 * @throws {@link TLSClientCertError} `ERR_CREDENTIAL_…`: options among the sources make no credential.
 * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`.
 * @see SSL_CTX_set_client_cert_cb(3), which leaves the selection to the application
 */
export function firstMatch(
  sources: readonly CredentialSource[],
  options: FirstMatchOptions = {},
): ClientCertCallback {
  const checked = checkedSources(sources);
  const now = clock(options);
  const onNoMatch = noMatch(given(options, 'onNoMatch'));
  return async (request, context) => {
    const at = now();
    const explanations: Explanation[] = [];
    for await (const credential of credentialsOf(checked, request, context)) {
      const reasons = reasonsAgainst(request, credential, at);
      if (reasons.length === 0) return credential;
      explanations.push(refusal(credential, reasons));
    }
    return onNoMatch(request, explanations, context);
  };
}

/**
 * Says of each credential of the sources, in order, whether {@link firstMatch} takes it for this
 * request, and why, or all that speaks against it. Unlike `firstMatch` it reads every source to its end.
 *
 * Call it while the request is open, for instance in a `clientCertCallback`.
 *
 * @throws What a source throws; {@link TLSClientCertError} `ERR_TLS_CONNECTION_OVER`,
 *   `ERR_CREDENTIAL_…`; TypeError `ERR_INVALID_ARG_TYPE`. All as a rejection.
 */
export async function explain(
  request: CertificateRequest,
  sources: readonly CredentialSource[],
  options: ExplainOptions = {},
): Promise<Explanation[]> {
  const checked = checkedSources(sources);
  const at = clock(options)();
  const signal = given(options, 'signal') ?? new AbortController().signal;
  const explanations: Explanation[] = [];
  let taken: string | undefined;
  for await (const credential of credentialsOf(checked, request, { signal })) {
    const reasons = reasonsAgainst(request, credential, at);
    const { subject } = credential;
    if (reasons.length > 0) {
      explanations.push(refusal(credential, reasons));
    } else if (taken === undefined) {
      taken = subject;
      const message = 'It suits what the server asks for, and is the first that does.';
      const reason: Reason = { code: 'first-match', message };
      explanations.push({ credential, subject, taken: true, reasons: [reason] });
    } else {
      const message = `It suits as well, but ${taken} stands before it.`;
      explanations.push(refusal(credential, [{ code: 'later-match', message }]));
    }
  }
  return explanations;
}

function refusal(credential: Credential, reasons: readonly Reason[]): Explanation {
  return { credential, subject: credential.subject, taken: false, reasons };
}

function clock(options: { now?: (() => Date) | undefined }): () => number {
  if (options === null || typeof options !== 'object') {
    throw invalidArgType('options', 'of type object', options);
  }
  const now = given(options, 'now');
  if (now === undefined) return Date.now;
  if (typeof now !== 'function') throw invalidArgType('options.now', 'of type function', now);
  return () => {
    const at = Number(now());
    if (Number.isFinite(at)) return at;
    throw invalidArgValue('options.now', 'returned no valid Date');
  };
}

function noMatch(onNoMatch: unknown): NoMatchHandler {
  if (typeof onNoMatch === 'function') return onNoMatch as NoMatchHandler;
  switch (onNoMatch) {
    case undefined:
    case 'decline':
      return () => null;
    case 'fail':
      return (_request, explanations) => {
        throw noMatchError(explanations);
      };
    default:
      throw invalidArgValue('options.onNoMatch', "must be 'decline', 'fail' or a function");
  }
}

/** Credentials told of in a sentence; more are counted. */
const TOLD = 5;

function noMatchError(explanations: readonly Explanation[]): TLSClientCertError {
  const told = explanations
    .slice(0, TOLD)
    .map(({ subject, reasons }) => `${subject}: ${reasons.map((r) => r.message).join(' ')}`);
  const more = explanations.length - told.length;
  if (more > 0) told.push(`And ${more} more; explain() tells of all.`);
  const what =
    explanations.length === 0
      ? 'There is no client certificate to choose from: the sources hold none.'
      : `No client certificate suits what the server asks for. ${told.join(' ')}`;
  return new TLSClientCertError('ERR_CLIENT_CERT_NO_MATCH', what);
}
