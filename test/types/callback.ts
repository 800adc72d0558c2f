/** Compiled by `npm run typecheck`, never run: what a callback may look like. */
import {
  type ClientCertCallback,
  Credential,
  type CredentialOptions,
  connect,
  createSecureContext,
  SecureContext,
  SUSPEND,
  TLSSocket,
} from '../../lib/index';

declare const pem: CredentialOptions;
declare const credential: Credential;

export const accepted: ClientCertCallback[] = [
  () => null,
  () => undefined,
  () => {},
  () => credential,
  () => pem,
  () => ({ pfx: Buffer.alloc(0), passphrase: 'secret' }),
  () => SUSPEND,
  async () => SUSPEND,
  async () => null,
  async () => credential,
  async (request) => (request.attempt === 1 ? SUSPEND : credential),
  (request, { signal }) =>
    signal.aborted ? null : request.supports(credential) === true ? pem : null,
];

const declared = () => SUSPEND;
connect({ port: 1, clientCertCallback: declared });
connect({ port: 1, clientCertCallback: null });
createSecureContext({ clientCertCallback: async () => SUSPEND });

connect({ port: 1 }).on('suspend', (suspension) => suspension.resume(credential));
connect({ port: 1 }).once('close', (hadError: boolean) => hadError);
connect({ port: 1 }).on('data', (chunk: Buffer) => chunk);
// @ts-expect-error A suspension has no such thing.
connect({ port: 1 }).on('suspend', (suspension) => suspension.nonsense());
// @ts-expect-error Sockets are made by connect().
new TLSSocket();
// @ts-expect-error Contexts are made by createSecureContext().
new SecureContext();

// @ts-expect-error A number is no answer.
connect({ port: 1, clientCertCallback: () => 1 });
// @ts-expect-error Nor is any other symbol.
connect({ port: 1, clientCertCallback: () => Symbol('x') });
// @ts-expect-error A certificate needs its key.
new Credential({ cert: 'pem' });
