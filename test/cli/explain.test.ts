/** What real failures become for a person: one line with the next step to take, and an exit code. */
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { CliError } from '../../lib/cli/cli-error';
import type { ConnectionFlags } from '../../lib/cli/connection-options';
import { explain } from '../../lib/cli/explain';
import { openConnection } from '../../lib/cli/open-connection';
import { parseTarget } from '../../lib/cli/target';
import { Credential, type CredentialOptions, type Signer } from '../../lib/index';
import { credentialOf, later, within } from '../support/client';
import { Issuer } from '../support/issue';
import { startNodeServer } from '../support/node-server';
import { type Identity, loadPki } from '../support/pki';
import { type SServerOptions, startSServer } from '../support/s-server';
import { signerOf } from '../support/signers';
import { startTap } from '../support/tap';

const pki = loadPki();

let issuer: Issuer;

beforeAll(async () => {
  issuer = await Issuer.create();
});

afterAll(() => issuer.remove());

const FLAGS: ConnectionFlags = { timeout: 10, ca: [pki.serverCa.certPath] };

/** How a connection fails, in the handshake or after it. */
async function failureAt(
  port: number,
  answer: CredentialOptions | null,
  flags: Partial<ConnectionFlags> = {},
): Promise<CliError> {
  const target = parseTarget(`localhost:${port}`);
  const { socket, secured, explain } = await openConnection(
    target,
    { ...FLAGS, ...flags },
    { clientCertCallback: async () => answer },
  );
  try {
    await secured;
    const [error] = await once(socket.resume(), 'error').catch((error: unknown) => [error]);
    return explain(error);
  } catch (error) {
    return error as CliError;
  } finally {
    socket.destroy();
  }
}

async function failureOf(
  options: Partial<SServerOptions>,
  answer: CredentialOptions | null = null,
): Promise<{ exitCode: number; message: string }> {
  const server = await startSServer({ identity: pki.server, ...options });
  const { exitCode, message } = await failureAt(server.port, answer);
  await server.stop();
  return { exitCode, message: message.replace(`localhost:${server.port}`, 'SERVER') };
}

test.each([
  ['expiredServer', 'SERVER is not trusted: its certificate, or one of its chain, has expired.'],
  ['untrustedServer', 'SERVER is not trusted: its certificate is self-signed. If you know the'],
  ['wrongNameServer', 'It is for DNS:wrong.example. Nothing'],
] as const)('%s: exit code 5, and nothing was shown', async (name, words) => {
  const { exitCode, message } = await failureOf({ identity: pki[name] });
  expect(exitCode).toBe(5);
  expect(message).toContain(words);
  expect(message).toContain('Nothing was shown to it');
});

test('a server of an authority that is not known', async () => {
  const server = await startSServer({ identity: pki.server });
  const { exitCode, message } = await failureAt(server.port, null, { ca: [pki.clientCasPath] });
  await server.stop();
  expect(exitCode).toBe(5);
  expect(message).toContain('the authority that issued its certificate is not known here. Pass it');
});

