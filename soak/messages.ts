/** What the client and the servers' process tell each other. */
import type { Pki } from '../test/support/pki';

/** The servers' process is told the folder of the PKI, and answers with these. */
export interface Ports {
  /** node:tls, which does what its client's first line says; by protocol. */
  readonly commands: { readonly 'TLSv1.2': number; readonly 'TLSv1.3': number };
  /** HTTP/1.1, which answers with the client's fingerprint. */
  readonly https: number;
  /** Resets as soon as it has heard the ClientHello. */
  readonly resetsHello: number;
  /** TLS 1.3: resets while it waits for the answer to its request. */
  readonly resetsQuestion: number;
  /** Python's `ssl`, which asks after the handshake. */
  readonly later: number;
}

/** How long a body is. Few sizes, so that both sides make each of them, and its digest, once. */
export const SIZES = [1, 1_000, 16_384, 50_000, 200_000, 1_000_000] as const;

/** What the server says of a client that showed no certificate. */
export const NOBODY = '-';

/** SHA-256 in lower case, as both sides write it. */
export function fingerprint(ofNode: string): string {
  return ofNode.replaceAll(':', '').toLowerCase();
}

/** Those of the PKI's clients that connections are made as: each under a key or a chain of its own kind. */
export function clientsOf(pki: Pki) {
  return [
    pki.clients.ec256,
    pki.clients.ed25519,
    pki.clientB,
    pki.otherEcClient,
    pki.deepClient,
  ] as const;
}
