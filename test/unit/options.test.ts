/** Options of the wrong type or value are refused before a connection is opened, as node:tls does. */
import net from 'node:net';
import tls from 'node:tls';
import { binding } from '../../lib/binding';
import { type ConnectionOptions, connect, createSecureContext } from '../../lib/index';
import { loadPki } from '../support/pki';

const pki = loadPki();
const { ec256 } = pki.clients;

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
  return undefined;
}

describe('connect()', () => {
  const cases: [name: string, options: unknown, code: string][] = [
    ['servername', { servername: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['checkServerIdentity', { checkServerIdentity: 'no' }, 'ERR_INVALID_ARG_TYPE'],
    ['clientCertCallback', { clientCertCallback: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['clientCertTimeout', { clientCertTimeout: '1' }, 'ERR_INVALID_ARG_TYPE'],
    ['a negative clientCertTimeout', { clientCertTimeout: -1 }, 'ERR_OUT_OF_RANGE'],
    ['a clientCertTimeout of NaN', { clientCertTimeout: Number.NaN }, 'ERR_OUT_OF_RANGE'],
    ['a clientCertTimeout too long', { clientCertTimeout: 2 ** 31 }, 'ERR_OUT_OF_RANGE'],
    ['requireClientCert', { requireClientCert: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['socket', { socket: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['secureContext', { secureContext: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['a context of node:tls', { secureContext: tls.createSecureContext() }, 'ERR_INVALID_ARG_TYPE'],
    ['a negative timeout', { timeout: -1 }, 'ERR_OUT_OF_RANGE'],
    ['a timeout as text', { timeout: '5' }, 'ERR_INVALID_ARG_TYPE'],
    ['signal', { signal: {} }, 'ERR_INVALID_ARG_TYPE'],
    ['secureProtocol', { secureProtocol: 'TLSv9_method' }, 'ERR_TLS_INVALID_PROTOCOL_METHOD'],
    ['pskCallback', { pskCallback: 'key' }, 'ERR_INVALID_ARG_TYPE'],
    ['enableTrace', { enableTrace: 1 }, 'ERR_INVALID_ARG_TYPE'],
    ['minDHSize as text', { minDHSize: '4096' }, 'ERR_INVALID_ARG_TYPE'],
    ['minDHSize', { minDHSize: 0 }, 'ERR_OUT_OF_RANGE'],
    ['clientCertEngine', { clientCertEngine: 'pkcs11' }, 'ERR_INVALID_ARG_VALUE'],
    ['onread', { onread: { buffer: Buffer.alloc(9) } }, 'ERR_INVALID_ARG_TYPE'],
    ['fd', { fd: 3 }, 'ERR_INVALID_ARG_VALUE'],
    ['ALPNProtocols as text', { ALPNProtocols: 'h2' }, 'ERR_INVALID_ARG_TYPE'],
    ['an empty protocol name', { ALPNProtocols: [''] }, 'ERR_INVALID_ARG_VALUE'],
    ['a protocol name too long', { ALPNProtocols: ['x'.repeat(256)] }, 'ERR_INVALID_ARG_VALUE'],
    ['protocols in no wire form', { ALPNProtocols: Buffer.of(9, 1) }, 'ERR_INVALID_ARG_VALUE'],
    ['a server name too long', { servername: 'x'.repeat(256) }, 'ERR_INVALID_ARG_VALUE'],
  ];

  it.each(cases)('refuses %s', (_name, options, code) => {
    const opened = jest.spyOn(net, 'connect');
    const before = binding.live().connections;
    try {
      expect(codeOf(() => connect(options as ConnectionOptions))).toBe(code);
      expect(opened).not.toHaveBeenCalled();
      expect(binding.live().connections).toBe(before);
    } finally {
      opened.mockRestore();
    }
  });

  // As in node:tls the last thing that is looked at.
  it.each([undefined, {}, { port: undefined, path: null }])(
    'refuses %j: no port, no path',
    (none) => {
      const opened = jest.spyOn(net, 'connect');
      expect(codeOf(() => connect(none as ConnectionOptions))).toBe('ERR_MISSING_ARGS');
      expect(opened).not.toHaveBeenCalled();
      opened.mockRestore();
    },
  );

  it('refuses a listener that is no function', () => {
    expect(codeOf(() => connect({ port: 1 }, 'x' as never))).toBe('ERR_INVALID_ARG_TYPE');
  });
});

describe('createSecureContext()', () => {
  // Where node:tls throws a code of its own, so do we.
  const shared: [name: string, options: Record<string, unknown>][] = [
    ['an unknown minVersion', { minVersion: 'TLSv9' }],
    ['an unknown maxVersion', { maxVersion: 'constructor' }],
    ['a number for ciphers', { ciphers: 1 }],
    ['unknown ciphers', { ciphers: 'nonsense' }],
    ['a number for ecdhCurve', { ecdhCurve: 1 }],
    ['an unknown ecdhCurve', { ecdhCurve: 'nonsense' }],
    ['a number for sigalgs', { sigalgs: 1 }],
    ['a number for cert', { cert: 1, key: ec256.key }],
    ['a number for key', { cert: ec256.cert, key: 1 }],
    ['a number for ca', { ca: 1 }],
    ['a number for crl', { crl: 1 }],
    ['an unreadable crl', { crl: 'x' }],
    ['a number for passphrase', { passphrase: 1, cert: ec256.cert, key: ec256.key }],
  ];
  it.each(shared)('refuses %s with the code of node:tls', (_name, options) => {
    const theirs = codeOf(() => tls.createSecureContext(options as tls.SecureContextOptions));
    expect(theirs).toMatch(/^ERR_/);
    expect(codeOf(() => createSecureContext(options))).toBe(theirs);
  });

  const own: [name: string, options: Record<string, unknown>, code: string][] = [
    // node:tls takes these, and then trusts nobody, or sends nothing.
    ['an unreadable ca', { ca: ['x'] }, 'ERR_TLS_CA_INVALID'],
    ['a cert without a key', { cert: ec256.cert }, 'ERR_INVALID_ARG_VALUE'],
    ['a key without a cert', { key: ec256.key }, 'ERR_INVALID_ARG_VALUE'],
    [
      'a key of another certificate',
      { cert: ec256.cert, key: pki.otherEcClient.key },
      'ERR_CREDENTIAL_MISMATCH',
    ],
    ['unknown sigalgs', { sigalgs: 'nonsense' }, 'ERR_CRYPTO_OPERATION_FAILED'],
    [
      'versions in the wrong order',
      { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' },
      'ERR_TLS_PROTOCOL_VERSION_CONFLICT',
    ],
    ['negative secureOptions', { secureOptions: -1 }, 'ERR_OUT_OF_RANGE'],
    ['a callback that is none', { clientCertCallback: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ];
  it.each(own)('refuses %s', (_name, options, code) => {
    expect(codeOf(() => createSecureContext(options))).toBe(code);
  });
});
