/**
 * What `check` says: a table and sentences for people, an object for machines.
 */
import type { Identity } from '../identities';
import { holderOf } from '../identities/describe';
import { identityRecord } from '../identities/summary';
import { namedBriefly } from '../identities/uri';
import { writeFields, writeTable } from '../table';
import { type Line, type Style, styled, type Terminal, type Text } from '../terminal';
import type { Outcome } from './attempt';
import type { Asked, Verdict } from './judge';
import { chainText, type Said, why } from './words';

/** One identity, and what came of trying it. */
export interface Checked {
  readonly verdict: Verdict;
  readonly tried?: { readonly outcome: Outcome; readonly said: Said } | undefined;
}

const SENT: Readonly<Record<Verdict['sent'], readonly [Style, string]>> = {
  yes: ['green', 'would be sent'],
  no: ['red', 'would not be sent'],
  impossible: ['red', 'cannot be sent'],
  unknown: ['yellow', 'not known'],
};

const RESULT: Readonly<Record<Outcome['is'], Style>> = {
  accepted: 'green',
  refused: 'red',
  denied: 'red',
  'not-asked': 'yellow',
  failed: 'red',
};

const COLUMNS = [
  { title: 'Identity', least: 14 },
  { title: 'Verdict', least: 9 },
  { title: 'Why', least: 20 },
  { title: 'Chain', least: 18 },
];

const WHEN = {
  handshake: 'in the handshake',
  'post-handshake': 'after the handshake',
  renegotiation: 'by renegotiation',
} as const;

/** Authorities that are named; `probe` lists all. */
const SHOWN = 3;

export function writeAsked(terminal: Terminal, server: string, asked: Asked): void {
  const { authorities, phase, protocol } = asked;
  const more = authorities.length - SHOWN;
  const rest = more > 0 ? [`and ${more} more`] : [];
  writeFields(terminal, [
    ['server', server],
    ['asks', `for a client certificate ${WHEN[phase]} (${protocol})`],
    authorities.length === 0
      ? ['accepts', 'any authority: it lists none']
      : ['accepts', [...authorities.slice(0, SHOWN), ...rest], 'list'],
  ]);
}

export function writeChecked(terminal: Terminal, checked: readonly Checked[]): void {
  const identities = checked.map(({ verdict }) => verdict.identity);
  const name = ({ identity }: Verdict): Text[] => [
    nameOf(identity),
    styled('dim', ` (${namedBriefly(identity, identities)})`),
  ];
  const rows = checked.map(({ verdict }): Line[] => [
    name(verdict),
    styled(...SENT[verdict.sent]),
    why(verdict),
    verdict.sent === 'unknown' ? '' : chainText(verdict.chain),
  ]);
  writeTable(terminal, COLUMNS, rows);
  for (const { verdict, tried } of checked) {
    if (tried === undefined) continue;
    const { outcome, said } = tried;
    // The word that it begins with, where that tells how it went.
    const first = /^\w+(?=:|$)/.exec(said.said)?.[0] ?? said.said;
    const rest = said.said.slice(first.length);
    const next = said.next === null ? [] : ([['next', said.next]] as const);
    terminal.out();
    terminal.out(['as ', ...name(verdict)]);
    writeFields(terminal, [['result', [styled(RESULT[outcome.is], first), rest]], ...next]);
  }
}

function nameOf({ certificate, label }: Identity): string {
  return certificate === undefined ? label : holderOf(certificate);
}

/** As `docs/cli.md` describes it. */
export function checkedRecord({ verdict, tried }: Checked) {
  const identity = identityRecord(verdict.identity);
  const result = tried && {
    outcome: tried.outcome.is,
    alert: tried.outcome.is === 'refused' ? tried.outcome.alert : null,
    code: tried.outcome.is === 'failed' ? tried.outcome.error.code : null,
    httpStatus: statusOf(tried.outcome),
    message: tried.said.said,
    next: tried.said.next,
  };
  if (verdict.sent === 'unknown') {
    const isLocked = verdict.identity.certificate === undefined;
    const reasons = [{ code: isLocked ? 'locked' : 'unusable', message: why(verdict) }];
    return {
      identity,
      sent: verdict.sent,
      reasons,
      listed: null,
      chain: null,
      tried: result ?? null,
    };
  }
  const { sent, reasons, listed, chain } = verdict;
  return { identity, sent, reasons, listed, chain: chainRecord(chain), tried: result ?? null };
}

function chainRecord(chain: Exclude<Verdict, { sent: 'unknown' }>['chain']) {
  const { is, path } = chain;
  return is === 'complete'
    ? { is, path, authority: chain.of, missingIssuer: null }
    : { is, path, authority: null, missingIssuer: chain.issuer };
}

function statusOf(outcome: Outcome): number | null {
  if (outcome.is === 'denied' || outcome.is === 'not-asked') return outcome.status;
  const isHttp = outcome.is === 'accepted' && outcome.evidence.by === 'http';
  return isHttp ? outcome.evidence.status : null;
}
