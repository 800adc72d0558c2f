/**
 * Every option with values of every kind, given to `node:tls` and to this package: what Node refuses is refused by
 * the same code, with the option's name; where ours refuses more, or otherwise, the table says it and why.
 */
import type { TcpNetConnectOpts } from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { type ConnectionOptions, connect, createSecureContext } from '../../lib/index';
import { pki } from './stream-helpers';

const VALUES = {
  undefined: undefined,
  null: null,
  false: false,
  true: true,
  '0': 0,
  '5': 5,
  '-1': -1,
  NaN: Number.NaN,
  '5n': 5n,
  "''": '',
  "'x'": 'x',
  '{}': {},
  '[]': [],
  '[5]': [5],
  '[null]': [null],
  function: () => undefined,
  symbol: Symbol('x'),
  Buffer: Buffer.from('x'),
} as const;
type Kind = keyof typeof VALUES;
const KINDS = Object.keys(VALUES) as Kind[];
/** The rows are for Node 20; later versions have come closer here and there. */
const MAJOR = Number.parseInt(process.versions.node, 10);
const FALSY: Kind[] = ['false', '0', 'NaN', "''"];

/** How ours answers another way than Node does. */
interface Difference {
  readonly kinds: readonly Kind[];
  /** Of ours; undefined: it takes the value. */
  readonly code: string | undefined;
}
/** What stands beside an option, for both. */
interface Row {
  readonly beside?: object;
  readonly differences?: readonly Difference[];
  /** Node's process dies of these. */
  readonly deadly?: readonly Kind[];
  /** What its errors call it, where not by its name. */
  readonly called?: string;
}

const TYPE = 'ERR_INVALID_ARG_TYPE';
const VALUE = 'ERR_INVALID_ARG_VALUE';
const RANGE = 'ERR_OUT_OF_RANGE';
const all = (...but: Kind[]) => KINDS.filter((kind) => !but.includes(kind));
const differ = (code: string | undefined, ...kinds: Kind[]): Difference => ({ code, kinds });

/** Where Node takes whatever is falsy for nothing: `false` and `0` are no value that an option has. */
const noNothing = (...more: Kind[]): Row => ({ differences: [differ(TYPE, ...FALSY, ...more)] });
/** Where Node's own error has no code, or another, and ours has the usual one. */
const typed = (...kinds: Kind[]): Difference => differ(TYPE, ...kinds);

/** Refused at all, but for `false`, which asks for nothing. */
const refused = (...more: Difference[]): Row => ({
  differences: [differ(VALUE, ...all('undefined', 'null', 'false')), ...more],
});

/** Node looks at some options when it has begun to connect: its error would then be nobody's. */
const beside = { lookup: () => {} };

