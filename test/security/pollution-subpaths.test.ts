/** What is on `Object.prototype` is no option of the subpaths' either, nor of what goes beyond `connect()`. */
import { verify, type webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { createConnection } from '../../lib/agents/http2';
import { Agent } from '../../lib/agents/https';
import { type ConnectParameters, connector } from '../../lib/agents/undici';
import { Credential, connect, type SignatureScheme, type TLSSocket } from '../../lib/index';
import { type CredentialSource, explain, firstMatch } from '../../lib/select';
import { openPkcs11, Pkcs11Uri } from '../../lib/signers/pkcs11/index';
import { modulePath } from '../../lib/signers/pkcs11/module';
import { webCryptoSigner } from '../../lib/signers/webcrypto';
import { mysqlStream, type StartTlsProtocol, upgrade } from '../../lib/starttls';
import { credentialOf, hangUp, within } from '../support/client';
import { mysqlGreeting } from '../support/mysql-greeting';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { polluted } from '../support/polluted';
import { requestByHand } from '../support/request-by-hand';

const pki = loadPki();
const ca = pki.serverCa.cert;
const { ec256, rsa } = pki.clients;
const alice = new Credential(credentialOf(ec256));
const { signal } = new AbortController();

describe('tls-client-cert/select', () => {
  const chosen = async (sources: readonly CredentialSource[]) =>
    firstMatch(sources)(requestByHand(), { signal });

  test('nobody else decides when nothing suits', async () => {
    expect(await polluted({ onNoMatch: () => alice }, () => chosen([]))).toBeNull();
  });

  test('nobody else says what time it is, or that it is over', async () => {
    const names = { now: () => new Date('1990-01-01'), signal: AbortSignal.abort() };
    await polluted(names, async () => {
      expect(await chosen([alice])).toBe(alice);
      const [told] = await explain(requestByHand(), [() => alice]);
      expect(told?.taken).toBe(true);
    });
  });

  test.each(['cert', 'pfx'])(
    'a list that was found is no credential because of %s',
    async (name) => {
      await polluted({ [name]: rsa.cert }, async () => {
        expect(await chosen([() => [alice]])).toBe(alice);
        await expect(chosen([() => ({}) as never])).rejects.toMatchObject({
          code: 'ERR_INVALID_ARG_TYPE',
        });
      });
    },
  );
});

describe('tls-client-cert/pkcs11', () => {
  const names = {
    module: '/nowhere/evil.so',
    modulePath: '/nowhere/evil.so',
    moduleName: 'evil',
    pinSource: '/etc/hostname',
    slotId: 7,
    type: 'data',
    id: 'x',
    token: 'another',
    object: 'another',
  };

  test('a URI has the attributes that were written', async () => {
    await polluted(names, () => {
      const uri = Pkcs11Uri.parse('pkcs11:token=card');
      expect(uri.toString()).toBe('pkcs11:token=card');
      expect(uri.hasPin).toBe(false);
      const { token, object, slotId, modulePath: path } = uri.attributes;
      expect([token, object, slotId, path]).toEqual(['card', undefined, undefined, undefined]);
      expect(new Pkcs11Uri({}).toString()).toBe('pkcs11:');
    });
    await polluted({ pinValue: '1234' }, () => {
      const uri = Pkcs11Uri.parse('pkcs11:token=card');
      expect([uri.hasPin, Pkcs11Uri.pinValueOf(uri)]).toEqual([false, undefined]);
    });
  });

  test('no module is loaded that nobody named', async () => {
    await polluted(names, async () => {
      expect(() => modulePath(Pkcs11Uri.parse('pkcs11:'))).toThrow(/no "module-path"/);
      await expect(openPkcs11('pkcs11:')).rejects.toMatchObject({
        code: 'ERR_PKCS11_URI',
        input: 'module-path',
      });
    });
  });

  test('attributes of a class are attributes', () => {
    class Card {
      get token() {
        return 'card';
      }
    }
    expect(new Pkcs11Uri(new Card()).toString()).toBe('pkcs11:token=card');
  });
});

describe('Credential.fromStore()', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tcc-pollution-'));
  const uri = join(folder, 'store.pem');
  beforeAll(() => writeFileSync(uri, ec256.cert + ec256.key));
  afterAll(() => rmSync(folder, { recursive: true }));

  test('no provider is loaded that nobody named, and nothing else is said', async () => {
    const names = {
      providers: ['/nowhere/evil'],
      propertyQuery: 'provider=evil',
      cert: rsa.cert,
      chain: 'no certificate',
      schemes: ['none'],
      passphrase: 7,
      signal: AbortSignal.abort(),
    };
    const opened = await polluted(names, () => Credential.fromStore(uri));
    expect(opened.subject).toBe(ec256.subject);
    expect(opened.chain).toEqual([]);
  });

  test('each option is read once', async () => {
    const reads = new Map<PropertyKey, number>();
    const options = new Proxy<object>(
      { cert: ec256.cert, providers: ['default'] },
      {
        get(target, name, receiver) {
          reads.set(name, (reads.get(name) ?? 0) + 1);
          return Reflect.get(target, name, receiver);
        },
      },
    );
    await Credential.fromStore(uri, options);
    expect([...reads].filter(([, count]) => count > 1)).toEqual([]);
    expect(reads.get('providers')).toBe(1);
  });
});

