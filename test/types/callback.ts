/** Compiled by `npm run typecheck`, never run: what a callback may look like. */
import {
  type ClientCertCallback,
  Credential,
  type CredentialOptions,
  connect,
  createSecureContext,
  SUSPEND,
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

// @ts-expect-error A number is no answer.
connect({ port: 1, clientCertCallback: () => 1 });
// @ts-expect-error Nor is any other symbol.
connect({ port: 1, clientCertCallback: () => Symbol('x') });
// @ts-expect-error A certificate needs its key.
new Credential({ cert: 'pem' });
