/** Protocol settings by Node's names do what they do in node:tls, held side by side with it. */
import { constants } from 'node:crypto';
import tls from 'node:tls';
import { type ConnectionOptions, connect, createSecureContext } from '../../lib/index';
import { dial, failure, hangUp, secured, within } from '../support/client';
import { captureHello } from '../support/client-hello';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';

const pki = loadPki();
const { SSL_OP_NO_TLSv1_3, SSL_OP_NO_TLSv1_2, SSL_OP_NO_TICKET } = constants;

/** The same options for either client; `ca` keeps the default roots out of it. */
const common = { host: '127.0.0.1', servername: 'localhost', ca: pki.serverCa.cert } as const;

const helloOfOurs = (options: ConnectionOptions) =>
  captureHello((port) => connect({ ...common, port, ...options }).on('error', () => {}));

// The one difference in the default offer: no key exchange by RSA.
const ciphers = `${tls.DEFAULT_CIPHERS}:!kRSA`;

const helloOfNode = (options: tls.ConnectionOptions) =>
  captureHello((port) =>
    tls
      .connect({ ...common, port, ...options, ciphers: options.ciphers || ciphers })
      .on('error', () => {}),
  );

const OFFERS: [string, tls.SecureContextOptions][] = [
  ['nothing', {}],
  ['ciphers of both versions', { ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256' }],
  ['ciphers of TLS 1.3 only', { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' }],
  ['ciphers of TLS 1.2 only', { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }],
  ['ciphers of TLS 1.2 for TLS 1.3', { ciphers: 'AES128-SHA', minVersion: 'TLSv1.3' }],
  ['an excluded suite', { ciphers: 'AES128-SHA:TLS_AES_256_GCM_SHA384:!TLS_AES_128_GCM_SHA256' }],
  ['an empty list of ciphers', { ciphers: '' }],
  ['a rule of ciphers', { ciphers: 'HIGH:!aNULL:!kRSA:TLS_AES_256_GCM_SHA384' }],
  ['ciphers, some unknown', { ciphers: 'NO-SUCH:AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256' }],
  ['a security level', { ciphers: 'DEFAULT:TLS_AES_128_GCM_SHA256:@SECLEVEL=3' }],
  ['one curve', { ecdhCurve: 'P-384' }],
  ['curves in an order', { ecdhCurve: 'P-521:X25519:prime256v1' }],
  ['the curves of OpenSSL', { ecdhCurve: 'auto' }],
  ['sigalgs', { sigalgs: 'ECDSA+SHA384:RSA-PSS+SHA256:RSA+SHA512' }],
  ['sigalgs by IANA name', { sigalgs: 'rsa_pss_rsae_sha512:ed25519' }],
  ['minVersion', { minVersion: 'TLSv1.3' }],
  ['maxVersion', { maxVersion: 'TLSv1.2' }],
  ['older versions', { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }],
  ['secureProtocol', { secureProtocol: 'TLSv1_2_method' }],
  ['secureProtocol of before TLS 1.3', { secureProtocol: 'SSLv23_client_method' }],
  ['secureProtocol for all', { secureProtocol: 'TLS_method', ciphers: 'ALL:@SECLEVEL=0' }],
  [
    'an old secureProtocol',
    { secureProtocol: 'TLSv1_1_client_method', ciphers: 'ALL:@SECLEVEL=0' },
  ],
  ['what is for servers', { honorCipherOrder: true, dhparam: 'auto', sessionTimeout: 5 }],
  ['more that is for servers', { sessionIdContext: 'x', ticketKeys: Buffer.alloc(48) }],
  ['secureOptions', { secureOptions: SSL_OP_NO_TLSv1_3 | SSL_OP_NO_TICKET }],
];

test.each(OFFERS)('the offer is that of node:tls, given %s', async (_what, options) => {
  expect(await helloOfOurs(options as ConnectionOptions)).toEqual(await helloOfNode(options));
});

describe('what is agreed on', () => {
  const start = () =>
    startNodeServer({
      identity: pki.server,
      minVersion: 'TLSv1',
      ciphers: `${tls.DEFAULT_CIPHERS}:@SECLEVEL=0`,
    });

  const nodeOn = ({ port }: NodeServer, options: ConnectionOptions) =>
    tls.connect({ ...common, port, ...(options as tls.ConnectionOptions) });

  test.each<[ConnectionOptions, string, string]>([
    [{}, 'TLSv1.3', 'TLS_AES_256_GCM_SHA384'],
    [{ ciphers: 'TLS_AES_128_GCM_SHA256' }, 'TLSv1.3', 'TLS_AES_128_GCM_SHA256'],
    [{ maxVersion: 'TLSv1.2' }, 'TLSv1.2', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
    [{ ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' }, 'TLSv1.3', 'TLS_AES_256_GCM_SHA384'],
    [
      { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384', maxVersion: 'TLSv1.2' },
      'TLSv1.2',
      'ECDHE-ECDSA-AES256-GCM-SHA384',
    ],
    [{ secureOptions: SSL_OP_NO_TLSv1_3 }, 'TLSv1.2', 'ECDHE-ECDSA-AES128-GCM-SHA256'],
    [
      { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' },
      'TLSv1.1',
      'ECDHE-ECDSA-AES256-SHA',
    ],
  ])('%j: %s, %s', async (options, protocol, cipher) => {
    const server = await start();
    const socket = await secured(dial(server, options));
    expect(socket.getProtocol()).toBe(protocol);
    expect(socket.getCipher().name).toBe(cipher);
    expect(await server.sawClient()).toMatchObject({ protocol, cipher });
    const node = nodeOn(server, options);
    await new Promise((resolve, reject) =>
      node.once('secureConnect', resolve).once('error', reject),
    );
    expect(socket.getCipher()).toEqual(node.getCipher());
    node.destroy();
    await hangUp(socket);
    await server.close();
  });

  test.each<[string, ConnectionOptions]>([
    ['no version left by secureOptions', { secureOptions: SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3 }],
    ['no cipher in common', { ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2' }],
    ['no suite in common', { ciphers: 'TLS_AES_128_CCM_SHA256' }],
    ['no signature algorithm in common', { sigalgs: 'RSA+SHA256' }],
  ])('what cannot be agreed on fails with the code of node:tls: %s', async (_what, options) => {
    const server = await start();
    const error = await failure(dial(server, options));
    const node = nodeOn(server, options);
    const expected = await within(
      'error of node:tls',
      new Promise<NodeJS.ErrnoException>((resolve) => node.once('error', resolve)),
    );
    expect(error.code).toBe(expected.code);
    await server.close();
  });
});

describe('wrong values', () => {
  const codeOf = (create: () => unknown) => {
    try {
      create();
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
    return 'none';
  };

  test.each<[Record<string, unknown>]>([
    [{ ciphers: 'no-such' }],
    [{ ciphers: 'TLS_NO_SUCH' }],
    [{ ciphers: 'TLS_NO_SUCH:AES128-SHA' }],
    [{ ciphers: 'no-such:TLS_AES_128_GCM_SHA256' }],
    [{ ciphers: ':' }],
    [{ ciphers: 5 }],
    [{ ecdhCurve: 'no-such' }],
    [{ ecdhCurve: '' }],
    [{ ecdhCurve: 5 }],
    [{ sigalgs: '' }],
    [{ sigalgs: 5 }],
    [{ minVersion: 'TLSv1.4' }],
    [{ minVersion: '' }],
    [{ maxVersion: 3 }],
    [{ secureProtocol: 'no-such' }],
    [{ secureProtocol: '' }],
    [{ secureProtocol: 'SSLv2_method' }],
    [{ secureProtocol: 'SSLv3_client_method' }],
    [{ secureProtocol: 'TLSv1_2_method', minVersion: 'TLSv1.2' }],
    [{ secureProtocol: 'TLSv1_2_method', maxVersion: 'TLSv1.2' }],
    [{ secureProtocol: 'TLSv1_method', minVersion: null }],
    [{ dhparam: 5 }],
    [{ sessionIdContext: 5 }],
    [{ sessionTimeout: '5' }],
    [{ sessionTimeout: -1 }],
    [{ sessionTimeout: 1.5 }],
    [{ sessionTimeout: 2 ** 31 }],
    [{ ticketKeys: 'x'.repeat(48) }],
    [{ ticketKeys: Buffer.alloc(47) }],
    [{ ticketKeys: new DataView(new ArrayBuffer(48)) }],
    [{ secureOptions: 'x' }],
    [{ secureOptions: 1.5 }],
    [{ crl: 'none here' }],
    [{ crl: 5 }],
    [{ ca: 5 }],
    [{ ca: [null] }],
  ])('%j throws the code of node:tls', (options) => {
    const ours = codeOf(() => createSecureContext(options as never));
    expect(ours).toBe(codeOf(() => tls.createSecureContext(options as never)));
    // Some are no error in later versions of OpenSSL.
    if (ours !== 'none') expect(codeOf(() => dial({ port: 1 }, options as never))).toBe(ours);
  });

  test.each<[Record<string, unknown>, string]>([
    // Node notices at connect(), or not at all.
    [{ ciphers: 'TLS_AES_128_GCM_SHA256', maxVersion: 'TLSv1.2' }, 'ERR_SSL_NO_CIPHERS_AVAILABLE'],
    [{ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }, 'ERR_TLS_PROTOCOL_VERSION_CONFLICT'],
    [{ ca: 'none here' }, 'ERR_TLS_CA_INVALID'],
    [{ secureOptions: -1 }, 'ERR_OUT_OF_RANGE'],
    [{ secureProtocol: 5 }, 'ERR_INVALID_ARG_TYPE'],
    // Node says `invalid command`.
    [{ ciphers: 'ALL:@SECLEVEL=9' }, 'ERR_SSL_NO_CIPHER_MATCH'],
    // Node throws an error without a code.
    [{ sigalgs: 'no-such' }, 'ERR_CRYPTO_OPERATION_FAILED'],
  ])('%j throws where node:tls is less helpful', (options, code) => {
    expect(codeOf(() => createSecureContext(options as never))).toBe(code);
  });

  test.each([[null], ['options'], [5]])(
    'createSecureContext(%p) is an argument error',
    (options) => {
      expect(codeOf(() => createSecureContext(options as never))).toBe('ERR_INVALID_ARG_TYPE');
    },
  );
});
