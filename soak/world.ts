/** What all connections of a run share. */
import { createPrivateKey, sign, X509Certificate } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { Agent } from '../lib/agents/https';
import { Credential, createSecureContext, type SecureContext } from '../lib/index';
import type { ChainedIdentity, Identity as Pair, Pki } from '../test/support/pki';
import { clientsOf, fingerprint, type Ports } from './messages';

export const PROTOCOLS = ['TLSv1.3', 'TLSv1.2'] as const;
export type Protocol = (typeof PROTOCOLS)[number];
export const TRANSPORTS = ['auto', 'stream'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** One of those that the client is, and that the server has to see. */
export interface Identity {
  readonly name: string;
  /** What {@link Credential} is made of. */
  readonly parts: { readonly cert: string; readonly key: string; readonly chain?: string };
  readonly credential: Credential;
  /** The same, with the key behind a signer that takes a turn of the loop. */
  readonly signed: Credential;
  readonly fingerprint: string;
  /** Keeps connections of each transport. */
  readonly agents: Readonly<Record<Transport, Agent>>;
  /** The newest session, by protocol. */
  readonly sessions: Map<Protocol, Session>;
}

export interface Session {
  readonly bytes: Buffer;
  /** As `performance.now()`. */
  readonly since: number;
}

export interface World {
  readonly ports: Ports;
  readonly ca: string;
  readonly contexts: Readonly<Record<Protocol, SecureContext>>;
  readonly identities: readonly Identity[];
  /** Never aborted, and on many connections: who listens to it has to let go. */
  readonly signal: AbortSignal;
}

export function createWorld(pki: Pki, ports: Ports): World {
  const ca = pki.serverCa.cert;
  const { signal } = new AbortController();
  setMaxListeners(0, signal);
  return {
    ports,
    ca,
    contexts: {
      'TLSv1.3': createSecureContext({ ca }),
      'TLSv1.2': createSecureContext({ ca, maxVersion: 'TLSv1.2' }),
    },
    identities: clientsOf(pki).map((pair) => identityOf(pair, ca)),
    signal,
  };
}

function identityOf(pair: Pair | ChainedIdentity, ca: string): Identity {
  const { name, cert, key } = pair;
  const chain = 'chain' in pair ? { chain: pair.chain } : {};
  const parts = { cert, key, ...chain };
  const credential = new Credential(parts);
  const agent = (transport: Transport) =>
    new Agent({ ca, transport, maxSockets: 4, clientCertCallback: () => credential });
  return {
    name,
    parts,
    credential,
    signed: new Credential({ cert, ...chain, key: signerOf(key) }),
    fingerprint: fingerprint(new X509Certificate(cert).fingerprint256),
    agents: { auto: agent('auto'), stream: agent('stream') },
    sessions: new Map(),
  };
}

function signerOf(pem: string) {
  const key = createPrivateKey(pem);
  const digest = key.asymmetricKeyType === 'ec' ? 'sha256' : null;
  return {
    sign: (data: Uint8Array) =>
      new Promise<Buffer>((resolve) => setImmediate(() => resolve(sign(digest, data, key)))),
  };
}

/** Closes what is kept for later connections. */
export function closeKept({ identities }: World): void {
  for (const { agents } of identities) {
    for (const agent of Object.values(agents)) agent.destroy();
  }
}
