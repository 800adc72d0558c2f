/** Opening connections; what can be shared is made once, as a program that cares would do it. */
import tls from 'node:tls';
import { type ClientCertCallback, Credential, connect, createSecureContext } from '../../lib/index';
import type { HandshakeKind, Setup } from '../messages';

export type Socket = ReturnType<typeof connect> | tls.TLSSocket;
export type Opener = () => Socket;

export const ADDRESS = { host: '127.0.0.1', servername: 'localhost' } as const;

export function credentialOf({ keys }: Setup): Credential {
  return new Credential({ cert: keys.clientCert, key: keys.clientKey });
}

/** Each function makes what its openings share. */
export function openers(setup: Setup): Record<HandshakeKind, () => Opener> {
  const { serverCa: ca, clientCert: cert, clientKey: key } = setup.keys;
  const to = { ...ADDRESS, port: setup.port };
  const asking = (callbackFor: (credential: Credential) => ClientCertCallback): Opener => {
    const clientCertCallback = callbackFor(credentialOf(setup));
    const secureContext = createSecureContext({ ca, clientCertCallback });
    return () => connect({ ...to, secureContext });
  };
  return {
    node: () => {
      const secureContext = tls.createSecureContext({ ca, cert, key });
      return () => tls.connect({ ...to, secureContext });
    },
    static: () => {
      const secureContext = createSecureContext({ ca, cert, key });
      return () => connect({ ...to, secureContext });
    },
    'at-once': () => asking((credential) => () => credential),
    suspended: () =>
      asking((credential) => () => new Promise((resolve) => setImmediate(resolve, credential))),
  };
}

export function settled<S extends Socket>(socket: S, event: string): Promise<S> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once(event, () => resolve(socket));
  });
}
