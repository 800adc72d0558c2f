/** Compiled by `npm run typecheck`, never run: what listeners of a socket get, and `clientAuth`. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket as TlsSocket } from 'node:tls';
import type { Credential, Suspension, TLSSocket } from '../../lib/index';

declare const socket: TLSSocket;

for (const listen of ['on', 'once', 'addListener', 'prependListener'] as const) {
  socket[listen]('error', (error) => error.code?.startsWith('ERR_')) satisfies TLSSocket;
  socket[listen]('close', (hadError) => hadError satisfies boolean);
  socket[listen]('suspend', (suspension) => suspension satisfies Suspension);
  socket[listen]('session', (session) => session satisfies Buffer);
  socket[listen]('timeout', () => {});
  socket[listen]('lookup', (error, address) => [
    error satisfies Error | null,
    address satisfies string,
  ]);
  socket[listen]('connectionAttempt', (ip, port) => [ip satisfies string, port satisfies number]);
  socket[listen]('connectionAttemptFailed', (_ip, _port, _family, error) => error satisfies Error);
  socket[listen]('connectionAttemptTimeout', (ip) => ip satisfies string);
  socket[listen]('keylog', (line) => line satisfies Buffer);
  socket[listen]('OCSPResponse', (response) => response satisfies Buffer | null);
  socket[listen]('of one’s own', (...args) => args);
  // @ts-expect-error it is one session
  socket[listen]('session', (a, b) => [a, b]);
}
socket.on('error', () => {}).once('end', () => {}).clientAuth;

export const asDuplex: Duplex = socket;
export const asSocket: Socket = socket;
// @ts-expect-error Node's type of `authorizationError` is Error, and its value is what ours says. So a cast is
// needed: `socket as unknown as tls.TLSSocket`.
export const asTlsSocket: TlsSocket = socket;

/** Without a look at `status` first. */
export const details: {
  credential?: Credential | null | undefined;
  signatureScheme?: string | null | undefined;
  reason?: string | undefined;
  error?: Error | undefined;
} = socket.clientAuth;

// What node:tls has of it, under its types: but for the kind of Buffer, which older types do not tell apart.
export const facts: Pick<
  TlsSocket,
  'getEphemeralKeyInfo' | 'getSharedSigalgs' | 'setMaxSendFragment' | 'enableTrace'
> = socket;
export const bytes: (Buffer | undefined)[] = [
  socket.exportKeyingMaterial(8, 'label'),
  socket.exportKeyingMaterial(8, 'label', Buffer.of(1)),
  socket.getFinished(),
  socket.getPeerFinished(),
  socket.getTLSTicket(),
];
