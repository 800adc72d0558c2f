/** A connection of a child whose signer says when it is asked, and may never answer. */
import { sign } from 'node:crypto';
import { type ConnectionOptions, connect, type Signer, type TLSSocket } from '../../../lib/index';
import { credential, to } from './client';

const { cert, key } = credential;

/** Signs a little later. */
export const signs: Signer = {
  sign: (data) => new Promise((resolve) => setImmediate(() => resolve(sign('sha256', data, key)))),
};

/** Calls `asked` and keeps whoever asks waiting for ever. */
export function waits(asked: (signal: AbortSignal) => void): Signer {
  return {
    sign: (_data, _scheme, { signal }) => {
      asked(signal);
      return new Promise(() => {});
    },
  };
}

/** The port of a server that asks later is told by a minus sign. */
export function dial(port: number, signer: Signer, options: ConnectionOptions = {}): TLSSocket {
  const socket = connect({
    ...to(Math.abs(port)),
    clientCertCallback: () => ({ cert, key: signer }),
    ...options,
  });
  if (port < 0) socket.write('ask\n');
  return socket;
}

/** One whole connection to a server that echoes; whether it was signed and the echo was right. */
export function handshake(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = dial(port, signs);
    let read = '';
    socket.on('data', (chunk) => {
      read += chunk;
      if (read.length === 5) socket.end();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(read === 'hello' && socket.clientAuth.status === 'sent'));
    socket.write('hello');
  });
}
