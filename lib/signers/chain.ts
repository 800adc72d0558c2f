/**
 * Which of the certificates at hand lead from a leaf to its root.
 */
import type { X509Certificate } from 'node:crypto';

/** Nearest issuer first, without the root; as far as they are among `all`. */
export function chainOf(leaf: X509Certificate, all: readonly X509Certificate[]): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let last = leaf;
  for (;;) {
    const issuer = all.find((one) => one !== last && !chain.includes(one) && issued(one, last));
    if (issuer === undefined || issuer === leaf || issued(issuer, issuer)) return chain;
    chain.push(issuer);
    last = issuer;
  }
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  // Of two authorities with one name (a renewal), the signature tells.
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
