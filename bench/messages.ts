/** What the benchmark's processes tell each other. */

/** All PEM. */
export interface Credentials {
  readonly serverCert: string;
  readonly serverKey: string;
  readonly serverCa: string;
  readonly clientCert: string;
  readonly clientKey: string;
  readonly clientCa: string;
}

export interface Ports {
  /** Says one byte to each client and closes. */
  readonly greeting: number;
  /** Keeps clients and says nothing. */
  readonly silent: number;
}

/** The names of what is measured; `client.ts` says what each does. */
export const HANDSHAKES = ['node', 'at-once', 'suspended', 'static'] as const;
export type HandshakeKind = (typeof HANDSHAKES)[number];

export const HOLDS = ['node-idle', 'idle', 'suspended'] as const;
export type HoldKind = (typeof HOLDS)[number];

export interface Setup {
  readonly keys: Credentials;
  readonly ports: Ports;
}

export type Task =
  | {
      readonly task: 'handshakes';
      readonly kind: HandshakeKind;
      readonly count: number;
      readonly concurrency: number;
    }
  | { readonly task: 'hold'; readonly kind: HoldKind; readonly count: number };

/** Per handshake, in microseconds. */
export interface HandshakeSample {
  readonly cpu: number;
  readonly wall: number;
}

/** Per connection, in bytes. */
export interface HoldSample {
  readonly rss: number;
  readonly heap: number;
  readonly external: number;
}

export type Reply<Sample> = { readonly sample: Sample } | { readonly error: string };
