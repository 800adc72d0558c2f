/** One whole connection with a late answer, or a late signature. */
import { type ConnectionOptions, connect } from '../../../lib/index';
import { credential, to } from './client';
import { signs } from './signing';

export interface HandshakeOptions extends Pick<ConnectionOptions, 'maxVersion'> {
  /** By a signer. */
  readonly signed?: boolean;
}

/** Resolves to whether the certificate was sent and the echo was right. */
export function handshake(
  port: number,
  { signed = false, ...options }: HandshakeOptions = {},
): Promise<boolean> {
  const answer = signed ? { cert: credential.cert, key: signs } : credential;
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...to(port),
      ...options,
      clientCertCallback: () => new Promise((settle) => setImmediate(settle, answer)),
    });
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