describe('what servers say to a client', () => {
  const asks = (more: Partial<SServerOptions> = {}): Partial<SServerOptions> => ({
    requestCert: 'required',
    clientCa: pki.clientCaA.certPath,
    ...more,
  });
  const of = (identity: Identity) => credentialOf(identity);
  const subject = (identity: Identity) => new Credential(of(identity)).subject;

  test.each([
    ['TLSv1.3', '(alert certificate_required)'],
    ['TLSv1.2', '(alert handshake_failure)'],
  ] as const)('that it demands a certificate, on %s', async (protocol, alert) => {
    const { exitCode, message } = await failureOf(asks({ protocol }));
    expect(exitCode).toBe(6);
    expect(message).toMatch(
      /^SERVER refused: it demands a client certificate and got none\. Give it/,
    );
    expect(message).toContain(alert);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'that it does not know the authority, on %s',
    async (protocol) => {
      const { exitCode, message } = await failureOf(asks({ protocol }), of(pki.clientB));
      expect(exitCode).toBe(6);
      expect(message).toMatch(
        /^SERVER refused: it does not trust the authority of the client certificate/,
      );
      expect(message).toContain(`It was shown ${subject(pki.clientB)}.`);
    },
  );

  test('that it has expired', async () => {
    const to = '20210101000000Z';
    const expired = await issuer.issue({ name: 'expired', issuer: pki.clientCaA, to });
    const { exitCode, message } = await failureOf(asks(), of(expired));
    expect(exitCode).toBe(6);
    expect(message).toContain('the client certificate has expired. Have it renewed');
  });

  test('that it is not meant for clients', async () => {
    const extensions = ['extendedKeyUsage = serverAuth'];
    const wrong = await issuer.issue({ name: 'for-servers', issuer: pki.clientCaA, extensions });
    const { exitCode, message } = await failureOf(asks(), of(wrong));
    expect(exitCode).toBe(6);
    expect(message).toMatch(/\(alert (unsupported_certificate|certificate_unknown)\)/);
  });
});

test('a server that goes while its question is open', async () => {
  const server = await startNodeServer({ identity: pki.server });
  const target = parseTarget(`localhost:${server.port}`);
  const { secured } = await openConnection(target, FLAGS, {
    clientCertCallback: () => {
      server.hangUp();
      return new Promise<never>(() => {});
    },
  });
  await expect(secured).rejects.toMatchObject({
    exitCode: 3,
    message: expect.stringContaining('it did not wait for the answer any longer'),
  });
  await server.close();
});

test('the wait for an answer does not count to --timeout', async () => {
  const server = await startNodeServer({ identity: pki.server });
  const target = parseTarget(`localhost:${server.port}`);
  const flags = { ...FLAGS, timeout: 1 };
  const { secured, socket } = await openConnection(target, flags, {
    clientCertCallback: () => new Promise((resolve) => setTimeout(resolve, 1300, null)),
  });
  await expect(secured).resolves.toBeUndefined();
  socket.destroy();
  await server.close();
});

/** On TLS 1.3 the handshake is over on this side with the signature. */
test.each(['its signature', 'an answer'])(
  'after %s the time for the network goes on',
  async (by) => {
    const server = await startNodeServer({ identity: pki.server, maxVersion: 'TLSv1.2' });
    const tap = await startTap(server.port);
    const hushed = <T>(value: T) => {
      tap.hush();
      return value;
    };
    const credential = credentialOf(pki.clients.ec256);
    const { sign } = signerOf(credential);
    const slow: Signer = { sign: async (...args) => hushed(await later(sign(...args), 700)) };
    const answer = by === 'an answer' ? credential : { ...credential, key: slow };
    const target = parseTarget(`localhost:${tap.port}`);
    const { socket, secured } = await openConnection(
      target,
      { ...FLAGS, timeout: 0.5 },
      { clientCertCallback: async () => (by === 'an answer' ? hushed(answer) : answer) },
    );
    await expect(within('time-out', secured, 3000)).rejects.toMatchObject({
      exitCode: 3,
      message: expect.stringContaining('did not answer within 0.5 s'),
    });
    expect(socket.clientAuth.status).toBe('sent');
    await tap.close();
    await server.close();
  },
);

test('a server that does not go by the name it was asked for', async () => {
  const { certPath, keyPath } = pki.server;
  const other = ['-servername', 'other.example', '-servername_fatal'];
  const args = [...other, '-cert2', certPath, '-key2', keyPath];
  const { exitCode, message } = await failureOf({ identity: pki.server, args });
  expect(exitCode).toBe(4);
  expect(message).toBe(
    'SERVER does not know the name that it was asked for (alert unrecognized_name). Give the one that it goes by, with --servername.',
  );
});

test.each([
  ['EAI_AGAIN', 'The name host.example cannot be looked up at present'],
  ['ENETUNREACH', 'There is no way to host.example:443 from here (ENETUNREACH)'],
  ['ETIMEDOUT', 'host.example:443 does not answer'],
])('a network that fails by %s', (code, words) => {
  // As Node makes them.
  const error = Object.assign(new Error(`connect ${code}`), { code, syscall: 'connect' });
  const { exitCode, message } = explain(error, { target: parseTarget('host.example') });
  expect([exitCode, message]).toEqual([3, expect.stringContaining(words)]);
});

test('a file that cannot be read, by its name', async () => {
  const error = await readFile('/nowhere/at.all').catch((error: unknown) => error);
  expect(explain(error)).toMatchObject({
    exitCode: 8,
    message: '/nowhere/at.all cannot be read: there is no such file.',
  });
});

test.each([
  ['ERR_CREDENTIAL_PASSPHRASE', 8],
  ['ERR_PKCS11_PIN', 8],
  ['ERR_STORE_UNREADABLE', 8],
  ['ERR_PKCS11_URI', 2],
  ['ERR_PKCS11_OBJECT', 7],
  ['ERR_CLIENT_CERT_NO_MATCH', 7],
])('%s ends with %d, in the words of the library', (code, exitCode) => {
  const error = Object.assign(new Error('What it said.'), { code });
  expect(explain(error)).toMatchObject({ code, exitCode, message: 'What it said.', cause: error });
});

test('Ctrl-C at a prompt is 130', () => {
  const error = Object.assign(new Error('User force closed'), { name: 'ExitPromptError' });
  expect(explain(error)).toMatchObject({ exitCode: 130, message: 'Interrupted.' });
});

test.each([new Error('Odd.'), 'odd', undefined])('what nobody expects is 1: %p', (thrown) => {
  expect(explain(thrown)).toMatchObject({
    exitCode: 1,
    message: expect.stringContaining('NODE_DEBUG=tls-client-cert'),
  });
});
