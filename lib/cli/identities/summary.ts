/**
 * Identities as they are shown: cells of a table, and objects for machines.
 */
import { basename, dirname } from 'node:path';
import { certificateNames } from '../certificate-names';
import { certificateFacts, keyName } from '../probe/facts';
import type { CertificateFacts } from '../probe/report';
import { type Line, styled, type Text } from '../terminal';
import { attributesOf, commonName, dayOf, holderOf, type Validity, validityOf } from './describe';
import type { Identity, Needs, Problem } from './identity';
import { namedBriefly } from './uri';

const DAY = 86_400_000;
/** Days before its end from which on a certificate is worth a glance. */
const SOON = 30;

/** The subject with its CN first, where it has one. */
export function subjectCell({ certificate }: Identity): Line {
  if (certificate === undefined) return styled('yellow', 'not known: passphrase needed');
  const rest = attributesOf(certificate.subject);
  const place = rest.findIndex((one) => one.startsWith('CN='));
  if (place < 0) return rest.join(',') || holderOf(certificate);
  const [cn = ''] = rest.splice(place, 1);
  const more = rest.length > 0 ? [`, ${rest.join(',')}`] : [];
  return [styled('bold', cn.slice('CN='.length)), ...more];
}

export function issuerCell({ certificate }: Identity): string {
  return certificate === undefined ? '' : commonName(certificate.issuer);
}

/** Words say it, and colours after them. */
export function validityCell({ certificate }: Identity, now = Date.now()): Line {
  if (certificate === undefined) return '';
  const { validFrom, validTo } = certificate;
  switch (validityOf(certificate, now)) {
    case 'unreadable':
      return styled('red', `unreadable: ${dayOf(validFrom)} to ${dayOf(validTo)}`);
    case 'not-yet-valid':
      return styled('red', `not valid before ${dayOf(validFrom)}`);
    case 'expired':
      return styled('red', `${dayOf(validTo)} expired`);
    case 'valid': {
      const days = Math.floor((Date.parse(validTo) - now) / DAY);
      if (days >= SOON) return dayOf(validTo);
      return styled('yellow', `${dayOf(validTo)} ${days === 1 ? '1 day' : `${days} days`} left`);
    }
  }
}

export function keyCell({ certificate }: Identity): string {
  return certificate === undefined ? '' : keyName(certificate);
}

const NEEDS: Readonly<Record<Needs, string>> = {
  nothing: '',
  passphrase: 'passphrase',
  pin: 'PIN',
  'pin-pad': 'PIN at the reader',
};

/** What `--identity` takes, and what has to be typed in for it. */
export function whereCell(identity: Identity, among: readonly Identity[]): Line {
  const place = namedBriefly(identity, among);
  const notes = [
    identity.keyWhere === identity.where ? '' : `key in ${besides(identity)}`,
    NEEDS[identity.needs],
    identity.keySeen ? '' : 'key not seen yet',
  ].filter((note) => note !== '');
  const note: Text[] = notes.length > 0 ? [styled('dim', ` (${notes.join(', ')})`)] : [];
  return [place, ...note];
}

/** The name alone where both are in one folder. */
function besides({ where, keyWhere }: Identity): string {
  return dirname(where) === dirname(keyWhere) ? basename(keyWhere) : keyWhere;
}

/** As `docs/cli.md` describes it. Nothing secret is in it. */
export interface IdentityRecord {
  readonly kind: Identity['kind'];
  /** What `--identity` takes. */
  readonly where: string;
  readonly label: string;
  readonly device: string | null;
  readonly key: { readonly where: string; readonly needs: Needs; readonly seen: boolean };
  /** `'locked'`: nothing can be said before its passphrase is known. */
  readonly status: Validity | 'locked';
  readonly certificate: CertificateFacts | null;
  /** Subjects of the issuers that would be sent along, nearest first. */
  readonly chain: readonly string[];
}

export function identityRecord(identity: Identity, now = Date.now()): IdentityRecord {
  const { kind, where, label, device = null, certificate, chain, keyWhere, needs } = identity;
  return {
    kind,
    where,
    label,
    device,
    key: { where: keyWhere, needs, seen: identity.keySeen },
    status: certificate === undefined ? 'locked' : validityOf(certificate, now),
    certificate: certificate === undefined ? null : certificateFacts(certificate),
    chain: chain.map((one) => certificateNames(one).subject),
  };
}

export function problemRecord({ source, error }: Problem) {
  const { code, reason = null, message } = error;
  return { source, code, reason, message };
}
