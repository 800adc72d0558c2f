import { ExitCode } from './exit-codes';
import type { Circumstances, Explanation, Failure } from './explanation';

/** What a server says by an alert when it is about the client's certificate, and what to do. */
const REFUSALS: Readonly<Record<string, string>> = {
  certificate_required:
    'it demands a client certificate and got none. Give it one by --identity; `tls-client-cert probe` shows which it accepts',
  unknown_ca:
    'it does not trust the authority of the client certificate, or misses an intermediate certificate. Use one from an authority that `tls-client-cert probe` lists, with its whole chain',
  bad_certificate:
    'it rejects the client certificate. Use another; `tls-client-cert probe` shows what it accepts, its log says more',
  unsupported_certificate:
    'it does not take a client certificate of this kind. Use one with another key, or one meant for clients (extended key usage clientAuth)',
  certificate_revoked: 'the client certificate was revoked. Get a new one',
  certificate_expired: 'the client certificate has expired. Have it renewed',
  certificate_unknown:
    'it could not accept the client certificate, and does not say why. Its log will',
  access_denied:
    'it knows this client, and denies it access. Ask whoever runs it to let this certificate in',
};

const MEANT_FOR_NOBODY = new Set(['handshake_failure', 'bad_certificate', 'internal_error']);

/** Something is wrong between the two sides' TLS. */
export function explainTls(failure: Failure, around: Circumstances): Explanation | undefined {
  const at = around.target?.authority ?? 'The server';
  const { code = '', alert } = failure;
  if (alert !== undefined) return explainAlert(alert, failure, around, at);
  switch (code) {
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'ERR_SSL_HTTP_REQUEST':
    case 'ERR_SSL_UNKNOWN_PROTOCOL':
    case 'ERR_SSL_RECORD_LAYER_FAILURE':
      return [ExitCode.protocol, `${at} does not speak TLS there. ${whatItSpeaks(around)}`];
    case 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING':
      return [ExitCode.unreachable, cutShort(at, failure.identity)];
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
    case 'ERR_SSL_VERSION_TOO_LOW':
    case 'ERR_SSL_VERSION_TOO_HIGH':
    case 'ERR_SSL_WRONG_SSL_VERSION':
    case 'ERR_SSL_NO_PROTOCOLS_AVAILABLE':
      return [ExitCode.protocol, wrongVersion(at)];
    case 'ERR_STARTTLS_REFUSED':
    case 'ERR_STARTTLS_FAILED':
      return explainStartTls(failure, at);
    case 'ERR_SSL_NO_CIPHER_MATCH':
      return [ExitCode.usage, `--ciphers names no cipher that is known here (openssl-ciphers(1)).`];
    case 'ERR_TLS_PROTOCOL_VERSION_CONFLICT':
      return [ExitCode.usage, `--tls-min and --tls-max leave no version that is known here.`];
    case 'ERR_INVALID_ARG_VALUE':
      return failure.input === 'options.servername'
        ? [ExitCode.usage, 'The name of the server, or --servername, is too long to be sent.']
        : undefined;
    case 'ERR_TLS_CA_INVALID':
      return [ExitCode.usage, `What --ca names holds a certificate that cannot be read.`];
    case 'ERR_CLIENT_CERT_TIMEOUT':
      return [ExitCode.noIdentity, failure.message];
    default:
      return code.startsWith('ERR_SSL_')
        ? [ExitCode.protocol, `${at}: ${sentence(failure.message)}`]
        : undefined;
  }
}

function explainAlert(
  alert: string,
  failure: Failure,
  { asked }: Circumstances,
  at: string,
): Explanation {
  const said = `(alert ${alert})`;
  const who = failure.identity === undefined ? '' : ` It was shown ${failure.identity}.`;
  // Before TLS 1.3 there is no alert for a certificate that was not sent.
  if (asked && failure.identity === undefined && MEANT_FOR_NOBODY.has(alert)) {
    return [ExitCode.refused, `${at} refused: ${REFUSALS.certificate_required} ${said}.`];
  }
  const refusal = REFUSALS[alert];
  if (refusal !== undefined) return [ExitCode.refused, `${at} refused: ${refusal} ${said}.${who}`];
  switch (alert) {
    case 'protocol_version':
      return [ExitCode.protocol, wrongVersion(at)];
    case 'handshake_failure':
      return [
        ExitCode.protocol,
        `${at} and this side have nothing in common (alert handshake_failure): no cipher or key exchange, or it demands a client certificate. Try other --ciphers, or --tls-min 1.0.${who}`,
      ];
    case 'insufficient_security':
      return [ExitCode.protocol, `${at} wants stronger ciphers ${said}. Leave --ciphers away.`];
    case 'unrecognized_name':
      return [
        ExitCode.protocol,
        `${at} does not know the name that it was asked for ${said}. Give the one that it goes by, with --servername.`,
      ];
    case 'no_application_protocol':
      return [
        ExitCode.protocol,
        `${at} speaks none of the protocols that were offered ${said}. Leave --alpn away, or offer others.`,
      ];
    default:
      return [ExitCode.protocol, `${at} ended the handshake ${said}. Its log may say why.${who}`];
  }
}

function wrongVersion(at: string): string {
  return `${at} speaks no TLS version that was offered. Allow others by --tls-min and --tls-max (for old servers: --tls-min 1.0 --ciphers DEFAULT@SECLEVEL=0).`;
}

function cutShort(at: string, identity: string | undefined): string {
  const since =
    identity === undefined
      ? 'what was received may be cut short.'
      : `it was shown ${identity} and has sent nothing since, so it may have refused it. Its log may say why.`;
  return `${at} closed the connection without the word that ends it (close_notify): ${since}`;
}

function whatItSpeaks({ firstBytes }: Circumstances): string {
  const said = Buffer.from(firstBytes ?? []).toString('latin1');
  const known = BANNERS.find(([pattern]) => pattern.test(said));
  return known?.[1] ?? 'Check the port; a server that begins in plaintext needs --starttls.';
}

/** By their first words. */
const BANNERS: readonly (readonly [RegExp, string])[] = [
  [
    /^HTTP\/|^<(!doctype|html)/i,
    'It answers in plain HTTP: use the port of its HTTPS, which is often 443 or 8443.',
  ],
  [/^220[ -].*(smtp|mail)/i, 'It greets as a mail server: add --starttls smtp.'],
  [/^\* (OK|PREAUTH)/i, 'It greets as an IMAP server: add --starttls imap.'],
  [/^220[ -]/, 'It greets as a mail or FTP server: if it is mail, add --starttls smtp.'],
  [/^.{4}\n\d+\.\d+/s, 'It greets as MySQL or MariaDB: add --starttls mysql.'],
  [/^SSH-/, 'It is an SSH server.'],
];

function explainStartTls(failure: Failure, at: string): Explanation {
  if (failure.reason === 'timeout') {
    return [
      ExitCode.unreachable,
      `${at} did not go over to TLS in time. Check that the protocol after --starttls is the server's, and see --timeout.`,
    ];
  }
  return [
    ExitCode.protocol,
    `${at}: ${sentence(failure.message)} Check that the protocol after --starttls is the server's, and that it has TLS turned on.`,
  ];
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
