import type { NativeConnection } from './binding';
import { type ClientAuth, DECLINED, NOT_REQUESTED, PENDING, UNCONFIGURED } from './client-auth';
import type { Credential } from './credential';
import type { ProtocolSettings } from './protocol-options';
import { signatureSchemeName } from './signature-schemes';

/** What became of the questions of a connection; undefined where there were none. */
type Answers =
  | { readonly answered: Credential | undefined; readonly declined: boolean }
  | undefined;

/** The credential that the server was shown last. */
export function shownCredential(
  native: NativeConnection,
  settings: ProtocolSettings,
  answers: Answers,
): Credential | undefined {
  const { staticCredential } = native.clientAuth();
  return settings.secureContext.credentials[staticCredential] ?? answers?.answered;
}

/** @param abandoned - Nothing of what seems to be sent has left. */
export function readClientAuth(
  native: NativeConnection,
  settings: ProtocolSettings,
  answers: Answers,
  abandoned: boolean,
): ClientAuth {
  const { certificate, scheme, staticCredential, resumed, resumedAsSomebody } = native.clientAuth();
  const { secureContext, sessionCredential } = settings;
  const credential = secureContext.credentials[staticCredential];
  switch (abandoned ? 'requested' : certificate) {
    case 'not-requested':
      if (!resumed) return NOT_REQUESTED;
      return {
        status: 'resumed',
        requested: false,
        sent: false,
        credential: resumedAsSomebody ? (credential ?? sessionCredential ?? null) : null,
      };
    case 'requested':
      return PENDING;
    case 'sent-empty':
      return answers?.declined ? DECLINED : UNCONFIGURED;
    case 'sent':
      return {
        status: 'sent',
        requested: true,
        sent: true,
        credential: (credential ?? answers?.answered) as Credential,
        signatureScheme: scheme === null ? null : signatureSchemeName(scheme),
      };
  }
}
