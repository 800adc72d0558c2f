import type { TLSSocket } from '../tls-socket';

/**
 * Many servers close a connection that was kept without a close_notify. A request that had just taken it fails,
 * and HTTP clients try it again by the code that `node:tls` has for it: `ECONNRESET`. HTTP marks by itself where
 * its messages end; `reason` still says what happened.
 */
export function resetWhereTruncated(socket: TLSSocket): TLSSocket {
  return socket.on('error', (error) => {
    if (error.code === 'ERR_SSL_UNEXPECTED_EOF_WHILE_READING') error.code = 'ECONNRESET';
  });
}
