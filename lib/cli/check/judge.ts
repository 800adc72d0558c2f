/**
 * An identity beside what a server asks for: whether it would be sent, and how far its chain reaches.
 */
import type { X509Certificate } from 'node:crypto';
import { binding } from '../../binding';
import { type CertificateRequest, DistinguishedName } from '../../certificate-request';
import type { Credential } from '../../credential';
import { type Reason, reasonsAgainst } from '../../select/reasons';
import { CliError } from '../cli-error';
import { ExitCode } from '../exit-codes';
import { explain } from '../explain';
import type { Identity } from '../identities';
import { commonName, holderOf } from '../identities/describe';

/** How far the certificates at hand reach. */
export type Chain =
  /** To an authority that the server lists. `of` is its name, `path` the certificates on the way. */
  | { readonly is: 'complete'; readonly path: readonly string[]; readonly of: string }
  /** The server lists authorities, and `issuer`, who issued the last one at hand, is none of them. */
  | { readonly is: 'incomplete'; readonly path: readonly string[]; readonly issuer: string }
  /** The server lists none: it has to know `issuer`, or who stands behind it. */
  | { readonly is: 'open'; readonly path: readonly string[]; readonly issuer: string };

export type Verdict =
  | {
      readonly identity: Identity;
      readonly certificate: X509Certificate;
      /**
       * `'yes'`: it suits. `'no'`: something speaks against it, but it can be sent. `'impossible'`: TLS, or the
       * security level, does not let it be sent.
       */
      readonly sent: 'yes' | 'no' | 'impossible';
      /** All that speaks against it. */
      readonly reasons: readonly Reason[];
      /** Whether one of its issuers is listed; null when the server lists none. */
      readonly listed: boolean | null;
      readonly chain: Chain;
    }
  /** It is not opened, or cannot be used here: nobody knows. */
  | { readonly identity: Identity; readonly sent: 'unknown'; readonly error: CliError };

/** What a server asked for, as far as it is reported. */
export interface Asked {
  readonly phase: CertificateRequest['phase'];
  readonly protocol: string;
  readonly authorities: readonly string[];
}

export function askedBy(request: CertificateRequest): Asked {
  const { phase, protocol, certificateAuthorities } = request;
  return { phase, protocol, authorities: certificateAuthorities.map(String) };
}

/**
 * @param locked - Why some could not be opened.
 * @throws TLSClientCertError `ERR_TLS_CONNECTION_OVER`
 */
export function judge(
  request: CertificateRequest,
  identity: Identity,
  locked: ReadonlyMap<Identity, CliError>,
): Verdict {
  let credential: Credential | undefined;
  try {
    credential = identity.preview();
  } catch (thrown) {
    return { identity, sent: 'unknown', error: explain(thrown) };
  }
  const { certificate, chain } = identity;
  if (credential === undefined || certificate === undefined) {
    const unknown = new CliError(ExitCode.identity, 'CLI_LOCKED', 'Its passphrase is not known.');
    return { identity, sent: 'unknown', error: locked.get(identity) ?? unknown };
  }
  const reasons = reasonsAgainst(request, credential, Date.now());
  const possible = request.supports(credential) === true;
  const sent = possible ? (reasons.length === 0 ? 'yes' : 'no') : 'impossible';
  const hasList = request.certificateAuthorities.length > 0;
  const listed = hasList ? request.matchesAuthorities(credential) : null;
  const reach = chainOf(request, [certificate, ...chain]);
  return { identity, certificate, sent, reasons, listed, chain: reach };
}

function chainOf(request: CertificateRequest, certificates: readonly X509Certificate[]): Chain {
  const path: string[] = [];
  for (const certificate of certificates) {
    path.push(holderOf(certificate));
    const [issuer] = binding.issuers(certificate.raw) ?? [];
    if (issuer === undefined) continue;
    const name = DistinguishedName.of(issuer);
    const known = request.certificateAuthorities.find((one) => one.equals(name));
    if (known !== undefined) return { is: 'complete', path, of: shortName(known) };
  }
  const last = certificates.at(-1) as X509Certificate;
  const issuer = commonName(last.issuer);
  const isOpen = request.certificateAuthorities.length === 0;
  return { is: isOpen ? 'open' : 'incomplete', path, issuer };
}

function shortName(name: DistinguishedName): string {
  return name.commonName ?? name.toString();
}
