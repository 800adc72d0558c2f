/** Handshakes whose key is on a PKCS#11 token, or in memory. */
import { connect, createSecureContext } from '../../lib/index';
import { openPkcs11 } from '../../lib/signers/pkcs11/index';
import type { HandshakeSample, Setup, TokenTask } from '../messages';
import { repeat } from './handshakes';
import { ADDRESS, credentialOf, type Opener } from './sockets';

/** Of the one kind that this process measures. */
let open: Opener | undefined;

export async function measureToken(setup: Setup, task: TokenTask): Promise<HandshakeSample> {
  open ??= await opener(setup, task);
  return repeat(open, task);
}

async function opener(setup: Setup, { kind, module, uri }: TokenTask): Promise<Opener> {
  const credential =
    kind === 'memory'
      ? credentialOf(setup)
      : (await openPkcs11(uri, { module })).identity.credential();
  const secureContext = createSecureContext({
    ca: setup.keys.serverCa,
    clientCertCallback: () => credential,
  });
  return () => connect({ ...ADDRESS, port: setup.port, secureContext });
}
