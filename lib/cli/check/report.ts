/**
 * What `check` says: a table and sentences for people, an object for machines.
 */
import type { Identity } from '../identities';
import { holderOf } from '../identities/describe';
import { identityRecord } from '../identities/summary';
import { namedBriefly } from '../identities/uri';
import { writeTable } from '../table';
import { type Line, type Style, styled, type Terminal } from '../terminal';
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

export function writeAsked(terminal: Terminal, server: string, asked: Asked): void {
  const { authorities, phase, protocol } = asked;
  const count = authorities.length;
  const list =
    count === 0
      ? 'it lists no authorities'
      : count === 1
        ? 'it lists 1 authority'
        : `it lists ${count} authorities`;
  terminal.out(`${server} asks for a client certificate ${WHEN[phase]} (${protocol}); ${list}.`);
}

export function writeChecked(terminal: Terminal, checked: readonly Checked[]): void {
  const identities = checked.map(({ verdict }) => verdict.identity);
  const name = ({ identity }: Verdict) => [
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
  const tried = checked.flatMap(({ verdict, tried }) => (tried ? [{ verdict, ...tried }] : []));
  if (tried.length > 0) terminal.out();
  for (const { verdict, outcome, said } of tried) {
    const [first = '', ...rest] = said.said.split(/(?<=^\w+)(?=:)/);
    terminal.out(
      [...name(verdict), ': ', styled(RESULT[outcome.is], first), rest.join(''), '.'].flat(),
    );
    if (said.next !== null) terminal.out(`  Next: ${said.next}`);
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
    const reasons = [{ code: 'locked', message: why(verdict) }];
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
