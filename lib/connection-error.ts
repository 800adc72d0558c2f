import type { FailureRecord, NativeConnection } from './binding';
import type { ClientAuth } from './client-auth';
import type { ClientCertExchange } from './client-cert-exchange';
import { Credential } from './credential';
import { TLSClientCertError } from './errors';
import { protocolError, unusableError } from './failures';
import type { ProtocolSettings } from './protocol-options';
import { shownCredential } from './read-client-auth';
import { SecureContext } from './secure-context';

/** Failures that are about the credential that was to be sent. */
const ABOUT_CREDENTIALS: ReadonlySet<string> = new Set([
  'key-too-small',
  'signature-too-weak',
  'no-common-scheme',
  'certificate-scheme-refused',
  'scheme-not-declared',
  'not-sent',
]);

/** The public error of what the machine failed with, with what the connection knows about it. */
export function connectionError(
  failure: FailureRecord | null,
  native: NativeConnection,
  settings: ProtocolSettings,
  auth: ClientAuth,
  exchange: ClientCertExchange | undefined,
): Error {
  if (failure?.reason === 'dh-key-too-small') {
    return new TLSClientCertError(
      'ERR_TLS_DH_PARAM_SIZE',
      `DH parameter size ${failure.index} is less than ${settings.minDHSize} (options.minDHSize).`,
      { reason: failure.reason },
    );
  }
  const shown = shownCredential(native, settings, exchange);
  const credential = shown ?? settings.secureContext.credentials[0];
  // What these are about is the credential that was to be sent.
  const unusable =
    failure !== null && ABOUT_CREDENTIALS.has(failure.reason) && credential !== undefined;
  return unusable
    ? unusableError(failure, Credential.presentationOf(credential, native.protocol()))
    : protocolError(failure, {
        declined: auth.status === 'declined' ? auth.reason : undefined,
        limitedBySigners: SecureContext.isLimitedBySigners(settings.secureContext),
        identity: auth.status === 'declined' ? undefined : shown?.subject,
      });
}
