/** What there is to say of a connection once it stands. */
import type { ClientAuth } from '../../client-auth';
import type { TLSSocket } from '../../tls-socket';
import type { Target } from '../target';
import { type Line, styled } from '../terminal';

export function connectionLine(socket: TLSSocket, { authority }: Target): Line {
  const trust = socket.authorized
    ? styled('green', 'trusted')
    : styled('red', `NOT trusted (${socket.authorizationError})`);
  const cipher = socket.getCipher()?.name ?? 'no cipher';
  const alpn = socket.alpnProtocol ? `, ${socket.alpnProtocol}` : '';
  return [`Connected to ${authority}: ${socket.getProtocol()}, ${cipher}${alpn}, `, trust];
}

/** Whom the server takes this side for, as far as that has been said to it. */
export function identityLine(auth: ClientAuth): Line {
  switch (auth.status) {
    case 'sent':
      return [
        'Certificate sent: ',
        styled('bold', auth.credential.subject),
        auth.signatureScheme === null ? '' : ` (${auth.signatureScheme})`,
      ];
    case 'declined':
      return 'Certificate: asked for, none sent';
    default:
      return 'Certificate: not asked for';
  }
}
