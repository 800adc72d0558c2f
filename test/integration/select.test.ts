/** `firstMatch` and `explain` against servers that name their authorities and what they take. */
import { Credential } from '../../lib/index';
import { type CredentialSource, type Explanation, explain, firstMatch } from '../../lib/select';
import {
  credentialOf,
  deferred,
  dial,
  endedBy,
  expectIdentity,
  expectNobody,
  failure,
  hangUp,
  later,
  PROTOCOLS,
  secured,
  within,
  withSServer,
} from '../support/client';
import { Issuer } from '../support/issue';
import { type Identity, loadPki } from '../support/pki';
import type { SServerOptions } from '../support/s-server';

const pki = loadPki();
const { clientB, deepClient } = pki;
const { ec256, rsa, ed25519 } = pki.clients;
const UNFIT = ['expired', 'not-yet-valid', 'for-servers', 'for-encryption'] as const;
const unfit = new Map<string, Identity>();

let issuer: Issuer;
beforeAll(async () => {
  issuer = await Issuer.create();
  const make = async (name: (typeof UNFIT)[number], more: object) =>
    unfit.set(name, await issuer.issue({ name, issuer: pki.clientCaA, ...more }));
  await Promise.all([
    make('expired', { to: '20210101000000Z' }),
    make('not-yet-valid', { from: '20480101000000Z' }),
    make('for-servers', { extensions: ['extendedKeyUsage = serverAuth'] }),
    make('for-encryption', { extensions: ['keyUsage = keyEncipherment'] }),
  ]);
});
afterAll(() => issuer.remove());

const options = (name: string) => credentialOf(unfit.get(name) ?? ec256);
const byA = { requestCert: 'required', clientCa: pki.clientCaA.certPath } as const;
const byB = { requestCert: 'required', clientCa: pki.clientCaB.certPath } as const;
const byBoth = { requestCert: 'required', clientCa: pki.clientCasPath } as const;

