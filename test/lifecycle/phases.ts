/** The phases of a connection: one table for all that ends, aborts, leaves or blocks one in each. */

export interface Phase {
  /** One of `startPhaseServers()`. */
  readonly server: 'tls' | 'python' | 'silent' | 'mute';
  readonly maxVersion?: 'TLSv1.2';
  /** What the connection's own program is asked for last, and does not give. */
  readonly waitsFor?: 'answer' | 'signature';
  /** What the server is told, as a line, once the connection is open. */
  readonly command?: 'ask' | 'renegotiate' | 'deaf' | 'hold' | 'end';
}

export const PHASES = {
  connecting: { server: 'tls' },
  'waiting for the ServerHello': { server: 'silent' },
  suspended: { server: 'tls', waitsFor: 'answer' },
  'suspended on TLS 1.2': { server: 'tls', maxVersion: 'TLSv1.2', waitsFor: 'answer' },
  // The server's Finished does not come. On TLS 1.3 there is no such phase.
  answered: { server: 'mute', maxVersion: 'TLSv1.2' },
  signing: { server: 'tls', waitsFor: 'signature' },
  'signing on TLS 1.2': { server: 'tls', maxVersion: 'TLSv1.2', waitsFor: 'signature' },
  open: { server: 'tls' },
  // TOO_MUCH, most of it unwritten.
  writing: { server: 'tls', command: 'deaf' },
  'asked later': { server: 'python', command: 'ask', waitsFor: 'answer' },
  'signing later': { server: 'python', command: 'ask', waitsFor: 'signature' },
  renegotiating: {
    server: 'tls',
    maxVersion: 'TLSv1.2',
    command: 'renegotiate',
    waitsFor: 'answer',
  },
  // Our close_notify is sent, and the server's does not come.
  closing: { server: 'tls', command: 'hold' },
  'half-closed by the peer': { server: 'tls', command: 'end' },
} as const satisfies Record<string, Phase>;

export type PhaseName = keyof typeof PHASES;

export const PHASE_NAMES = Object.keys(PHASES) as PhaseName[];

export const ASKING_PHASES = PHASE_NAMES.filter((name) => 'waitsFor' in PHASES[name]);

/** Bytes: more than all buffers on the way take. */
export const TOO_MUCH = 8 * 1024 * 1024;

/** The ports of the servers, as children get them: JSON. */
export type PhasePorts = Readonly<Record<Phase['server'], number>>;
