/** All that can be looked at without changing anything, at whatever moment. */
import type { TLSSocket } from '../../lib/index';

const PROPERTIES = [
  'alpnProtocol',
  'authorizationError',
  'authorized',
  'autoSelectFamilyAttemptedAddresses',
  'bufferSize',
  'bytesRead',
  'bytesWritten',
  'clientAuth',
  'connecting',
  'encrypted',
  'localAddress',
  'localFamily',
  'localPort',
  'pending',
  'readyState',
  'remoteAddress',
  'remoteFamily',
  'remotePort',
  'secureConnecting',
  'servername',
  'timeout',
  'transport',
] as const;

const METHODS = [
  'address',
  'getCertificate',
  'getCipher',
  'getEphemeralKeyInfo',
  'getFinished',
  'getPeerCertificate',
  'getPeerFinished',
  'getPeerX509Certificate',
  'getProtocol',
  'getSession',
  'getSharedSigalgs',
  'getTLSTicket',
  'getX509Certificate',
  'isSessionReused',
] as const;

export function lookAtEverything(socket: TLSSocket, violated: (what: string) => void): void {
  for (const name of PROPERTIES) void socket[name];
  for (const name of METHODS) socket[name]();
  socket.getPeerCertificate(true);
  try {
    socket.exportKeyingMaterial(16, 'model');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_TLS_INVALID_STATE') violated(`exportKeyingMaterial() threw ${code ?? error}`);
  }
}
