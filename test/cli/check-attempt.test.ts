/** What servers say to an identity, as `check --try` finds it out: in process, because there are many. */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { attempt, type Outcome } from '../../lib/cli/check/attempt';
import { type Chain, judge } from '../../lib/cli/check/judge';
import { atRequest, type Look } from '../../lib/cli/check/look';
import { saidBy } from '../../lib/cli/check/words';
import { findIdentities, type Identity } from '../../lib/cli/identities';
import { parseTarget } from '../../lib/cli/target';
import { Credential } from '../../lib/index';
import { credentialOf, PROTOCOLS, withSServer } from '../support/client';
import { makeFolder } from '../support/identity-files';
import { type NodeServer, type NodeServerOptions, startNodeServer } from '../support/node-server';
import { openssl } from '../support/openssl';
import { loadPki } from '../support/pki';
import type { SServerOptions } from '../support/s-server';

const pki = loadPki();
const { clients, clientB, clientCaA, deepClient, server } = pki;
const me = new Credential(credentialOf(clients.ec256));
const other = new Credential(credentialOf(clientB));
const aServer = new Credential(credentialOf(server));

interface Listening {
  readonly port: number;
}

function look({ port }: Listening, options: Partial<Look> & { timeout?: number } = {}): Look {
  const { timeout = 5, ...rest } = options;
  return {
    target: parseTarget(`localhost:${port}`),
    flags: { ca: [pki.serverCa.certPath], timeout },
    path: undefined,
    signal: new AbortController().signal,
    ...rest,
  };
}

async function withNodeServer(
  options: Omit<NodeServerOptions, 'identity'>,
  use: (nodeServer: NodeServer) => Promise<void>,
): Promise<void> {
  const nodeServer = await startNodeServer({ identity: server, ca: clientCaA.cert, ...options });
  try {
    await use(nodeServer);
  } finally {
    await nodeServer.close();
  }
}

describe.each(PROTOCOLS)('%s', (protocol) => {
  test.each<[string, string, Credential, Partial<SServerOptions>]>([
    ['by an unknown authority', 'unknown_ca', other, { clientCa: clientCaA.certPath }],
    ['for servers', 'unsupported_certificate', aServer, { clientCa: pki.serverCa.certPath }],
    [
      'whose revocation cannot be looked up',
      'unknown_ca',
      me,
      { clientCa: clientCaA.certPath, args: ['-crl_check'] },
    ],
  ])('refused: one %s', async (_, alert, credential, options) => {
    await withSServer({ requestCert: 'required', protocol, ...options }, async (sServer) => {
      expect(await attempt(look(sServer), credential)).toEqual({ is: 'refused', alert });
      // Nor is a response waited for that does not come.
      expect(await attempt(look(sServer, { path: '/' }), credential)).toEqual({
        is: 'refused',
        alert,
      });
    });
  });

  test('refused: a server that closes without a word', async () => {
    const options = { minVersion: protocol, maxVersion: protocol, rejectUnauthorized: true };
    await withNodeServer(options, async (nodeServer) => {
      expect(await attempt(look(nodeServer), other)).toEqual({ is: 'refused', alert: null });
    });
  });

  test('not asked', async () => {
    await withSServer({ requestCert: 'no', protocol }, async (sServer) => {
      expect(await attempt(look(sServer), me)).toEqual({ is: 'not-asked', status: null });
    });
  });

  test('failed: a server that is not trusted', async () => {
    await withSServer({ protocol }, async (sServer) => {
      const failed = await attempt(look(sServer, { flags: { timeout: 5 } }), me);
      expect(failed).toMatchObject({ is: 'failed', error: { exitCode: 5 } });
      expect(sServer.clientCertificateMessageCount).toBe(0);
    });
  });
});

