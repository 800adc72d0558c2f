/** Compiled by `npm run typecheck`, never run: what listeners of a socket get, and `clientAuth`. */
import type { Duplex } from 'node:stream';
import type { Credential, Suspension, TLSSocket } from '../../lib/index';

declare const socket: TLSSocket;

for (const listen of ['on', 'once', 'addListener', 'prependListener'] as const) {
  socket[listen]('error', (error) => error.code?.startsWith('ERR_')) satisfies TLSSocket;
  socket[listen]('close', (hadError) => hadError satisfies boolean);
  socket[listen]('suspend', (suspension) => suspension satisfies Suspension);
  socket[listen]('session', (session) => session satisfies Buffer);
  socket[listen]('timeout', () => {});
  socket[listen]('of one’s own', (...args) => args);
  // @ts-expect-error it is one session
  socket[listen]('session', (a, b) => [a, b]);
}
socket.on('error', () => {}).once('end', () => {}).clientAuth;

export const asDuplex: Duplex = socket;

/** Without a look at `status` first. */
export const details: {
  credential?: Credential | null | undefined;
  signatureScheme?: string | null | undefined;
  reason?: string | undefined;
  error?: Error | undefined;
} = socket.clientAuth;
