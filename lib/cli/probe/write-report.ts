/** A probe's report, for people. */

import { NO_DATE } from '../identities/describe';
import { writeFields as writeAnyFields, writeTable, writeWrapped } from '../table';
import { authorityOf } from '../target';
import { type Line, styled, type Terminal } from '../terminal';
import type { CertificateFacts, ProbeReport, RequestFacts, VersionFacts } from './report';

export function writeReport(terminal: Terminal, report: ProbeReport): void {
  writeServer(terminal, report);
  for (const certificate of report.server.certificates) writeCertificate(terminal, certificate);
  writeRequests(terminal, report);
  writeVersions(terminal, report.versions);
}

/** Of the longest name in the report, so that all values stand in line. */
const NAMES = 'connection'.length;

function writeFields(terminal: Terminal, fields: Parameters<typeof writeAnyFields>[1]): void {
  writeAnyFields(terminal, fields, NAMES);
}

function heading(terminal: Terminal, text: string): void {
  terminal.out();
  writeWrapped(terminal, styled('bold', text));
}

function writeServer(terminal: Terminal, { target, connection, server, http }: ProbeReport): void {
  const { host, port, servername, starttls } = target;
  writeWrapped(terminal, styled('bold', authorityOf(host, port)));
  const asked = servername === null || servername === host ? [] : [`as ${servername}`];
  const begun = starttls === null ? [] : [`after STARTTLS (${starttls})`];
  const { protocol, cipher, keyExchange, alpn } = connection;
  const parts = [protocol, cipher, keyExchange, alpn === null ? null : `ALPN ${alpn}`];
  writeFields(terminal, [
    ['connection', [...parts.filter((part) => part !== null), ...asked, ...begun].join(', ')],
    ['server', server.trusted ? styled('green', 'trusted') : distrust(server)],
    ...(http === null ? [] : ([[`GET ${http.path}`, answer(http)]] as const)),
  ]);
}

function distrust({ reason, explanation }: ProbeReport['server']): Line {
  return [
    styled('yellow', 'not trusted'),
    ` (${reason}): ${explanation}. It was looked at all the same, and shown nothing.`,
  ];
}

function answer({ status, problem }: NonNullable<ProbeReport['http']>): string {
  return problem ?? (status === null ? 'answered, but not in HTTP' : `answered with ${status}`);
}

function writeCertificate(terminal: Terminal, certificate: CertificateFacts): void {
  const { subject, issuer, subjectAltNames, validFrom, validTo, key } = certificate;
  heading(terminal, `Server certificate: ${subject === '' ? '(no subject)' : subject}`);
  writeFields(terminal, [
    ['issued by', subject === issuer ? 'itself' : issuer],
    ...(subjectAltNames.length === 0
      ? []
      : ([
          ['for', subjectAltNames.map((name) => name.replace(/^(DNS|IP Address):/, '')).join(', ')],
        ] as const)),
    ['valid', [`${day(validFrom)} to ${day(validTo)}, `, validity(validFrom, validTo)]],
    ['key', key],
    ['SHA-256', certificate.fingerprint256],
  ]);
}

const DAY = 24 * 60 * 60 * 1000;

function day(iso: string | null): string {
  return iso?.slice(0, 10) ?? NO_DATE;
}

function validity(from: string | null, to: string | null): Line & ReturnType<typeof styled> {
  if (from === null || to === null) return styled('yellow', 'so it is never valid');
  const now = Date.now();
  const left = Math.floor((Date.parse(to) - now) / DAY);
  if (Date.parse(from) > now) return styled('yellow', 'not valid yet');
  if (left < 0) return styled('yellow', `expired ${days(-left)} ago`);
  return styled(left < 30 ? 'yellow' : 'green', `${days(left)} left`);
}

function days(count: number): string {
  return count === 1 ? '1 day' : `${count} days`;
}

function writeRequests(terminal: Terminal, report: ProbeReport): void {
  heading(terminal, 'Client certificate');
  if (!report.asked) {
    writeFields(terminal, [['asked for', notAsked(report)]]);
    return;
  }
  report.requests.forEach((request, n) => {
    if (n > 0) terminal.out();
    writeRequest(terminal, request);
  });
  const { requirement, requirementReason } = report;
  writeFields(terminal, [
    ['required', `${REQUIRED[requirement ?? 'unknown']}: ${requirementReason}`],
  ]);
  for (const request of report.requests) writeAuthorities(terminal, request);
}

const REQUIRED = { required: 'yes', optional: 'no', unknown: 'not known' } as const;

function notAsked({ http }: ProbeReport): string {
  if (http === null) {
    return 'no, not in the handshake; a web server may ask later (--path /members, for instance)';
  }
  return http.problem === null
    ? `no, neither in the handshake nor after GET ${http.path}`
    : `no, not in the handshake; GET ${http.path}: ${http.problem}`;
}

function when({ when: time, path, protocol }: RequestFacts): string {
  const after = path === null ? '' : `, after GET ${path}`;
  switch (time) {
    case 'handshake':
      return `in the handshake (${protocol})`;
    case 'renegotiation':
      return `by renegotiation (${protocol})${after}`;
    case 'post-handshake':
      return `after the handshake (${protocol})${after}`;
  }
}

function writeRequest(terminal: Terminal, request: RequestFacts): void {
  const { signatureSchemes, certificateTypes, answer: answered, heldMs, serverGaveUp } = request;
  const waited = heldMs >= 100 ? `, after ${(heldMs / 1000).toFixed(1)} s` : '';
  writeFields(terminal, [
    ['asked for', [styled('bold', 'yes'), `, ${when(request)}`]],
    ...(certificateTypes.length === 0
      ? []
      : ([['key types', certificateTypes.join(', ')]] as const)),
    ['signatures', signatureSchemes.length === 0 ? 'not named' : signatureSchemes.join(', ')],
    [
      'answered',
      serverGaveUp
        ? `no: the server gave up waiting${waited}`
        : answered === 'none'
          ? `no: nothing was sent${waited}`
          : `that there is none${waited}`,
    ],
  ]);
}

function writeAuthorities(terminal: Terminal, { certificateAuthorities }: RequestFacts): void {
  const count = certificateAuthorities.length;
  heading(terminal, count === 0 ? 'Acceptable authorities' : `Acceptable authorities (${count})`);
  if (count === 0) {
    terminal.out('any: the server names none');
    return;
  }
  writeTable(
    terminal,
    [
      { title: 'Common name', least: 12 },
      { title: 'Full name', least: 20 },
    ],
    certificateAuthorities.map(({ commonName, name }) => [
      commonName ?? '',
      name === '' ? '(empty name)' : name,
    ]),
  );
}

function writeVersions(terminal: Terminal, versions: readonly VersionFacts[]): void {
  if (versions.length === 0) return;
  heading(terminal, 'TLS versions');
  writeTable(
    terminal,
    [
      { title: 'Version' },
      { title: 'Accepted', least: 3 },
      { title: 'Cipher suite', least: 20 },
      { title: 'Asks', least: 3 },
    ],
    versions.map(({ version, accepted, cipher, asksInHandshake, problem }) => [
      version,
      accepted ? styled('green', 'yes') : styled('yellow', 'no'),
      accepted ? (cipher ?? '') : (problem ?? ''),
      asksInHandshake === null ? '' : asksInHandshake ? 'yes' : 'no',
    ]),
  );
}
