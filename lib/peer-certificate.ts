/**
 * Certificates in the two forms that `node:tls` gives them.
 */
import { X509Certificate } from 'node:crypto';
import type { DetailedPeerCertificate, PeerCertificate } from 'node:tls';

/** The legacy object, as `getPeerCertificate()` of node:tls has it. */
export function legacyCertificate(certificate: X509Certificate): PeerCertificate {
  const legacy = certificate.toLegacyObject() as unknown as Record<string, unknown>;
  // The socket's form has the access descriptions by their kind, the certificate's own as text.
  if (typeof legacy.infoAccess === 'string') legacy.infoAccess = accessByKind(legacy.infoAccess);
  return legacy as unknown as PeerCertificate;
}

function accessByKind(text: string): Record<string, string[]> {
  const access: Record<string, string[]> = Object.create(null);
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const kind = line.slice(0, colon);
    access[kind] ??= [];
    access[kind].push(line.slice(colon + 1));
  }
  return access;
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
