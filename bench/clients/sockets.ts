/** Opening connections; what can be shared is made once, as a program that cares would do it. */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { OnReadOpts } from 'node:net';
import tls from 'node:tls';
import {
  type ClientCertCallback,
  Credential,
  connect,
  createSecureContext,
  type Signer,
} from '../../lib/index';
import type { ClientKind, HandshakeKind, Setup, SignerKind } from '../messages';
import { PARAMETERS } from '../parameters';

export type Socket = ReturnType<typeof connect> | tls.TLSSocket;
/** @param session - To resume. */
export type Opener = (session?: Buffer) => Socket;

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
    const secureContext = createSecureContext({ ...PARAMETERS, ca, clientCertCallback });
    return () => connect({ ...to, secureContext });
  };
  return {
    node: () => openerOf(setup, 'node'),
    'at-once-stream': () => openerOf(setup, 'ours-stream'),
    static: () => {
      const secureContext = createSecureContext({ ...PARAMETERS, ca, cert, key });
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

/** The same connection by each client. What they share is made here, once. */
export function openerOf(
  setup: Setup,
  kind: ClientKind,
  more: { onread?: OnReadOpts } = {},
): Opener {
  const { serverCa: ca, clientCert: cert, clientKey: key } = setup.keys;
  const to = { ...ADDRESS, port: setup.port, ...more };
  if (kind === 'node') {
    const secureContext = tls.createSecureContext({ ...PARAMETERS, ca, cert, key });
    return (session) => tls.connect({ ...to, secureContext, session });
  }
  const credential = credentialOf(setup);
  const clientCertCallback = () => credential;
  const secureContext = createSecureContext({ ...PARAMETERS, ca, clientCertCallback });
  const transport = kind === 'ours-stream' ? { transport: 'stream' as const } : {};
  const shared = { ...to, ...transport, secureContext, sessionCredential: credential };
  return (session) => connect({ ...shared, session });
}

export function settled<S extends Socket>(socket: S, event: string): Promise<S> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once(event, () => resolve(socket));
  });
}
