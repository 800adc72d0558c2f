import { ExitCode } from './exit-codes';
import type { Circumstances, Explanation, Failure } from './explanation';

/** Why a server is not trusted, in words, and what to do; `undefined` where a code says no such thing. */
export function whyUntrusted(code: string, message?: string): string | undefined {
  const known = WHY[code];
  if (known !== undefined) return known;
  if (!OF_VERIFICATION.test(code)) return undefined;
  return `${message ?? code} (${code}). Have the server's certificate put right`;
}

/** The other codes that OpenSSL's verification ends in, as `node:tls` names them. */
const OF_VERIFICATION =
  /^(UNABLE_TO_|CERT_|CRL_|ERROR_IN_|INVALID_CA$|PATH_LENGTH_EXCEEDED$|UNSPECIFIED$)/;

const WHY: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED:
    "its certificate, or one of its chain, has expired. Have it renewed, or check this computer's clock",
  CERT_NOT_YET_VALID:
    "its certificate, or one of its chain, is not valid yet. Check this computer's clock",
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'its certificate is self-signed. If you know the server, pass its certificate by --ca',
  SELF_SIGNED_CERT_IN_CHAIN:
    'its chain leads to an authority that is not trusted here. If you know that authority, pass its certificate by --ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the authority that issued its certificate is not known here. Pass it by --ca, or have the server send its intermediate certificates',
  UNABLE_TO_GET_ISSUER_CERT:
    'the authority at the end of its chain is not known here. Pass it by --ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'the authority that issued its certificate is not known here. Pass it by --ca, or have the server send its intermediate certificates',
  ERR_TLS_CERT_ALTNAME_INVALID:
    'its certificate is for another name. Connect by a name that is in it, or give that by --servername',
  HOSTNAME_MISMATCH:
    'its certificate is for another name. Connect by a name that is in it, or give that by --servername',
  CERT_REVOKED: 'its certificate was revoked. Have the server get a new one',
  INVALID_PURPOSE:
    'its certificate is not meant for servers. Have the server get one that is (extended key usage serverAuth)',
  ERR_TLS_NO_SERVER_CERTIFICATE: 'it presented no certificate, so nothing shows who it is',
  ERR_TLS_DH_PARAM_SIZE: 'its Diffie-Hellman key is too short to be safe',
};

/** The server's certificate was found wanting. */
export function explainServer(failure: Failure, around: Circumstances): Explanation | undefined {
  const why = whyUntrusted(failure.code ?? '', failure.message);
  if (why === undefined) return undefined;
  const at = around.target?.authority ?? 'The server';
  const names =
    failure.code === 'ERR_TLS_CERT_ALTNAME_INVALID'
      ? ` It is for ${namesOf(failure.message)}.`
      : '';
  return [
    ExitCode.untrusted,
    `${at} is not trusted: ${why}.${names} Nothing was shown to it (--insecure goes on all the same).`,
  ];
}

/** The end of what Node says of a name: `… is not in the cert's altnames: DNS:a, DNS:b`. */
function namesOf(message: string): string {
  const names = /^.*(?:altnames|list|CN): (.*?)\.?$/s.exec(message)?.[1] ?? '';
  return names === '' ? 'no name at all' : names;
}
