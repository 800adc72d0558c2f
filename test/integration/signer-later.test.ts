/** Requests after the handshake, TLS 1.3: who signs each, and whom the server sees then. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClientCertAnswer,
  type ConnectionOptions,
  Credential,
  type SignatureScheme,
} from '../../lib/index';
import {
  credentialOf,
  dial,
  expectIdentity,
  hangUp,
  inTurn,
  later,
  pemsOf,
  secured,
  withSServer,
} from '../support/client';
import { askBy, talkTo } from '../support/dialogue';
import { CLIENT_KINDS, loadPki } from '../support/pki';
import { type PythonServer, startPythonServer } from '../support/python-server';
import { certificateRequest, HANDSHAKE, keyLogFile, TLS13Proxy } from '../support/records';
import { heldSigner, lateSigner, signedBy, signerOf } from '../support/signers';

const pki = loadPki();
const identity = pki.clients.ec256;
const bob = pki.clients.rsa;
const scratch = mkdtempSync(join(tmpdir(), 'tcc-signer-later-'));
const keyLogPath = join(scratch, 'keys');

let server: PythonServer;

beforeAll(async () => {
  server = await startPythonServer({
    identity: pki.server,
    clientCa: pki.clientCasPath,
    keyLogPath,
  });
});

afterAll(async () => {
  await server.stop();
  rmSync(scratch, { recursive: true });
});

const talk = (options: ConnectionOptions) => talkTo(server, options);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

test.each(CLIENT_KINDS)('%s', async (kind) => {
  const key = lateSigner(pki.clients[kind]);
  const { requests, clientCertCallback } = inTurn(signedBy(pki.clients[kind], key));
  const { socket, dialogue } = await talk({ clientCertCallback });
  expect(key.asked).toEqual([]);
  expect((await askBy(dialogue)).subject).toBe(pki.clients[kind].subject);
  expect(requests.map(({ phase }) => phase)).toEqual(['post-handshake']);
  expect(key.asked).toHaveLength(1);
  expect(socket.clientAuth).toMatchObject({
    status: 'sent',
    signatureScheme: key.asked[0]?.scheme,
  });
  await hangUp(socket);
});

test.each(['from the callback', 'set in advance'])(
  'the first signer, %s, signs for later requests as well, and the callback is not asked again',
  async (source) => {
    const key = lateSigner(identity);
    const { requests, clientCertCallback } = inTurn(signedBy(identity, key));
    const { socket, dialogue } = await talk(
      source === 'set in advance' ? signedBy(identity, key) : { clientCertCallback },
    );
    for (let nth = 1; nth <= 3; nth += 1) {
      expect((await askBy(dialogue)).subject).toBe(identity.subject);
      expect(key.asked).toHaveLength(nth);
    }
    expect(requests).toHaveLength(source === 'set in advance' ? 0 : 1);
    const signed = key.asked.map(({ data }) => sha256(data));
    expect(new Set(signed).size).toBe(3);
    await hangUp(socket);
  },
);

test('the signer of the first handshake signs for later requests as well', async () => {
  const asking = {
    protocol: 'TLSv1.3',
    requestCert: 'optional',
    clientCa: pki.clientCasPath,
  } as const;
  await withSServer(asking, async (both) => {
    const key = lateSigner(identity);
    const { clientCertCallback } = inTurn(signedBy(identity, key));
    const socket = await secured(dial(both, { clientCertCallback }));
    socket.resume();
    await expectIdentity(both, identity);
    expect(key.asked).toHaveLength(1);
    both.type('c');
    expect(pemsOf(await both.clientChain(2))).toEqual(pemsOf(await both.clientChain(1)));
    const from = both.output.length;
    socket.write('still here\n');
    await both.waitFor('still here', 5_000, from);
    expect(key.asked).toHaveLength(2);
    await hangUp(socket);
  });
});

const kept = credentialOf(identity);
test.each<[string, () => ClientCertAnswer[], (string | null)[]]>([
  [
    'a key in memory, then a signer',
    () => [kept, signedBy(bob, lateSigner(bob))],
    [identity.subject, bob.subject],
  ],
  [
    'a signer, then a key in memory',
    () => [signedBy(bob, lateSigner(bob)), kept],
    [bob.subject, identity.subject],
  ],
  [
    'a signer, then another',
    () => [signedBy(bob, lateSigner(bob)), signedBy(identity, signerOf(identity))],
    [bob.subject, identity.subject],
  ],
  [
    'a signer, nobody, the signer again',
    () => {
      const credential = new Credential(signedBy(bob, lateSigner(bob)));
      return [credential, null, credential];
    },
    [bob.subject, null, bob.subject],
  ],
])('reselectClientCert: %s', async (_what, answers, seen) => {
  const { requests, clientCertCallback } = inTurn(...answers());
  const { socket, dialogue } = await talk({ clientCertCallback, reselectClientCert: true });
  for (const subject of seen) {
    const { subject: seen } = await askBy(dialogue);
    expect(seen).toBe(subject);
    expect(socket.clientAuth.status).toBe(subject === null ? 'declined' : 'sent');
  }
  expect(requests).toHaveLength(seen.length);
  await hangUp(socket);
});

test('two requests in a row, the second before the first is signed', async () => {
  const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
  const key = heldSigner(identity);
  const { clientCertCallback } = inTurn(signedBy(identity, key));
  const { socket, dialogue } = await talkTo(proxy, { clientCertCallback });
  dialogue.say('ask');
  const first = await key.call();
  const context = Buffer.from('second');
  proxy.inject(HANDSHAKE, certificateRequest(context));
  await later(null, 20);
  expect(key.asked).toHaveLength(1);
  first.give();
  const second = await key.call(2);
  const certificates = () => proxy.clientMessages().filter(({ type }) => type === 'certificate');
  await proxy.until('the first answer', () => certificates().length > 0);
  expect(certificates()).toHaveLength(1);
  second.give();
  await proxy.until('both answers', () => certificates().length === 2);
  expect(certificates()).toMatchObject([
    { chain: [{ raw: new Credential(kept).certificate.raw }] },
    { context, chain: [{ raw: new Credential(kept).certificate.raw }] },
  ]);
  expect(await dialogue.line()).toBe('asked');
  expect((await dialogue.who()).subject).toBe(identity.subject);
  await hangUp(socket);
  await proxy.close();
});

test.each<[string, readonly SignatureScheme[] | undefined]>([
  ['that declares nothing', undefined],
  ['that declares both', ['rsa_pss_rsae_sha256', 'rsa_pss_rsae_sha512']],
])('each request may want another scheme of a signer %s', async (_what, schemes) => {
  const proxy = await TLS13Proxy.start(server.port, keyLogFile(keyLogPath));
  const key = lateSigner(bob, 10, schemes);
  // Asked once: whom the server was shown stays.
  const { clientCertCallback } = inTurn(signedBy(bob, key));
  const { socket, dialogue } = await talkTo(proxy, { clientCertCallback });
  expect((await askBy(dialogue)).subject).toBe(bob.subject);
  // rsa_pss_rsae_sha512
  proxy.inject(HANDSHAKE, certificateRequest(Buffer.from('another'), [0x0806]));
  await proxy.until(
    'both answers',
    () => proxy.clientMessages().filter(({ type }) => type === 'certificate').length === 2,
  );
  expect(key.asked.map(({ scheme }) => scheme)).toEqual([
    'rsa_pss_rsae_sha256',
    'rsa_pss_rsae_sha512',
  ]);
  await hangUp(socket);
  await proxy.close();
});

test('s_server sees the chain, by its own account', async () => {
  const { deepClient } = pki;
  const options = {
    protocol: 'TLSv1.3',
    requestCert: 'no',
    clientCa: pki.clientCasPath,
  } as const;
  await withSServer(options, async (asking) => {
    const key = lateSigner(deepClient);
    const credential = new Credential(signedBy(deepClient, key));
    const socket = dial(asking, { clientCertCallback: () => credential });
    await secured(socket.resume());
    await asking.sawClient();
    asking.type('c');
    expect(pemsOf(await asking.clientChain())).toEqual(
      pemsOf([credential.certificate, ...credential.chain]),
    );
    await asking.waitFor(/^depth=3 .*\nverify return:1$/m);
    const from = asking.output.length;
    socket.write('still here\n');
    await asking.waitFor('still here', 5_000, from);
    await hangUp(socket);
  });
});
