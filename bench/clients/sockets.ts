/** Opening connections; what can be shared is made once, as a program that cares would do it. */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import tls from 'node:tls';
import {
  type ClientCertCallback,
  Credential,
  connect,
  createSecureContext,
  type Signer,
} from '../../lib/index';
import type { ClientKind, HandshakeKind, Setup, SignerKind } from '../messages';

export type Socket = ReturnType<typeof connect> | tls.TLSSocket;
export type Opener = () => Socket;

export const ADDRESS = { host: '127.0.0.1', servername: 'localhost' } as const;

export function credentialOf({ keys }: Setup): Credential {
  return new Credential({ cert: keys.clientCert, key: keys.clientKey });
}

/** A credential with the key of `keys` behind a signer; the key is ECDSA P-256. */
export function signedBy(
  { keys }: Setup,
  how: (signNow: () => Buffer) => ReturnType<Signer['sign']>,
): Credential {
  const key: KeyObject = createPrivateKey(keys.clientKey);
  return new Credential({
    cert: keys.clientCert,
    key: { sign: (data) => how(() => sign('sha256', data, key)) },
  });
}

/** Each function makes what its openings share. */
export function openers(setup: Setup): Record<HandshakeKind | SignerKind, () => Opener> {
  const { serverCa: ca, clientCert: cert, clientKey: key } = setup.keys;
  const to = { ...ADDRESS, port: setup.port };
  const asking = (
    callbackFor: (credential: Credential) => ClientCertCallback,
    credential = credentialOf(setup),
  ): Opener => {
    const clientCertCallback = callbackFor(credential);
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
    memory: () => asking((credential) => () => credential),
    signer: () =>
      asking(
        (credential) => () => credential,
        signedBy(setup, (signNow) => signNow()),
      ),
    'signer-turn': () =>
      asking(
        (credential) => () => credential,
        signedBy(
          setup,
          (signNow) => new Promise((resolve) => setImmediate(() => resolve(signNow()))),
        ),
      ),
    suspended: () =>
      asking((credential) => () => new Promise((resolve) => setImmediate(resolve, credential))),
  };
}

/** What has to be the same on both sides of a comparison, the C client's included. */
export const PARAMETERS = {
  minVersion: 'TLSv1.3',
  ciphers: 'TLS_AES_256_GCM_SHA384',
  ecdhCurve: 'X25519',
} as const;

/** The same connection by each client. What they share is made here, once. */
export function openerOf(setup: Setup, kind: ClientKind): Opener {
  const { serverCa: ca, clientCert: cert, clientKey: key } = setup.keys;
  const to = { ...ADDRESS, port: setup.port };
  if (kind === 'node') {
    const secureContext = tls.createSecureContext({ ...PARAMETERS, ca, cert, key });
    return () => tls.connect({ ...to, secureContext });
  }
  const credential = credentialOf(setup);
  const clientCertCallback = () => credential;
  const secureContext = createSecureContext({ ...PARAMETERS, ca, clientCertCallback });
  const transport = kind === 'ours-stream' ? { transport: 'stream' as const } : {};
  return () => connect({ ...to, ...transport, secureContext });
}

export function settled<S extends Socket>(socket: S, event: string): Promise<S> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once(event, () => resolve(socket));
  });
}
