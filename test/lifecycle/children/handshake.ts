/** One whole connection with a suspended answer. */
import { connect } from '../../../lib/index';
import { credential, to } from './client';

/** Resolves to whether the certificate was sent and the echo was right. */
export function handshake(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...to(port),
      clientCertCallback: () => new Promise((settle) => setImmediate(settle, credential)),
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
