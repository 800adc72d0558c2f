/**
 * Certificates in the two forms that `node:tls` gives them.
 */
import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls';

/** The legacy object, as `getPeerCertificate()` of node:tls has it. */
export function legacyCertificate(certificate: X509Certificate): PeerCertificate {
  return certificate.toLegacyObject();
}

/** The leaf with `issuerCertificate` linked along the chain; a root's is itself. */
export function detailedCertificate(chain: readonly X509Certificate[]): DetailedPeerCertificate {
  const linked = chain.map(
    (certificate) => legacyCertificate(certificate) as DetailedPeerCertificate,
  );
  let current = 0;
  const placed = new Set([0]);
  while (true) {
    const certificate = chain[current] as X509Certificate;
    const object = linked[current] as DetailedPeerCertificate;
    if (certificate.checkIssued(certificate)) {
      object.issuerCertificate = object;
      break;
    }
    const issuer = chain.findIndex((other, i) => !placed.has(i) && certificate.checkIssued(other));
    if (issuer < 0) break;
    object.issuerCertificate = linked[issuer] as DetailedPeerCertificate;
    placed.add(issuer);
    current = issuer;
  }
  return linked[0] as DetailedPeerCertificate;
}

export function parseCertificates(list: readonly Buffer[]): X509Certificate[] {
  return list.map((der) => new X509Certificate(der));
}