/** Of servers; a client reads none of them. */
type OfServers = 'isServer' | 'server' | 'requestCert' | 'SNICallback' | 'ALPNCallback';
type ContextOption = Exclude<keyof tls.SecureContextOptions, OfServers> | 'allowPartialTrustChain';
const CONTEXT: Record<ContextOption, Row> = {
  // An authority that cannot be read would leave the server unverified, or verified by others.
  ca: {
    differences: [typed('false', '0', 'NaN'), differ('ERR_TLS_CA_INVALID', "''", "'x'", 'Buffer')],
  },
  // With the key that belongs to it, so that it is the certificate that is wrong.
  cert: {
    beside: { key: pki.clientB.key },
    differences: [
      typed('false', '0', 'NaN'),
      differ(VALUE, 'undefined', 'null', '[]'),
      differ('ERR_CREDENTIAL_INVALID', "''", "'x'", 'Buffer'),
    ],
  },
  key: {
    beside: { cert: pki.clientB.cert },
    differences: [
      typed('false', '0', 'NaN'),
      differ(VALUE, 'undefined', 'null', '[]'),
      differ('ERR_CREDENTIAL_INVALID', "''", "'x'", 'Buffer'),
    ],
  },
  pfx: {
    differences: [
      typed(...all('undefined', 'null', '[]', 'Buffer')),
      differ('ERR_CREDENTIAL_INVALID', 'Buffer'),
    ],
  },
  passphrase: { differences: [typed(...all('undefined', 'null', "''", "'x'", 'Buffer'))] },
  crl: {},
  ciphers: {},
  // null stands for the default, as with every other option.
  ecdhCurve: { differences: [differ(undefined, 'null')] },
  sigalgs: { differences: [differ('ERR_CRYPTO_OPERATION_FAILED', "'x'")] },
  minVersion: {
    called: 'minimum TLS protocol version',
    differences: [differ('ERR_TLS_INVALID_PROTOCOL_VERSION', '5n')],
  },
  maxVersion: {
    called: 'maximum TLS protocol version',
    differences: [differ('ERR_TLS_INVALID_PROTOCOL_VERSION', '5n')],
  },
  secureOptions: {
    differences: [typed('false', "''"), differ(RANGE, '-1', 'NaN')],
  },
  secureProtocol: {
    called: 'method',
    differences: [typed(...all('undefined', 'null', "''", "'x'"))],
  },
  allowPartialTrustChain: {},
  dhparam: {},
  honorCipherOrder: {},
  sessionIdContext: {},
  sessionTimeout: {},
  ticketKeys: {},
  clientCertEngine: refused(differ(undefined, 'false')),
  privateKeyEngine: refused(),
  // Node refuses it without an engine by the same code.
  privateKeyIdentifier: { differences: [differ(undefined, 'false')] },
};

/** These have rows of their own elsewhere, with what they do. */
type Elsewhere = 'minDHSize' | 'pskCallback' | 'requestOCSP' | 'enableTrace';
type ConnectOption =
  | Exclude<keyof tls.ConnectionOptions, ContextOption | Elsewhere | OfServers>
  | Exclude<keyof TcpNetConnectOpts, keyof tls.ConnectionOptions>
  | 'allowHalfOpen'
  | 'highWaterMark'
  | 'path';
const CONNECT: Record<ConnectOption, Row> = {
  host: { differences: [typed('false', '0', 'NaN', 'symbol')] },
  port: { called: 'Port' },
  path: { differences: [typed('false', '0', 'NaN')] },
  socket: { differences: [typed(...all('undefined', 'null'))] },
  // Node's own is another library's, and named so.
  secureContext: { differences: [typed(...all('undefined', 'null'))] },
  servername: { beside, differences: [typed('false', '0', 'NaN', 'symbol')] },
  session: { beside, ...noNothing(...(MAJOR < 22 ? [] : (["'x'"] as const))) },
  ALPNProtocols: {
    differences: [
      typed(...all('undefined', 'null', '[]', '[5]', 'Buffer')),
      differ(VALUE, 'Buffer'),
    ],
    deadly: ['[null]', 'Buffer'],
  },
  checkServerIdentity: {
    differences: [
      differ(undefined, 'undefined', 'null'),
      typed(...all('undefined', 'null', 'function')),
    ],
  },
  rejectUnauthorized: {},
  timeout: { called: 'msecs', differences: [typed('false', "''"), differ(RANGE, 'NaN')] },
  signal: noNothing(),
  lookup: {},
  family: {},
  hints: {},
  localAddress: { called: 'IP address' },
  localPort: {},
  autoSelectFamily: {},
  autoSelectFamilyAttemptTimeout: {},
  noDelay: {},
  keepAlive: {},
  // tls.connect() has no use for it; net.connect() refuses the same.
  keepAliveInitialDelay: {
    differences: [
      typed(...all('undefined', 'null', '0', '5', '-1', 'NaN')),
      differ(undefined, ...(MAJOR < 24 ? [] : (['null'] as const))),
    ],
  },
  allowHalfOpen: {},
  highWaterMark: { called: 'HighWaterMark' },
  // What is none would be passed over, and no data come.
  onread: { differences: [typed(...all('undefined', 'null'))] },
  // Passed over by tls.connect(), which connects to `port` then.
  fd: refused(),
  readable: {},
  writable: {},
} as Record<ConnectOption, Row>;

