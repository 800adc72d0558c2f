/** What a callback is told about the request, against what the server was told to send. */
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CertificateRequest,
  type ConnectionOptions,
  Credential,
  SUSPEND,
} from '../../lib/index';
import { explain, firstMatch } from '../../lib/select/index';
import {
  credentialOf,
  deferred,
  dial,
  hangUp,
  PROTOCOLS,
  secured,
  within,
  withSServer,
} from '../support/client';
import { startNodeServer } from '../support/node-server';
import { openssl } from '../support/openssl';
import { loadPki } from '../support/pki';

const pki = loadPki();
const credential = new Credential(credentialOf(pki.clients.ec256));
const deep = new Credential(credentialOf(pki.deepClient));
const clientB = new Credential(credentialOf(pki.clientB));

/** Looks at the request while it is pending, then declines it. */
async function withRequest(
  server: { port: number },
  look: (request: CertificateRequest) => void,
  options: ConnectionOptions = {},
) {
  const seen = deferred<CertificateRequest>();
  const socket = dial(server, {
    ...options,
    clientCertCallback: (request) => {
      look(request);
      seen.resolve(request);
      return null;
    },
  });
  await secured(socket);
  await hangUp(socket);
  return seen.promise;
}

describe.each(PROTOCOLS)('%s', (protocol) => {
  const is13 = protocol === 'TLSv1.3';

  test('phase, protocol, server name and attempt', async () => {
    await withSServer({ protocol }, async (server) => {
      await withRequest(server, (request) => {
        expect(request).toMatchObject({
          phase: 'handshake',
          protocol,
          servername: 'localhost',
          attempt: 1,
          authorized: true,
          authorizationError: null,
        });
      });
      const none = { servername: '', checkServerIdentity: () => undefined };
      await withRequest(server, (request) => expect(request.servername).toBeNull(), none);
    });
  });

  test('authorities, by name and by their very bytes', async () => {
    const roots = [pki.clientCaA, pki.clientCaB];
    await withSServer({ protocol, clientCa: pki.clientCasPath }, async (server) => {
      await withRequest(server, ({ certificateAuthorities }) => {
        const sorted = [...certificateAuthorities].sort((a, b) => (String(a) < String(b) ? -1 : 1));
        expect(sorted.map(String)).toEqual(roots.map(({ subject }) => subject));
        expect(JSON.parse(JSON.stringify(sorted))).toEqual(roots.map(({ subject }) => subject));
        expect(sorted.map(({ commonName }) => commonName)).toEqual(['Client CA A', 'Client CA B']);
        expect(sorted[0]?.attributes).toEqual([
          ['O', 'tls-client-cert tests'],
          ['CN', 'Client CA A'],
        ]);
        for (const [index, { cert }] of roots.entries()) {
          // The subject stands in the certificate byte for byte.
          expect(new X509Certificate(cert).raw.includes(sorted[index]?.der ?? 'x')).toBe(true);
        }
        const [a, b] = sorted;
        if (a === undefined || b === undefined) throw new Error('two were expected');
        expect([a.equals(a), a.equals(b)]).toEqual([true, false]);
      });
    });
  });

  test('which credentials match the authorities: directly, by their chain, or not', async () => {
    const { cert, key } = pki.deepClient;
    const leafOnly = new Credential({ cert, key });
    await withSServer({ protocol, clientCa: pki.clientCaA.certPath }, async (server) => {
      await withRequest(server, (request) => {
        const all = [credential, deep, leafOnly, clientB];
        expect(all.map((it) => request.matchesAuthorities(it))).toEqual([true, true, false, false]);
        // A certificate alone will do, whatever form it has: no key is unlocked to find what fits.
        const { clients } = pki;
        expect(request.matchesAuthorities(clients.ec256.cert)).toBe(true);
        expect(request.matchesAuthorities(new X509Certificate(clients.ec256.cert))).toBe(true);
        expect(request.matchesAuthorities(cert + pki.intermediateA2.cert)).toBe(false);
        expect(request.matchesAuthorities(cert + pki.deepClient.chain)).toBe(true);
        expect(request.matchesAuthorities(pki.clientB.cert)).toBe(false);
        expect(() => request.matchesAuthorities('alice.pem')).toThrow(
          expect.objectContaining({ code: 'ERR_CREDENTIAL_INVALID', input: 'certificate' }),
        );
        // It does not decide on what may be sent.
        expect(request.supports(clientB)).toBe(true);
      });
    });
    await withSServer({ protocol }, async (server) => {
      await withRequest(server, (request) => {
        expect(request.certificateAuthorities).toEqual([]);
        expect([credential, clientB].every((it) => request.matchesAuthorities(it))).toBe(true);
      });
    });
  });

  test('an authority that the server encodes in another way is the same one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'tls-client-cert-names-'));
    const path = (name: string) => join(folder, name);
    await writeFile(
      path('printable.cnf'),
      '[req]\nprompt = no\ndistinguished_name = subject\nstring_mask = default\n' +
        '[subject]\nO = tls-client-cert TESTS\nCN = Client  CA A\n',
    );
    const same = ['req', '-x509', '-new', '-key', pki.clientCaA.keyPath, '-days', '2'];
    await openssl([...same, '-config', 'printable.cnf', '-out', 'printable.pem'], folder);
    const clientCa = path('printable.pem');
    await withSServer({ protocol, requestCert: 'required', clientCa }, async (server) => {
      const found = deferred<unknown>();
      const pick = firstMatch([clientB, deep]);
      const socket = dial(server, {
        clientCertCallback: async (request, context) => {
          found.resolve([
            [credential, deep, clientB].map((it) => request.matchesAuthorities(it)),
            (await explain(request, [clientB, deep])).map(({ taken }) => taken),
          ]);
          return pick(request, context);
        },
      });
      await secured(socket);
      expect(await found.promise).toEqual([
        [true, true, false],
        [false, true],
      ]);
      expect(socket.clientAuth).toMatchObject({ status: 'sent', credential: deep });
      await hangUp(socket);
    });
    await rm(folder, { recursive: true });
  });

  test('signature schemes in the order of the server, and certificate types', async () => {
    const all: [string, string[], string[]][] = [
      [
        'ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA512',
        ['ecdsa_secp384r1_sha384', 'rsa_pss_rsae_sha256', 'rsa_pkcs1_sha512'],
        ['ecdsa_sign', 'rsa_sign'],
      ],
      ['ed25519:ed448', ['ed25519', 'ed448'], ['ecdsa_sign']],
      ['rsa_pss_pss_sha512:RSA+SHA256', ['rsa_pss_pss_sha512', 'rsa_pkcs1_sha256'], ['rsa_sign']],
    ];
    for (const [sigalgs, schemes, types] of all) {
      await withSServer({ protocol, args: ['-client_sigalgs', sigalgs] }, async (server) => {
        await withRequest(server, (request) => {
          expect(request.signatureSchemes).toEqual(schemes);
          expect([...request.certificateTypes].sort()).toEqual(is13 ? [] : types);
        });
      });
    }
  });

  test("the server's certificates, as it sent them", async () => {
    const args = ['-cert_chain', pki.serverCa.certPath];
    const expected = [pki.server.cert, pki.serverCa.cert];
    await withSServer({ protocol, args }, async (server) => {
      const request = await withRequest(server, ({ serverCertificates }) => {
        expect(serverCertificates.map(String)).toEqual(expected);
        expect(serverCertificates[0]?.checkHost('localhost')).toBe('localhost');
      });
      // Once read they stay.
      expect(request.serverCertificates.map(String)).toEqual(expected);
    });
  });

  test('supports() takes a credential or what makes one, and throws for what makes none', async () => {
    await withSServer({ protocol }, async (server) => {
      await withRequest(server, (request) => {
        expect(request.supports(credential)).toBe(true);
        expect(request.supports(credentialOf(pki.clients.rsa))).toBe(true);
        const { cert } = pki.clients.rsa;
        const code = (of: string) => expect.objectContaining({ code: of });
        expect(() => request.supports({ cert, key: 'none here' })).toThrow(
          code('ERR_CREDENTIAL_INVALID'),
        );
        expect(() => request.supports(null as never)).toThrow(code('ERR_INVALID_ARG_TYPE'));
      });
    });
  });

  test('it can be asked while suspended and once answered, until the connection is gone', async () => {
    await withSServer({ protocol, clientCa: pki.clientCasPath }, async (server) => {
      const asked = deferred<CertificateRequest>();
      const socket = dial(server, {
        clientCertCallback: (request) => {
          asked.resolve(request);
          return SUSPEND;
        },
      });
      socket.once('suspend', (suspension) => {
        expect(suspension.request.supports(credential)).toBe(true);
        setImmediate(() => suspension.resume(credential));
      });
      const request = await within('request', asked.promise);
      await secured(socket);
      await server.sawClient();
      expect(request.supports(credential)).toBe(true);
      await hangUp(socket);

      const over = expect.objectContaining({ code: 'ERR_TLS_CONNECTION_OVER' });
      expect(() => request.supports(credential)).toThrow(over);
      expect(() => request.serverCertificates).toThrow(over);
      // What needs no connection stays.
      expect(request.matchesAuthorities(credential)).toBe(true);
      expect(request.certificateAuthorities.map(String)).toContain(pki.clientCaA.subject);
      expect(request.signatureSchemes).toContain('ecdsa_secp256r1_sha256');
    });
  });
});