describe.each(PROTOCOLS)('%s', (protocol) => {
  const all = [clientB, deepClient, rsa, ec256, ed25519];
  const eddsaOnly = { ...byBoth, args: ['-client_sigalgs', 'ed25519'] };

  test.each<[string, Partial<SServerOptions>, readonly Identity[], Identity]>([
    ['the first, where both authorities will do', byBoth, all, clientB],
    ['the first, where none is named', { ...byBoth, nameClientCa: false }, all, clientB],
    ['one by the authority', byA, [clientB, ec256, rsa], ec256],
    ['one by the other authority', byB, [ec256, deepClient, clientB], clientB],
    ['one whose chain leads to the authority', byA, all, deepClient],
    ['one whose key can sign what is taken', eddsaOnly, all, ed25519],
  ])('sends %s', async (_what, server, identities, chosen) => {
    const callback = firstMatch(identities.map(credentialOf));
    await withSServer({ ...server, protocol }, async (running) => {
      const socket = await secured(dial(running, { clientCertCallback: callback }));
      await expectIdentity(running, chosen);
      await hangUp(socket);
    });
  });

  test.each(UNFIT)('passes over one that is %s', async (name) => {
    const callback = firstMatch([options(name), credentialOf(ec256)]);
    await withSServer({ ...byA, protocol }, async (server) => {
      const socket = await secured(dial(server, { clientCertCallback: callback }));
      await expectIdentity(server, ec256);
      await hangUp(socket);
    });
  });

  test('waits for a source that takes its time, and for cards one by one', async () => {
    const looked: string[] = [];
    async function* cards() {
      for (const card of [clientB, ec256, rsa]) {
        looked.push(card.name);
        yield await later(credentialOf(card));
      }
    }
    const callback = firstMatch([() => later(null), () => later([options('expired')]), cards]);
    await withSServer({ ...byA, protocol }, async (server) => {
      const socket = await secured(dial(server, { clientCertCallback: callback }));
      await expectIdentity(server, ec256);
      expect(looked).toEqual([clientB.name, ec256.name]);
      await hangUp(socket);
    });
  });

  test('a source that fails fails the connection', async () => {
    const cause = new Error('no reader');
    const callback = firstMatch([() => Promise.reject(cause), credentialOf(ec256)]);
    await withSServer({ ...byA, protocol }, async (server) => {
      const error = await failure(dial(server, { clientCertCallback: callback }));
      expect(error).toMatchObject({ code: 'ERR_CLIENT_CERT_CALLBACK' });
      expect(error.cause).toBe(cause);
    });
  });

  test('a source that does not answer is told at the deadline', async () => {
    const aborted = deferred<unknown>();
    const source: CredentialSource = (_request, { signal }) =>
      new Promise(() => {
        signal.addEventListener('abort', () => aborted.resolve(signal.reason));
      });
    await withSServer({ ...byA, protocol }, async (server) => {
      const socket = dial(server, {
        clientCertCallback: firstMatch([source]),
        clientCertTimeout: 50,
      });
      const error = await endedBy(socket);
      expect(error).toMatchObject({ code: 'ERR_CLIENT_CERT_TIMEOUT' });
      expect(await within('abort', aborted.promise)).toBe(error);
    });
  });

  describe('when nothing suits', () => {
    const sources = [credentialOf(ec256), credentialOf(rsa)];
    const optional = { ...byB, requestCert: 'optional', protocol } as const;

    test('declines', async () => {
      await withSServer(optional, async (server) => {
        const socket = await secured(dial(server, { clientCertCallback: firstMatch(sources) }));
        expect(socket.clientAuth.status).toBe('declined');
        await expectNobody(server);
        await hangUp(socket);
      });
    });

    test('fails by requireClientCert', async () => {
      await withSServer(optional, async (server) => {
        const clientCertCallback = firstMatch(sources);
        const error = await failure(dial(server, { clientCertCallback, requireClientCert: true }));
        expect(error).toMatchObject({ code: 'ERR_CLIENT_CERT_REQUIRED' });
      });
    });

    test("fails by onNoMatch: 'fail', and says why", async () => {
      await withSServer(optional, async (server) => {
        const clientCertCallback = firstMatch(sources, { onNoMatch: 'fail' });
        const error = await failure(dial(server, { clientCertCallback }));
        expect(error).toMatchObject({
          code: 'ERR_CLIENT_CERT_CALLBACK',
          message: expect.stringContaining(`the server accepts ${pki.clientCaB.subject}`),
          cause: { code: 'ERR_CLIENT_CERT_NO_MATCH' },
        });
        expect(server.clientCertificateMessageCount).toBe(0);
      });
    });

    test('leaves it to a function', async () => {
      const clientCertCallback = firstMatch(sources, {
        onNoMatch: () => later(new Credential(credentialOf(clientB))),
      });
      await withSServer(optional, async (server) => {
        const socket = await secured(dial(server, { clientCertCallback }));
        await expectIdentity(server, clientB);
        await hangUp(socket);
      });
    });
  });

  test('explain tells of each what firstMatch does with it', async () => {
    const told: Explanation[] = [];
    const args = ['-client_sigalgs', 'ECDSA+SHA256:RSA-PSS+SHA256'];
    await withSServer({ ...byA, protocol, args }, async (server) => {
      const sources = [
        credentialOf(clientB),
        ...UNFIT.map(options),
        credentialOf(ed25519),
        credentialOf(pki.rsa1024Client),
        async () => [credentialOf(deepClient)],
        credentialOf(ec256),
      ];
      const socket = dial(server, {
        // Security level 2, at which 1024 bits are too few.
        ciphers: 'DEFAULT@SECLEVEL=2',
        clientCertCallback: async (request, { signal }) => {
          told.push(...(await explain(request, sources, { signal })));
          return told.find(({ taken }) => taken)?.credential;
        },
      });
      await secured(socket);
      await expectIdentity(server, deepClient);
      await hangUp(socket);
    });
    const table = told.map(({ subject, taken, reasons }) => [
      /CN=([^,]*)/.exec(subject)?.[1],
      taken,
      ...reasons.map(({ code }) => code),
    ]);
    expect(table).toEqual([
      ['client b', false, 'wrong-authority'],
      ['expired', false, 'expired'],
      ['not yet valid', false, 'not-yet-valid'],
      ['for servers', false, 'extended-key-usage'],
      ['for encryption', false, 'key-usage'],
      ['client ed25519', false, 'no-common-scheme'],
      ['client rsa1024', false, 'key-too-small'],
      ['client deep', true, 'first-match'],
      ['client ec256', false, 'later-match'],
    ]);
  });
});

test('a signer by what it declares', async () => {
  const pkcs1Only = {
    cert: rsa.cert,
    key: { schemes: ['rsa_pkcs1_sha256'] as const, sign: () => Buffer.of() },
  };
  const callback = firstMatch([pkcs1Only, credentialOf(ec256)]);
  await withSServer({ ...byA, protocol: 'TLSv1.3' }, async (server) => {
    const socket = await secured(dial(server, { clientCertCallback: callback }));
    await expectIdentity(server, ec256);
    await hangUp(socket);
  });
});

test('a key of a type that the server does not take, on TLS 1.2', async () => {
  const args = ['-client_sigalgs', 'RSA+SHA256'];
  const codes: string[] = [];
  const sources = [credentialOf(ec256)];
  await withSServer({ protocol: 'TLSv1.2', args }, async (server) => {
    const socket = dial(server, {
      clientCertCallback: async (request) => {
        expect(request.certificateTypes).not.toContain('ecdsa_sign');
        const told = await explain(request, sources);
        codes.push(...told.flatMap(({ reasons }) => reasons.map(({ code }) => code)));
        return null;
      },
    });
    await secured(socket);
    await hangUp(socket);
  });
  expect(codes).toEqual(['certificate-type', 'no-common-scheme']);
});
