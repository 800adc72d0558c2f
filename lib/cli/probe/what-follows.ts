import type { CliError } from '../cli-error';
import { ExitCode } from '../exit-codes';
import type { Opened } from '../open-connection';
import type { Requirement } from './report';

/** What a server does once the handshake is complete on our side. */
export type Followed =
  | { readonly kind: 'data' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly error: CliError }
  /** For as long, in milliseconds. */
  | { readonly kind: 'quiet'; readonly time: number };

/** Resolves to the first that happens; after `patience` milliseconds, to that nothing did. */
export function whatFollows({ socket, explain }: Opened, patience: number): Promise<Followed> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ kind: 'quiet', time: patience }), patience);
    const settle = (followed: Followed) => {
      clearTimeout(timer);
      resolve(followed);
    };
    socket.once('data', () => settle({ kind: 'data' }));
    socket.once('error', (error) => settle({ kind: 'failed', error: explain(error) }));
    socket.once('end', () => settle({ kind: 'ended' }));
    socket.once('close', () => settle({ kind: 'ended' }));
    socket.resume();
  });
}

/** Whether the server can do without a certificate. */
export interface Verdict {
  readonly requirement: Requirement;
  /** What shows it. */
  readonly reason: string;
}

export const NOT_ANSWERED: Verdict = {
  requirement: 'unknown',
  reason: 'only an answer would show that (--decline gives one: that there is no certificate)',
};

/** After a request that was declined. */
export function verdictOf(followed: Followed): Verdict {
  switch (followed.kind) {
    case 'data':
      return { requirement: 'optional', reason: 'it went on without one' };
    case 'quiet':
      return {
        requirement: 'optional',
        reason: `it let the handshake end without one, and kept the connection open for ${followed.time / 1000} s`,
      };
    case 'ended':
      return { requirement: 'required', reason: 'it closed the connection when it got none' };
    case 'failed':
      return refusal(followed.error);
  }
}

export function refusal({ exitCode, code, message }: CliError): Verdict {
  // How servers go that say nothing.
  const closed = ['ECONNRESET', 'EPIPE', 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING'].includes(code);
  if (closed) return verdictOf({ kind: 'ended' });
  return {
    requirement: exitCode === ExitCode.refused ? 'required' : 'unknown',
    reason: exitCode === ExitCode.refused ? `it refused to go on without one` : message,
  };
}
