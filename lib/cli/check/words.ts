/**
 * What came of an identity, in words, with the next step to take.
 */

import type { Reason } from '../../select/reasons';
import { commonName, holderOf } from '../identities/describe';
import type { Outcome } from './attempt';
import type { Asked, Chain, Verdict } from './judge';

type Judged = Exclude<Verdict, { sent: 'unknown' }>;

/** Names that a sentence can hold; more are counted. */
const SHOWN = 3;

/** Why it would be sent, or not. */
export function why(verdict: Verdict): string {
  if (verdict.sent === 'unknown') return verdict.error.message;
  if (verdict.reasons.length > 0) {
    return verdict.reasons.map((reason) => against(reason, verdict)).join(' ');
  }
  return verdict.listed === null
    ? 'It suits; the server lists no authorities, so any may do.'
    : 'It suits, and the server lists its authority.';
}

function against({ code, message }: Reason, { chain }: Judged): string {
  if (code === 'wrong-authority' && chain.is === 'incomplete') {
    return `It was issued by ${chain.issuer}, which the server does not list. If a listed authority stands behind ${chain.issuer}, the certificate of ${chain.issuer} is missing here.`;
  }
  // The row says that already, and whose it is.
  const what = message.replace(/^The client certificate .*? would not be sent: /, '');
  return what.charAt(0).toUpperCase() + what.slice(1);
}

/** From the certificate to the last authority that is known, each with its issuer behind it. */
export function chainText(chain: Chain): string {
  const way = chain.path.join(' < ');
  switch (chain.is) {
    case 'complete':
      return `complete: ${way} < ${chain.of} (listed)`;
    case 'incomplete':
      return `${way} < ${chain.issuer} (not listed)`;
    case 'open':
      return `${way} < ${chain.issuer}`;
  }
}

/** What the server said, and what to do about it. */
export interface Said {
  readonly said: string;
  readonly next: string | null;
}

export function saidBy(outcome: Outcome, verdict: Judged, asked: Asked): Said {
  switch (outcome.is) {
    case 'accepted':
      return accepted(outcome.evidence);
    case 'refused':
      return refused(outcome.alert, verdict, asked);
    case 'denied':
      return denied(outcome.status, outcome.bySsl, verdict, asked);
    case 'not-asked': {
      const answer = outcome.status === null ? '' : `, and answered with HTTP ${outcome.status}`;
      return {
        said: `it did not ask for a certificate this time${answer}`,
        next: 'If only some paths want one, give a URL with such a path, or --path.',
      };
    }
    case 'failed':
      return { said: outcome.error.message, next: null };
  }
}

function accepted(evidence: Extract<Outcome, { is: 'accepted' }>['evidence']): Said {
  switch (evidence.by) {
    case 'http':
      return http(evidence.status);
    case 'silence': {
      const seconds = evidence.ms / 1000;
      return { said: `accepted: nothing was said against it within ${seconds} s`, next: null };
    }
    default:
      return { said: 'accepted', next: null };
  }
}

function http(status: number): Said {
  const said = `accepted: HTTP ${status}`;
  if (status === 401) {
    return { said, next: 'The application wants a login of its own beside the certificate.' };
  }
  if (status === 404)
    return { said, next: 'There is nothing at this path; try another by --path.' };
  if (status === 421) {
    return { said, next: 'This name is served by another connection: check --servername.' };
  }
  if (status >= 500) return { said, next: 'The server has trouble of its own: see its log.' };
  return { said, next: null };
}