describe('on TLS 1.3, accepted by', () => {
  test('a ticket for the next time', async () => {
    await withSServer({ clientCa: clientCaA.certPath, protocol: 'TLSv1.3' }, async (sServer) => {
      const evidence = { by: 'ticket' };
      expect(await attempt(look(sServer), me)).toEqual({ is: 'accepted', evidence });
    });
  });

  test('silence', async () => {
    const options = { protocol: 'TLSv1.3', args: ['-num_tickets', '0'] } as const;
    await withSServer(options, async (sServer) => {
      const evidence = { by: 'silence', ms: 1000 };
      expect(await attempt(look(sServer, { timeout: 1 }), me)).toEqual({
        is: 'accepted',
        evidence,
      });
    });
  });

  test('what it says', async () => {
    const options = { protocol: 'TLSv1.3', args: ['-num_tickets', '0'] } as const;
    await withSServer(options, async (sServer) => {
      const outcome = attempt(look(sServer), me);
      await sServer.sawClient();
      sServer.type('220 hello');
      expect(await outcome).toEqual({ is: 'accepted', evidence: { by: 'data' } });
    });
  });

  test('a handshake that is complete, on TLS 1.2', async () => {
    await withSServer({ clientCa: clientCaA.certPath, protocol: 'TLSv1.2' }, async (sServer) => {
      const evidence = { by: 'handshake' };
      expect(await attempt(look(sServer), me)).toEqual({ is: 'accepted', evidence });
    });
  });
});

