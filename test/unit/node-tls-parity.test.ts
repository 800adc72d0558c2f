/** docs/node-tls-parity.md has a row for all that `@types/node` declares, and each row is true. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import { type ConnectionOptions, connect, createSecureContext } from '../../lib/index';
import { readDeclaration } from '../support/declarations';
import { createPair } from '../support/pair';
import { loadPki } from '../support/pki';

const OPTIONS = [
  ['tls', 'ConnectionOptions'],
  ['tls', 'SecureContextOptions'],
  ['tls', 'CommonConnectionOptions'],
  ['tls', 'TLSSocketOptions'],
  ['net', 'TcpNetConnectOpts'],
  ['net', 'IpcNetConnectOpts'],
  ['net', 'TcpSocketConnectOpts'],
  ['net', 'IpcSocketConnectOpts'],
  ['net', 'ConnectOpts'],
  ['net', 'SocketConstructorOpts'],
] as const;

const MEMBERS = [
  ['tls', 'TLSSocket'],
  ['net', 'Socket'],
  ['stream', 'Duplex'],
  ['stream', 'Readable'],
  ['stream', 'Writable'],
  ['stream', 'Stream'],
  ['events', 'interface EventEmitter'],
] as const;

type Kind = 'methods' | 'properties' | 'events';
const declared = (from: readonly (readonly [string, string])[], kind: Kind) =>
  new Set(from.flatMap(([module, name]) => [...readDeclaration(module, name)[kind]]));

/** For whoever extends a stream, or for nobody: no part of what a socket is used by. */
const INTERNAL = /^_|captureRejectionSymbol/;

interface Row {
  readonly name: string;
  readonly status: string;
  readonly remark: string;
}

const document = readFileSync(join(__dirname, '../../docs/node-tls-parity.md'), 'utf8');

/** The rows of all tables between a heading and the next of its kind. */
function rowsUnder(heading: string): Row[] {
  const section = document.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [, name = '', status = '', remark = ''] = line.split('|').map((cell) => cell.trim());
      return { name: name.replaceAll('`', ''), status, remark };
    });
}

const sections = {
  Options: declared(OPTIONS, 'properties'),
  Methods: declared(MEMBERS, 'methods'),
  Properties: declared(MEMBERS, 'properties'),
  Events: declared(MEMBERS, 'events'),
};