describe('tls-client-cert/webcrypto', () => {
  const { subtle } = globalThis.crypto;
  const KINDS: [SignatureScheme, webcrypto.AlgorithmIdentifier][] = [
    ['ecdsa_secp256r1_sha256', { name: 'ECDSA', namedCurve: 'P-256' } as webcrypto.Algorithm],
    ['ed25519', 'Ed25519'],
    ['ed448', 'Ed448'],
  ];

  test.each(KINDS)('%s is signed as it is, and nothing is added', async (scheme, algorithm) => {
    const pair = (await subtle.generateKey(algorithm, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const data = Buffer.from('data');
    // A key for a context is another key's, as RFC 8032 has it.
    const names = { context: Buffer.from('evil'), schemes: ['rsa_pkcs1_sha256'] };
    const signature = await polluted(names, async () => {
      const signer = webCryptoSigner(pair.privateKey);
      expect(signer.schemes).toContain(scheme);
      return signer.sign(data, scheme, { signal });
    });
    const spki = Buffer.from(await subtle.exportKey('spki', pair.publicKey));
    const key = { key: spki, format: 'der', type: 'spki' } as const;
    expect(verify(scheme.startsWith('ed') ? null : 'sha256', data, key, signature)).toBe(true);
  });
});

describe('tls-client-cert/starttls', () => {
  let heard = '';
  let server: net.Server;
  const sockets = new Set<net.Socket>();
  beforeEach(async () => {
    heard = '';
    server = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        heard += chunk;
        if (/^EHLO .*\r\n$/.test(heard)) socket.write('250 STARTTLS\r\n');
        if (heard.endsWith('STARTTLS\r\n')) socket.write('220 go\r\n');
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await new Promise((closed) => server.close(closed));
  });
  const portOf = () => (server.address() as AddressInfo).port;

  test('upgrade() says what it says to everybody', async () => {
    server.on('connection', (socket) => socket.write('220 hello\r\n'));
    const onGreeting = jest.fn();
    const names = { name: 'another', timeout: -1, signal: AbortSignal.abort(), onGreeting };
    const socket = net.connect({ port: portOf(), host: '127.0.0.1' });
    await once(socket, 'connect');
    await polluted(names, () => upgrade('smtp', socket));
    socket.destroy();
    expect(heard).toMatch(/^EHLO (?!another)/);
    expect(onGreeting).not.toHaveBeenCalled();
    // A name of Object's is no protocol.
    const unknown = upgrade('constructor' as StartTlsProtocol, new PassThrough());
    await expect(unknown).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  });

  test('mysqlStream() connects to where it was told', async () => {
    server.on('connection', (socket) => socket.write(mysqlGreeting(0x0200)));
    const error = await polluted({ path: '/nowhere' }, async () => {
      const stream = mysqlStream({ host: '127.0.0.1', port: portOf(), ca });
      const [failed] = await within(
        'error',
        once(stream, 'error').catch((error) => [error]),
      );
      return failed;
    });
    expect(error.code).toBe('ERR_STARTTLS_REFUSED');
  });
});

describe('agents', () => {
  let server: NodeServer;
  beforeAll(async () => {
    server = await startNodeServer({ identity: pki.server, ALPNProtocols: ['h2', 'http/1.1'] });
  });
  afterAll(() => server.close());
  const secure = (socket: TLSSocket) => within('secureConnect', once(socket, 'secureConnect'));

  test('keep sessions as they were told', async () => {
    await polluted({ maxCachedSessions: -1, resumeAnswers: 'yes' }, () => {
      new Agent().destroy();
      connector();
    });
  });

  test('http2: the place is the one that was given', async () => {
    const names = { protocol: 'http:', hostname: 'wrong.example', host: 'wrong.example', port: 1 };
    const socket = await polluted(names, () => {
      const authority = Object.assign(Object.create({}), { port: server.port });
      return createConnection({ ca })({ ...authority, hostname: '127.0.0.1' });
    });
    await secure(socket);
    await hangUp(socket);
  });

  test('undici: so is it there', async () => {
    const names = {
      socketPath: '/nowhere',
      servername: 'wrong.example',
      httpSocket: new PassThrough(),
    };
    const parameters = { hostname: '127.0.0.1', protocol: 'https:', port: String(server.port) };
    const socket = await polluted(names, () =>
      within(
        'connection',
        new Promise<net.Socket>((resolve, reject) => {
          connector({ ca })(parameters as ConnectParameters, (error, connected) =>
            error === null ? resolve(connected) : reject(error),
          );
        }),
      ),
    );
    await hangUp(socket as unknown as TLSSocket);
  });

  test('onread is complete, or an error', async () => {
    await polluted({ buffer: Buffer.alloc(8), callback: () => true }, () => {
      expect(() => connect({ port: server.port, onread: {} as never })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
      );
    });
  });
});