describe('a request by HTTP', () => {
  const nginxSays =
    '<html><center><h1>400 Bad Request</h1></center>\n<center>The SSL certificate error</center></html>';
  const answered = (status: number): Outcome => ({
    is: 'accepted',
    evidence: { by: 'http', status },
  });
  const denied = (status: number, bySsl = false): Outcome => ({ is: 'denied', status, bySsl });

  test.each<[string, Outcome]>([
    ['HTTP/1.1 200 OK\r\n\r\nhello', answered(200)],
    ['HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.0 404 No\r\n\r\n', answered(404)],
    ['HTTP/1.1 401 Who\r\nContent-Length: 2\r\n\r\nhm', answered(401)],
    ['HTTP/1.1 403 Forbidden\r\n\r\n', denied(403)],
    ['HTTP/1.1 496 Certificate\r\n\r\n', denied(496, true)],
    [`HTTP/1.1 400 Bad Request\r\n\r\n${nginxSays}`, denied(400, true)],
    [`HTTP/1.1 400 Bad Request\r\n\r\n${'x'.repeat(20_000)}`, answered(400)],
    ['HTTP/1.1 200', answered(200)],
    ['SSH-2.0-hello\r\n', { is: 'accepted', evidence: { by: 'data' } }],
    ['', { is: 'refused', alert: null }],
  ])('answer %#', async (answer, outcome) => {
    const onConnection: NodeServerOptions['onConnection'] = (socket) =>
      void socket.once('data', () => socket.end(answer));
    await withNodeServer({ onConnection }, async (nodeServer) => {
      expect(await attempt(look(nodeServer, { path: '/' }), me)).toEqual(outcome);
    });
  });

  const head = 'HTTP/1.1 400 Bad Request\r\nContent-Length: 25\r\n\r\n';

  /** Longer than a test may take: who waits in vain fails. */
  const forever = 60;

  test.each<[string, Outcome, (socket: TLSSocket) => void]>([
    [
      'is read no further than needed',
      answered(200),
      (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n'),
    ],
    [
      'is read as far as it says that it goes, if it is an error',
      denied(400, true),
      (socket) => {
        socket.write(head);
        setTimeout(() => socket.write('The SSL certificate error'), 50);
      },
    ],
    [
      'is cut short',
      denied(403),
      (socket) => socket.write('HTTP/1.1 403 Forbidden\r\n\r\nYou', () => socket.destroy()),
    ],
  ])('whose answer %s', async (_, outcome, answer) => {
    const onConnection = (socket: TLSSocket) => void socket.once('data', () => answer(socket));
    await withNodeServer({ onConnection }, async (nodeServer) => {
      const about = look(nodeServer, { path: '/', timeout: forever });
      expect(await attempt(about, me)).toEqual(outcome);
    });
  });

  test('goes to the path, by the name of the host, over HTTP/1.1', async () => {
    let heard = '';
    const onConnection: NodeServerOptions['onConnection'] = (socket) =>
      void socket.on('data', (bytes) => {
        heard += bytes.toString();
        socket.end('HTTP/1.1 204 Fine\r\n\r\n');
      });
    await withNodeServer(
      { onConnection, ALPNProtocols: ['h2', 'http/1.1'] },
      async (nodeServer) => {
        const outcome = await attempt(look(nodeServer, { path: '/members?x=1' }), me);
        expect(outcome).toEqual(answered(204));
        expect(heard).toMatch(/^GET \/members\?x=1 HTTP\/1\.1\r\nHost: localhost:\d+\r\n/);
        expect(nodeServer.connections[0]?.alpnProtocol).toBe('http/1.1');
      },
    );
  });

  test('is not waited for beyond the timeout', async () => {
    await withNodeServer({ onConnection: () => {} }, async (nodeServer) => {
      const outcome = await attempt(look(nodeServer, { path: '/', timeout: 1 }), me);
      expect(outcome).toEqual({ is: 'accepted', evidence: { by: 'silence', ms: 1000 } });
    });
  });
});

test('a look at the request ends with it, and with what was thrown there', async () => {
  await withSServer({ requestCert: 'required' }, async (sServer) => {
    const protocol = await atRequest(look(sServer), (request) => request.protocol);
    expect(protocol).toBe('TLSv1.3');
    const oops = new Error('oops');
    const judging = atRequest(look(sServer), () => {
      throw oops;
    });
    await expect(judging).rejects.toBe(oops);
  });
});

test('an identity that nothing can be said of does not keep others from being judged', async () => {
  const folder = makeFolder({ 'ok.pem': clients.ec256.cert + clients.ec256.key });
  const run = (...args: string[]) => openssl(args, folder.path);
  // A key that agrees and does not sign; encrypted, so that nothing of it can be tried.
  const secret = ['-aes256', '-pass', 'pass:secret'];
  await run('genpkey', '-algorithm', 'X25519', ...secret, '-out', 'odd.key');
  const pem = await run('pkey', '-in', 'odd.key', '-passin', 'pass:secret', '-pubout');
  folder.write({ 'odd.pub': pem });
  const authority = ['-CA', clientCaA.certPath, '-CAkey', clientCaA.keyPath];
  const request = [
    '-new',
    '-newkey',
    'ed25519',
    '-noenc',
    '-keyout',
    'any.key',
    '-subj',
    '/CN=odd',
  ];
  await run('req', ...request, '-out', 'odd.csr');
  const forced = ['x509', '-req', '-in', 'odd.csr', '-force_pubkey', 'odd.pub'];
  await run(...forced, ...authority, '-out', 'odd.crt');
  const { identities } = await findIdentities([folder.file('odd.crt'), folder.file('ok.pem')]);
  folder.remove();
  expect(identities).toHaveLength(2);
  await withSServer({ requestCert: 'required' }, async (sServer) => {
    const verdicts = await atRequest(look(sServer), (asked) =>
      identities.map((one) => judge(asked, one, new Map())),
    );
    expect(verdicts).toMatchObject([
      { sent: 'unknown', error: { exitCode: 8, code: 'ERR_CREDENTIAL_INVALID' } },
      { sent: 'yes' },
    ]);
  });
});

test('Ctrl-C ends it', async () => {
  await withNodeServer({ onConnection: () => {} }, async (nodeServer) => {
    const controller = new AbortController();
    const outcome = attempt(look(nodeServer, { path: '/', signal: controller.signal }), me);
    await nodeServer.sawClient();
    const stop = new Error('stop');
    controller.abort(stop);
    await expect(outcome).rejects.toBe(stop);
  });
});

describe('in words', () => {
  let identity: Identity;
  let certificate: X509Certificate;

  beforeAll(async () => {
    const { identities } = await findIdentities([deepClient.certPath]);
    identity = identities[0] as Identity;
    certificate = identity.certificate as X509Certificate;
  });

  const complete: Chain = { is: 'complete', path: ['client deep'], of: 'Client CA A' };
  const incomplete: Chain = { is: 'incomplete', path: ['client deep'], issuer: 'Middle' };
  const open: Chain = { is: 'open', path: ['client deep'], issuer: 'Middle' };
  const lists = {
    phase: 'handshake',
    protocol: 'TLSv1.3',
    authorities: ['CN=A', 'CN=B', 'CN=C', 'CN=D'],
  } as const;
  const listsNone = { ...lists, authorities: [] };
  const said = (outcome: Outcome, chain: Chain = complete) =>
    saidBy(
      outcome,
      { identity, certificate, sent: 'yes', reasons: [], listed: true, chain },
      chain.is === 'open' ? listsNone : lists,
    );

  test.each([
    ['unknown_ca', complete, /ask its administrator whether it still trusts that authority/],
    [
      'unknown_ca',
      incomplete,
      /Ask its administrator to trust Middle\. .* put the certificate of Middle behind the own in .*client-deep\.crt\. Or use .*: CN=A; CN=B; CN=C; and 1 more\.$/,
    ],
    ['unknown_ca', open, /^Ask its administrator to trust Middle\..*client-deep\.crt\.$/],
    ['bad_certificate', complete, /clientAuth/],
    ['bad_certificate', incomplete, /The chain ends at Middle/],
    ['unsupported_certificate', complete, /issued for clients/],
    ['certificate_revoked', complete, /^Have Client Intermediate A2 issue a new one\.$/],
    ['certificate_expired', complete, /^Have Client Intermediate A2 issue a new one; .* clocks/],
    ['certificate_unknown', complete, /log/],
    ['certificate_required', complete, /authority that it lists/],
    ['access_denied', complete, /allow client deep\.$/],
    ['decrypt_error', complete, /key does not belong/],
    ['handshake_failure', incomplete, /The chain ends at Middle/],
    ['insufficient_security', complete, /log/],
    ['internal_error', complete, /log/],
    [null, complete, /log/],
  ] as const)('refused, alert %s, chain %#', (alert, chain, next) => {
    const words = said({ is: 'refused', alert }, chain);
    expect(words.said).toMatch(alert === null ? /^refused: .*without a word/ : `(alert ${alert})`);
    expect(words.said).toMatch(/^refused: [a-z].*[^.]$/);
    expect(words.next).toMatch(next);
    expect(words.next).toMatch(/^[A-Z].*\.$/);
  });

  test.each([200, 302, 400, 401, 404, 421, 500, 502])('HTTP %i is accepted', (status) => {
    const { said: what, next } = said({ is: 'accepted', evidence: { by: 'http', status } });
    expect(what).toBe(`accepted: HTTP ${status}`);
    expect(next === null).toBe(status <= 400);
  });

  test('refused by HTTP for what can be seen from here', () => {
    const reasons = [{ code: 'expired', message: 'It expired on May 1.' }] as const;
    const verdict = { identity, certificate, sent: 'no', listed: true, chain: complete } as const;
    const outcome = { is: 'denied', status: 400, bySsl: true } as const;
    expect(saidBy(outcome, { ...verdict, reasons }, lists).next).toBe(
      'It expired on May 1. Have Client Intermediate A2 issue a new one.',
    );
    expect(said(outcome).next).toMatch(/whether it still trusts that authority/);
  });

  test('one that was not asked for', () => {
    expect(said({ is: 'not-asked', status: 204 })).toEqual({
      said: 'it did not ask for a certificate this time, and answered with HTTP 204',
      next: expect.stringContaining('--path'),
    });
  });
});