describe('the declarations', () => {
  test('are read: what is well known is among them', () => {
    expect([...sections.Options]).toEqual(
      expect.arrayContaining([
        ...['ca', 'cert', 'key', 'minVersion', 'rejectUnauthorized', 'servername', 'pskCallback'],
        ...[
          'requestOCSP',
          'host',
          'port',
          'path',
          'lookup',
          'autoSelectFamily',
          'onread',
          'signal',
        ],
      ]),
    );
    expect([...sections.Methods]).toEqual(
      expect.arrayContaining([
        ...['getPeerCertificate', 'exportKeyingMaterial', 'renegotiate', 'setTimeout', 'address'],
        ...['write', 'end', 'read', 'pipe', 'destroy', 'on', 'listenerCount', 'removeAllListeners'],
        '[Symbol.asyncIterator]',
      ]),
    );
    expect([...sections.Properties]).toEqual(
      expect.arrayContaining(['authorized', 'remoteAddress', 'bytesRead', 'readableFlowing']),
    );
    expect([...sections.Events]).toEqual(
      expect.arrayContaining(['secureConnect', 'keylog', 'lookup', 'close', 'data', 'pipe']),
    );
    const counts = Object.values(sections).map((names) => names.size);
    expect(counts.map((count, i) => count >= ([50, 80, 40, 20][i] as number))).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  test('have no base that is not read', () => {
    const known = new Set([...OPTIONS, ...MEMBERS].map(([, name]) => name.split(' ').at(-1)));
    const bases = [...OPTIONS, ...MEMBERS.slice(0, -1)].flatMap(
      ([module, name]) => readDeclaration(module, name).bases,
    );
    expect(bases).toContain('net.Socket');
    expect(bases.filter((base) => !known.has(base.split('.').at(-1)))).toEqual([]);
  });
});

describe.each(Object.entries(sections))('%s', (heading, names) => {
  const rows = rowsUnder(heading);

  test('have a row each, and no row is of something else', () => {
    const wanted = [...names].filter((name) => !INTERNAL.test(name)).sort();
    expect(rows.map(({ name }) => name).sort()).toEqual(wanted);
  });

  test('are same, better or absent, and what is not the same is explained', () => {
    for (const { name, status, remark } of rows) {
      expect({ name, status }).toEqual({
        name,
        status: expect.stringMatching(/^(?:same|better|absent)$/),
      });
      if (status !== 'same') expect({ name, remark }).toEqual({ name, remark: expect.anything() });
      if (status !== 'same') expect(remark.length).toBeGreaterThan(10);
    }
  });
});

describe('what a row says is so', () => {
  const open = (options: object = {}) => {
    const socket = connect({ ...options, socket: createPair().client } as ConnectionOptions);
    socket.on('error', () => {});
    return socket;
  };

  /** A member's key, for instance the symbol of `[Symbol.asyncIterator]`. */
  function keyOf(name: string): PropertyKey {
    const [, symbol] = /^\[Symbol\.(\w+)\]$/.exec(name) ?? [];
    return symbol === undefined
      ? name
      : ((Symbol as unknown as Record<string, symbol>)[symbol] ?? name);
  }

  function isNotImplemented(socket: object, key: PropertyKey): boolean {
    if (key !== 'connect') return false;
    const connectAgain = (socket as { connect(port: number): unknown }).connect;
    expect(() => connectAgain.call(socket, 443)).toThrow(
      expect.objectContaining({ code: 'ERR_METHOD_NOT_IMPLEMENTED' }),
    );
    return true;
  }

  test('of methods and properties', () => {
    const ours = open();
    const theirs = tls.connect({ socket: createPair().client }).on('error', () => {});
    const wrong: string[] = [];
    for (const heading of ['Methods', 'Properties']) {
      for (const { name, status } of rowsUnder(heading)) {
        const key = keyOf(name);
        // Some are declared for a later version of Node than this one.
        if (!(key in theirs) && !(key in ours) && key in tls.TLSSocket.prototype === false)
          continue;
        // It may be there for the type alone.
        const present = key in ours && !isNotImplemented(ours, key);
        if (present !== (status !== 'absent')) wrong.push(`${name} is not ${status}`);
        if (heading === 'Methods' && status !== 'absent') {
          expect(typeof (ours as unknown as Record<PropertyKey, unknown>)[key]).toBe('function');
        }
      }
    }
    expect(wrong).toEqual([]);
    ours.destroy();
    theirs.destroy();
  });

  const pki = loadPki();
  const { cert, key } = pki.clients.ec256;
  /** Something for each option that is good. */
  const samples: Record<string, object> = {
    ca: { ca: pki.serverCa.cert },
    cert: { cert, key },
    key: { cert, key },
    passphrase: { passphrase: 'secret' },
    pfx: { pfx: [{ buf: pki.encodings.pfx, passphrase: pki.encodings.passphrase }] },
    crl: { crl: pki.crl },
    dhparam: { dhparam: 'auto' },
    ticketKeys: { ticketKeys: Buffer.alloc(48) },
    sessionTimeout: { sessionTimeout: 5 },
    secureProtocol: { secureProtocol: 'TLSv1_2_method' },
    minVersion: { minVersion: 'TLSv1.2' },
    maxVersion: { maxVersion: 'TLSv1.3' },
    sigalgs: { sigalgs: 'ECDSA+SHA256' },
    ciphers: { ciphers: tls.DEFAULT_CIPHERS },
    ecdhCurve: { ecdhCurve: 'X25519' },
    secureOptions: { secureOptions: 0 },
    secureContext: { secureContext: createSecureContext() },
    session: { session: Buffer.alloc(9) },
    ALPNProtocols: { ALPNProtocols: ['h2', 'http/1.1'] },
    minDHSize: { minDHSize: 2048 },
    host: { host: 'localhost' },
    servername: { servername: 'localhost' },
    sessionIdContext: { sessionIdContext: 'x' },
    localAddress: { localAddress: '127.0.0.1' },
    port: { port: 1 },
    path: { path: '/nowhere' },
    timeout: { timeout: 5 },
    localPort: { localPort: 0 },
    hints: { hints: 0 },
    family: { family: 4 },
    keepAliveInitialDelay: { keepAliveInitialDelay: 5 },
    autoSelectFamilyAttemptTimeout: { autoSelectFamilyAttemptTimeout: 500 },
    signal: { signal: new AbortController().signal },
    server: { server: {} },
    socket: {},
    onread: { onread: { buffer: Buffer.alloc(9), callback: () => true } },
    fd: { fd: 3 },
    clientCertEngine: { clientCertEngine: 'name' },
    privateKeyEngine: { privateKeyEngine: 'name' },
    privateKeyIdentifier: { privateKeyIdentifier: 'name' },
  };
  /** Options whose value is a function, or true. */
  const sampleOf = (name: string) =>
    samples[name] ?? { [name]: /Callback$|^lookup$|^check/.test(name) ? () => undefined : true };

  test.each(rowsUnder('Options').map(({ name, status }) => [name, status]))(
    'of the option %s: %s',
    (name, status) => {
      const refused = (() => {
        try {
          open(sampleOf(name)).destroy();
          return undefined;
        } catch (error) {
          return error as NodeJS.ErrnoException;
        }
      })();
      if (status === 'absent') {
        expect(refused).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
        expect(refused?.message).toContain(`options.${name}`);
      } else {
        expect(refused).toBeUndefined();
      }
    },
  );
});
