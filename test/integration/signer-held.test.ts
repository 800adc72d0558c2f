/** A chain too long for OpenSSL's own buffer: what the signature belongs to waits for it all the same. */
import type { ConnectionOptions, TLSSocket } from '../../lib/index';
import {
  dial,
  endedBy,
  expectIdentity,
  expectNothingRevealed,
  hangUp,
  later,
  PROTOCOLS,
  secured,
  withSServer,
} from '../support/client';
import { loadPki } from '../support/pki';
import { Dialogue, startPythonServer } from '../support/python-server';
import { type HeldCall, heldSigner, signedBy, signerOf } from '../support/signers';
import { startTap, type Tap, tlsRecords } from '../support/tap';

const pki = loadPki();
/** Some 12 KB; OpenSSL writes through what goes beyond 4. */
const identity = { ...pki.clients.ec256, chain: pki.intermediateA.cert.repeat(20) };

/** What left in the handshake beyond the ClientHello and a change_cipher_spec of no meaning. */
const answers = (tap: Tap) =>
  tlsRecords(tap.fromClient).filter(({ type }, i) => i > 0 && type !== 'change_cipher_spec');

const ENDS: [string, (socket: TLSSocket, call: HeldCall) => void, ConnectionOptions][] = [
  ['a wrong signature', (_socket, call) => call.settle(new Uint8Array(70)), {}],
  ['a signer that fails', (_socket, call) => call.reject(new Error('no card')), {}],
  ['the deadline', () => {}, { clientCertTimeout: 50 }],
  ['destroy()', (socket) => socket.destroy(new Error('changed my mind')), {}],
];

describe.each(PROTOCOLS)('%s', (protocol) => {
  async function waiting(
    options: ConnectionOptions,
    use: (it: {
      socket: TLSSocket;
      call: HeldCall;
      tap: Tap;
      server: Parameters<Parameters<typeof withSServer>[1]>[0];
    }) => Promise<void>,
  ) {
    await withSServer({ protocol }, async (server) => {
      const tap = await startTap(server.port);
      const key = heldSigner(identity);
      const socket = dial(tap, {
        clientCertCallback: () => signedBy(identity, key),
        ...options,
      });
      await use({ socket, call: await key.call(), tap, server });
      await tap.close();
    });
  }

  test('nothing leaves before it is signed, and all of it does then', async () => {
    await waiting({}, async ({ socket, call, tap, server }) => {
      await later(null, 30);
      expect(answers(tap)).toEqual([]);
      call.give();
      await secured(socket);
      await expectIdentity(server, identity);
      await hangUp(socket);
    });
  });

  test.each(ENDS)('nothing leaves at %s', async (_what, end, options) => {
    await waiting(options, async ({ socket, call, tap, server }) => {
      const ended = endedBy(socket);
      end(socket, call);
      await ended;
      await expectNothingRevealed(server);
      expect(answers(tap)).toEqual([]);
    });
  });
});

test('nothing leaves where OpenSSL picks a scheme that is not declared', async () => {
  const rsa = { ...pki.clients.rsa, chain: identity.chain };
  const args = ['-client_sigalgs', 'RSA+SHA256:RSA-PSS+SHA256'];
  await withSServer({ protocol: 'TLSv1.2', args }, async (server) => {
    const tap = await startTap(server.port);
    const key = signerOf(rsa, ['rsa_pss_rsae_sha256']);
    const error = await endedBy(dial(tap, { clientCertCallback: () => signedBy(rsa, key) }));
    expect(error.reason).toBe('scheme-not-declared');
    await expectNothingRevealed(server);
    expect(answers(tap)).toEqual([]);
    await tap.close();
  });
});

describe('asked after the handshake', () => {
  test.each(ENDS)('nothing leaves at %s', async (_what, end, options) => {
    const server = await startPythonServer({ identity: pki.server });
    const tap = await startTap(server.port);
    const key = heldSigner(identity);
    const socket = dial(tap, { clientCertCallback: () => signedBy(identity, key), ...options });
    await secured(socket);
    new Dialogue(socket).say('ask');
    const call = await key.call();
    const sent = tap.fromClient.length;
    await later(null, 20);
    const ended = endedBy(socket);
    end(socket, call);
    await ended;
    await later(null, 20);
    expect(tap.fromClient.length).toBe(sent);
    await tap.close();
    await server.stop();
  });
});
