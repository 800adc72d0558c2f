/** The examples `remote-signer.ts` and `remote-signer-server.ts`: a key behind HTTP, and what can go wrong. */
import { constants, createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RemoteSignerOptions, remoteSigner } from '../../examples/remote-signer';
import { createSigningServer } from '../../examples/remote-signer-server';
import { type ConnectionOptions, Credential, type SignatureScheme } from '../../lib/index';
import {
  deferred,
  dial,
  endedBy,
  expectIdentity,
  hangUp,
  PROTOCOLS,
  secured,
  within,
  withSServer,
} from '../support/client';
import { expectEcho, hears } from '../support/hears';
import { registerLeftover } from '../support/leftovers';
import { startNodeServer } from '../support/node-server';
import { type ClientKind, loadPki } from '../support/pki';
import { noteTimer } from '../support/timer';

const pki = loadPki();
const identity = pki.clients.ec256;
const TOKEN = 'the token of the tests';
const SCHEME = 'ecdsa_secp256r1_sha256';
const required = { requestCert: 'required', clientCa: pki.clientCasPath } as const;

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** Listens on a free port, for the test file's life; resolves with the URL. */
async function listening(server: Server): Promise<string> {
  registerLeftover(async () => {
    server.closeAllConnections();
    server.close();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const signing = (kind: ClientKind) =>
  createSigningServer(createPrivateKey(pki.clients[kind].key), TOKEN);

/** A service that does what the handler says. */
const serving = (handler: Handler) => listening(createServer(handler));

const signerAt = (url: string, more: Partial<RemoteSignerOptions> = {}) =>
  remoteSigner({ url, token: TOKEN, ...more });

const { signal } = new AbortController();
const data = Buffer.from('what the handshake was so far');

describe('the service', () => {
  test.each<[ClientKind, SignatureScheme]>([
    ['rsa', 'rsa_pkcs1_sha256'],
    ['rsa', 'rsa_pss_rsae_sha384'],
    ['rsa-pss', 'rsa_pss_pss_sha512'],
    ['ec256', 'ecdsa_secp256r1_sha256'],
    ['ec256', 'ecdsa_secp521r1_sha512'],
    ['ed25519', 'ed25519'],
    ['ed448', 'ed448'],
  ])('signs with a key of type %s under %s', async (kind, scheme) => {
    const url = await listening(signing(kind));
    const signature = await signerAt(url).sign(data, scheme, { signal });
    const key = createPublicKey(pki.clients[kind].cert);
    const pss = {
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    };
    const how = scheme.startsWith('rsa_pss') ? { key, ...pss } : key;
    expect(verify(/sha\d+$/.exec(scheme)?.[0], data, how, signature)).toBe(true);
  });

  const authorization = `Bearer ${TOKEN}`;
  test.each<[string, string, RequestInit, number]>([
    ['no token', `/sign/${SCHEME}`, { method: 'POST', body: 'x' }, 401],
    [
      'another token',
      `/sign/${SCHEME}`,
      { method: 'POST', body: 'x', headers: { authorization: `${authorization}x` } },
      401,
    ],
    ['another path', '/', { headers: { authorization } }, 404],
    ['another method', `/sign/${SCHEME}`, { headers: { authorization } }, 405],
    [
      'a scheme of another key',
      '/sign/rsa_pkcs1_sha256',
      { method: 'POST', body: 'x', headers: { authorization } },
      400,
    ],
    [
      'a hash that goes with no scheme',
      '/sign/ecdsa_secp256r1_sha1',
      { method: 'POST', body: 'x', headers: { authorization } },
      400,
    ],
    [
      'too much',
      `/sign/${SCHEME}`,
      { method: 'POST', body: Buffer.alloc(256 * 1024 + 1), headers: { authorization } },
      413,
    ],
    [
      'who knows how much',
      `/sign/${SCHEME}`,
      {
        method: 'POST',
        body: new Blob(['x']).stream(),
        duplex: 'half',
        headers: { authorization },
      } as RequestInit,
      413,
    ],
  ])('refuses %s', async (_what, path, init, status) => {
    const url = await listening(signing('ec256'));
    const response = await fetch(new URL(path, url), init);
    expect(response.status).toBe(status);
    expect(await response.text()).toBe('');
  });
});

describe('the signer says what went wrong', () => {
  const fails = async (url: string, more: Partial<RemoteSignerOptions> = {}) => {
    const error = await Promise.resolve(signerAt(url, more).sign(data, SCHEME, { signal })).then(
      () => undefined,
      (thrown: Error) => thrown,
    );
    expect(String(error?.stack)).not.toContain(more.token ?? TOKEN);
    return error?.message;
  };

  test('a wrong token', async () => {
    const url = await listening(signing('ec256'));
    expect(await fails(url, { token: 'another' })).toMatch(/does not take the token.*HTTP 401/);
  });

  test('a scheme that the key cannot', async () => {
    const url = await listening(signing('rsa'));
    expect(await fails(url)).toMatch(`cannot sign under ${SCHEME} (HTTP 400)`);
  });

  test('an error of the service, without its words', async () => {
    const url = await serving((_request, response) => {
      response.writeHead(500).end(`stack trace with ${TOKEN}`);
    });
    expect(await fails(url)).toMatch(/^the signing service at 127.0.0.1:\d+ gave no.*HTTP 500/);
  });

  test('a redirection, which is not followed', async () => {
    const elsewhere = jest.fn((_request, response) => response.end('a signature'));
    const other = await serving(elsewhere);
    const url = await serving((_request, response) => {
      response.writeHead(303, { location: other }).end();
    });
    expect(await fails(url)).toMatch(/cannot be reached/);
    expect(elsewhere).not.toHaveBeenCalled();
  });

  test('an endless answer', async () => {
    const closed = deferred();
    const url = await serving((_request, response) => {
      response.on('close', closed.resolve);
      const more = () => response.write(Buffer.alloc(1024)) && setImmediate(more);
      response.on('drain', more);
      more();
    });
    expect(await fails(url)).toMatch(/more than a signature/);
    await within('end of the answer', closed.promise);
  });

  test('an answer that does not come', async () => {
    const url = await serving(() => {});
    expect(await fails(url, { timeout: 30 })).toMatch(/no signature within 30 ms/);
  });

  test('an answer that is cut short', async () => {
    const url = await serving((_request, response) => {
      response.writeHead(200, { 'content-length': '70' }).write('x');
      response.socket?.destroySoon();
    });
    expect(await fails(url)).toMatch(/cannot be reached/);
  });

  test('nobody there', async () => {
    const server = createServer();
    const url = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await fails(url)).toMatch(/cannot be reached/);
  });

  test('that its caller gave up, as the caller said it', async () => {
    const asked = deferred();
    const closed = deferred();
    const url = await serving((_request, response) => {
      response.on('close', closed.resolve);
      asked.resolve();
    });
    const caller = new AbortController();
    const reason = new Error('the socket is gone');
    const answer = signerAt(url).sign(data, SCHEME, { signal: caller.signal });
    const ended = expect(answer).rejects.toBe(reason);
    await within('request', asked.promise);
    caller.abort(reason);
    await ended;
    await within('end of the request', closed.promise);
  });
});

/** A connection whose certificate is signed for by the service at `url`. */
function dialWith(server: { port: number }, url: string, options: ConnectionOptions = {}) {
  const credential = new Credential({ cert: identity.cert, key: signerAt(url) });
  return dial(server, { clientCertCallback: () => credential, ...options });
}

afterEach(() => jest.restoreAllMocks());

describe.each(PROTOCOLS)('%s', (protocol) => {
  test('a certificate whose key is elsewhere', async () => {
    const url = await listening(signing('ec256'));
    await withSServer({ ...required, protocol }, async (server) => {
      const socket = await secured(dialWith(server, url));
      expect(socket.clientAuth).toMatchObject({ status: 'sent', signatureScheme: SCHEME });
      await expectIdentity(server, identity);
      await hangUp(socket);
    });
  });

  test('half a second for a signature is nobody else’s', async () => {
    const OTHERS = 20;
    const events: string[] = [];
    const othersDone = deferred();
    const service = signing('ec256');
    const url = await serving(async (request, response) => {
      events.push('asked to sign');
      // However slow this machine is, the others come first; however fast, it takes its time.
      await Promise.all([sleep(500), within('others', othersDone.promise, 15_000)]);
      events.push('signing');
      service.emit('request', request, response);
    });
    const server = await startNodeServer({
      identity: pki.server,
      ca: pki.clientCaA.cert,
      minVersion: protocol,
      maxVersion: protocol,
    });
    const slow = dialWith(server, url);
    slow.once('secureConnect', () => events.push('secure'));
    const heard = hears(slow);
    slow.write('written before it was secure');
    while (!events.includes('asked to sign')) await sleep(5);

    const other = async (i: number) => {
      const { cert, key } = pki.clients.ed25519;
      const socket = await secured(dial(server, { cert, key }));
      const hearing = hears(socket);
      for (const line of [`hello from ${i}`, `and again from ${i}`]) {
        await expectEcho(socket, hearing, line);
      }
      await hangUp(socket);
      events.push('other');
    };
    await Promise.all(Array.from({ length: OTHERS }, (_, i) => other(i)));
    othersDone.resolve();

    await heard('written before it was secure');
    expect(events).toEqual([
      'asked to sign',
      ...Array.from({ length: OTHERS }, () => 'other'),
      'signing',
      'secure',
    ]);
    expect(server.connections.filter(({ authorized }) => authorized)).toHaveLength(OTHERS + 1);
    await hangUp(slow);
    await server.close();
  });

  const key = createPrivateKey(identity.key);
  test.each<[string, Handler, object]>([
    [
      'an error',
      (_request, response) => response.writeHead(500).end(),
      {
        code: 'ERR_SIGNER_FAILED',
        cause: expect.objectContaining({ message: expect.stringContaining('HTTP 500') }),
      },
    ],
    ['nothing', (_request, response) => response.end(), { code: 'ERR_SIGNATURE_INVALID' }],
    ['garbage', (_request, response) => response.end('garbage'), { code: 'ERR_SIGNATURE_INVALID' }],
    [
      'a signature of something else',
      (_request, response) => response.end(sign('sha256', Buffer.from('something else'), key)),
      { code: 'ERR_SIGNATURE_INVALID' },
    ],
  ])('%s in place of a signature fails the connection', async (_what, handler, expected) => {
    const url = await serving((request, response) => {
      request.resume();
      handler(request, response);
    });
    await withSServer({ ...required, protocol }, async (server) => {
      const error = await endedBy(dialWith(server, url));
      expect(error).toMatchObject(expected);
      await server.waitFor(/^ERROR$/m);
      expect(server.output).not.toContain('CIPHER is');
    });
  });

  test("a signature of another's key fails the connection", async () => {
    const other = createPrivateKey(pki.otherEcClient.key);
    const url = await listening(createSigningServer(other, TOKEN));
    await withSServer({ ...required, protocol }, async (server) => {
      expect(await endedBy(dialWith(server, url))).toMatchObject({ code: 'ERR_SIGNATURE_INVALID' });
    });
  });

  /** A service that never answers: resolves with the moments when it was asked, and let go. */
  async function hanging() {
    const asked = deferred();
    const letGo = deferred();
    const url = await serving((_request, response) => {
      response.on('close', letGo.resolve);
      asked.resolve();
    });
    return {
      url,
      asked: () => within('request', asked.promise),
      letGo: () => within('end of the request', letGo.promise),
    };
  }

  test('a service that does not answer is let go at the deadline', async () => {
    const { url, asked, letGo } = await hanging();
    const deadline = noteTimer(61_000);
    await withSServer({ ...required, protocol }, async (server) => {
      const socket = dialWith(server, url, { clientCertTimeout: 61_000 });
      const ended = endedBy(socket);
      await asked();
      await deadline.runOut();
      expect(await ended).toMatchObject({ code: 'ERR_CLIENT_CERT_TIMEOUT' });
      await letGo();
    });
  });

  test('a service is let go when the connection is', async () => {
    const { url, asked, letGo } = await hanging();
    await withSServer({ ...required, protocol }, async (server) => {
      const socket = dialWith(server, url);
      await asked();
      await hangUp(socket);
      await letGo();
    });
  });

  test('a service is let go when the server is gone', async () => {
    const { url, asked, letGo } = await hanging();
    await withSServer({ ...required, protocol }, async (server) => {
      const socket = dialWith(server, url);
      const ended = endedBy(socket);
      await asked();
      await server.stop();
      expect(await ended).toMatchObject({ code: 'ECONNRESET' });
      await letGo();
    });
  });
});