interface Outcome {
  readonly code: string | undefined;
  readonly message: string;
  readonly threw: boolean;
}

function outcome(make: () => unknown): Outcome {
  try {
    const made = make();
    if (made instanceof Duplex) made.on('error', () => {}).destroy();
    return { threw: false, code: undefined, message: '' };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { threw: true, code, message };
  }
}

const tables: [string, Record<string, Row>, (o: object) => unknown, (o: object) => unknown][] = [
  [
    'createSecureContext()',
    CONTEXT,
    (options) => createSecureContext(options),
    (options) => tls.createSecureContext(options),
  ],
  [
    'connect()',
    CONNECT,
    (options) => connect({ port: 1, host: 'localhost', ...options } as ConnectionOptions),
    (options) => tls.connect({ port: 1, host: 'localhost', ...options } as tls.ConnectionOptions),
  ],
];

describe.each(tables)('%s', (_, rows, ours, node) => {
  test.each(Object.keys(rows))('%s', (name) => {
    const { beside = {}, differences = [], deadly = [], called = name } = rows[name] as Row;
    const different: string[] = [];
    const answers: string[] = [];
    const declared = differences.flatMap(({ code, kinds }) => kinds.map((k) => `${k}: ${code}`));
    for (const kind of KINDS) {
      const options = { ...beside, [name]: VALUES[kind] };
      const our = outcome(() => ours(options));
      const its = deadly.includes(kind) ? undefined : outcome(() => node(options));
      const same = its !== undefined && our.threw === its.threw && our.code === its.code;
      // What net.connect() refuses without a code is refused so on both sides.
      if (our.threw && !(same && our.code === undefined)) {
        expect({ kind, code: our.code }).toEqual({ kind, code: expect.stringMatching(/^ERR_/) });
        // By its name, or that of the one that is missing beside it.
        const names = [name, called, ...Object.keys(beside)];
        const named = names.some((part) => our.message.includes(part));
        expect({ kind, message: our.message, named }).toMatchObject({ named: true });
        expect(our.message).not.toContain(pki.clientB.key);
      }
      answers.push(`${kind}: ${our.code}`);
      if (!same) different.push(`${kind}: ${our.code}`);
    }
    if (MAJOR === 20) expect(different.sort()).toEqual(declared.sort());
    expect(declared).toEqual(expect.arrayContaining(different));
    expect(answers).toEqual(expect.arrayContaining(declared));
  });
});

test('what stands for nothing is taken by every option of ours, too', () => {
  const own: (keyof ConnectionOptions)[] = [
    ...(['clientCertCallback', 'clientCertTimeout', 'requireClientCert', 'credential'] as const),
    ...(['postHandshakeAuth', 'reselectClientCert', 'sessionCredential', 'transport'] as const),
  ];
  for (const name of own) {
    for (const nothing of [undefined, null]) {
      const { threw, message } = outcome(() => connect({ port: 1, [name]: nothing }));
      expect({ name, threw, message }).toEqual({ name, threw: false, message: '' });
    }
  }
});

test.each<[keyof ConnectionOptions, string, Kind[]]>([
  ['clientCertCallback', TYPE, all('undefined', 'null', 'function')],
  ['clientCertTimeout', TYPE, all('undefined', 'null', '0', '5', '-1', 'NaN')],
  ['clientCertTimeout', RANGE, ['-1', 'NaN']],
  ['requireClientCert', TYPE, all('undefined', 'null', 'true', 'false')],
  ['postHandshakeAuth', TYPE, all('undefined', 'null', 'true', 'false')],
  ['reselectClientCert', TYPE, all('undefined', 'null', 'true', 'false')],
  ['sessionCredential', TYPE, all('undefined', 'null')],
  ['transport', VALUE, all('undefined', 'null')],
])('%s is refused by %s', (name, code, kinds) => {
  for (const kind of kinds) {
    const refused = outcome(() => connect({ port: 1, [name]: VALUES[kind] }));
    expect({ kind, ...refused }).toEqual({
      kind,
      threw: true,
      code,
      message: expect.stringContaining(`options.${name}`),
    });
  }
});
