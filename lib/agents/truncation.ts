import type { ClientRequest } from 'node:http';
import type { TLSSocket } from '../tls-socket';

/**
 * Many servers close a connection without a close_notify. HTTP marks by itself where its messages end, and a
 * request that failed by that is tried again by the code that `node:tls` has for it: `ECONNRESET`. `reason` still
 * says what happened.
 */
export function resetWhereTruncated(socket: TLSSocket): TLSSocket {
  return socket.on('error', (error) => {
    if (isTruncation(error)) error.code = 'ECONNRESET';
  });
}

/** To those whose response is whole it is no error, nor where nobody has a request: as in `node:tls`. */
export function quietWhereAnswered(socket: TLSSocket, isFree: () => boolean): TLSSocket {
  const { destroy } = socket;
  socket.destroy = (error) => {
    const { _httpMessage: request } = socket as { _httpMessage?: ClientRequest | null };
    const answered = request ? isWhole(request) : isFree();
    return destroy.call(socket, answered && isTruncation(error) ? undefined : error);
  };
  return socket;
}

function isTruncation(error: NodeJS.ErrnoException | undefined): boolean {
  return error?.code === 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING';
}

/** Known before its 'end', which waits for those who read. */
function isWhole(request: ClientRequest): boolean {
  return (request as { res?: { complete: boolean } | null }).res?.complete === true;
}