describe('names of authorities that are hard to write', () => {
  let dir: string;
  let names: { subject: string; pem: string }[];

  /** Subjects as `openssl req` takes them, and their RFC 4514 and attribute forms. */
  const SUBJECTS: [string, string, [string, string][]][] = [
    [
      '/C=DE/O=Müller, Söhne \\+ Co/CN=Größe "XL"',
      'CN=Größe \\"XL\\",O=Müller\\, Söhne \\+ Co,C=DE',
      [
        ['C', 'DE'],
        ['O', 'Müller, Söhne + Co'],
        ['CN', 'Größe "XL"'],
      ],
    ],
    [
      '/O=Card Office/CN=Nakamura 中村+serialNumber=0042',
      'CN=Nakamura 中村+serialNumber=0042,O=Card Office',
      [
        ['O', 'Card Office'],
        // DER sorts the attributes of one RDN by their encoding.
        ['serialNumber', '0042'],
        ['CN', 'Nakamura 中村'],
      ],
    ],
    [
      '/DC=org/DC=example/OU=People/OU=Staff/CN=One/CN=Two',
      'CN=Two,CN=One,OU=Staff,OU=People,DC=example,DC=org',
      [
        ['DC', 'org'],
        ['DC', 'example'],
        ['OU', 'People'],
        ['OU', 'Staff'],
        ['CN', 'One'],
        ['CN', 'Two'],
      ],
    ],
    [
      '/CN=#1 ends with a space ',
      'CN=\\#1 ends with a space\\ ',
      [['CN', '#1 ends with a space ']],
    ],
  ];

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'tls-client-cert-names-'));
    await writeFile(
      join(dir, 'openssl.cnf'),
      '[req]\ndistinguished_name = dn\nprompt = no\n[dn]\n',
    );
    names = await Promise.all(
      SUBJECTS.map(async ([subject], index) => {
        const out = `${index}.crt`;
        const key = ['-key', pki.clientCaA.keyPath];
        const args = ['req', '-x509', '-config', 'openssl.cnf', '-utf8', '-subj', subject, ...key];
        await openssl([...args, '-out', out], dir);
        return { subject, pem: await readFile(join(dir, out), 'utf8') };
      }),
    );
  });

  afterAll(() => rm(dir, { recursive: true, force: true }));

  test.each(PROTOCOLS)('%s', async (protocol) => {
    const server = await startNodeServer({
      identity: pki.server,
      ca: names.map(({ pem }) => pem),
      maxVersion: protocol,
    });
    await withRequest(server, ({ certificateAuthorities }) => {
      const texts = SUBJECTS.map(([, text]) => text);
      expect(certificateAuthorities.map(String).sort()).toEqual([...texts].sort());
      for (const authority of certificateAuthorities) {
        const found = SUBJECTS.find(([, text]) => text === String(authority));
        expect(authority.attributes).toEqual(found?.[2]);
      }
      const multiple = certificateAuthorities.find((it) => String(it).startsWith('CN=Two'));
      expect(multiple?.commonName).toBe('Two');
    });
    await server.close();
  });
});