/** By alert (RFC 8446, section 6.2): what it says, and what can be done. */
function refused(alert: string | null, verdict: Judged, asked: Asked): Said {
  const said = (what: string) => `refused: ${what}${alert === null ? '' : ` (alert ${alert})`}`;
  const { certificate } = verdict;
  const issuer = commonName(certificate.issuer);
  const another = useAnother(asked);
  switch (alert) {
    case null:
      return {
        said: said('it closed the connection without a word once it had seen the certificate'),
        next: `Its log will say why. ${another}`,
      };
    case 'unknown_ca':
      return {
        said: said(`it does not trust who issued the certificate`),
        next: unknown(verdict, asked),
      };
    case 'bad_certificate':
      return {
        said: said('it finds the certificate wrong, or does not want this one'),
        next: `Its log will say why: often a broken chain, a missing extended key usage clientAuth, or a name that it does not know. ${missing(verdict)}${another}`,
      };
    case 'unsupported_certificate':
      return {
        said: said('it does not take a certificate of this kind'),
        next: `Have one issued for clients (extended key usage clientAuth), with a key that the server takes. ${another}`,
      };
    case 'certificate_revoked':
      return { said: said('the certificate was revoked'), next: `Have ${issuer} issue a new one.` };
    case 'certificate_expired':
      return {
        said: said('the certificate has expired, or is not valid yet'),
        next: `Have ${issuer} issue a new one; if it should be valid, compare the clocks of both sides.`,
      };
    case 'certificate_unknown':
      return {
        said: said('it could not accept the certificate, and does not say why'),
        next: `Its log will say. ${missing(verdict)}${another}`,
      };
    case 'certificate_required':
      return {
        said: said('it wants a certificate, and takes this one for none'),
        next: another,
      };
    case 'access_denied':
      return {
        said: said('it knows who this is, and lets it not in'),
        next: `Ask its administrator to allow ${holderOf(certificate)}.`,
      };
    case 'decrypt_error':
      return {
        said: said('it found the signature wrong'),
        next: 'The key does not belong to the certificate, or the device signs wrongly: try the identity with another server, or have it issued anew.',
      };
    case 'handshake_failure':
    case 'insufficient_security':
    case 'illegal_parameter':
      return {
        said: said('it takes neither the certificate nor its kind of key or signature'),
        next: `Its log will say why. ${missing(verdict)}${another}`,
      };
    default:
      return { said: said('it ended the connection'), next: `Its log may say why. ${another}` };
  }
}

function unknown(verdict: Judged, asked: Asked): string {
  const { chain } = verdict;
  const where = verdict.identity.where;
  if (chain.is === 'complete') {
    return `It lists ${chain.of}, and yet it does not accept it: ask its administrator whether it still trusts that authority.`;
  }
  const add = `If a server's authority stands behind ${chain.issuer}, put the certificate of ${chain.issuer} behind the own in ${where}.`;
  return `Ask its administrator to trust ${chain.issuer}. ${add} ${useAnother(asked)}`.trim();
}

function denied(status: number, bySsl: boolean, verdict: Judged, asked: Asked): Said {
  if (bySsl) {
    return {
      said: `refused: HTTP ${status}, the web server could not verify the certificate`,
      next: renewal(verdict) ?? unknown(verdict, asked),
    };
  }
  return {
    said: `denied: HTTP ${status}. The certificate was taken, and whom it names is not let in`,
    next: `Ask the administrator to give ${holderOf(verdict.certificate)} access to this path.`,
  };
}

/** What makes a server refuse a certificate whose authority it trusts. */
const OF_ITS_OWN = new Set<Reason['code']>([
  'expired',
  'not-yet-valid',
  'validity-unreadable',
  'extended-key-usage',
]);

/** HTTP does not tell what was wrong with a certificate; mostly it is to be seen from here, too. */
function renewal(verdict: Judged): string | undefined {
  const fault = verdict.reasons.find(({ code }) => OF_ITS_OWN.has(code));
  if (fault === undefined) return undefined;
  return `${against(fault, verdict)} Have ${commonName(verdict.certificate.issuer)} issue a new one.`;
}

/** The beginning of a sentence, where the chain may be what is wrong. */
function missing({ chain }: Judged): string {
  return chain.is === 'complete'
    ? ''
    : `The chain ends at ${chain.issuer}, which has to be known to it. `;
}

function useAnother({ authorities }: Asked): string {
  if (authorities.length === 0) return '';
  const shown = authorities.slice(0, SHOWN).join('; ');
  const more = authorities.length - SHOWN;
  return `Or use an identity from an authority that it lists: ${shown}${more > 0 ? `; and ${more} more` : ''}.`;
}
