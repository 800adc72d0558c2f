/** What is told of a server's certificate, and what is found wrong with it, beside what node:tls says of the same. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { connect } from '../../lib/index';
import { failure } from '../support/client';
import { Issuer } from '../support/issue';
import { startNodeServer } from '../support/node-server';
import type { Identity } from '../support/pki';
import { clients, next, pki, to } from './stream-helpers';

const NAMED = 'subjectAltName = DNS:localhost';

let issuer: Issuer;
beforeAll(async () => {
  issuer = await Issuer.create();
});
afterAll(() => issuer.remove());

async function seen(identity: Identity) {
  const server = await startNodeServer({ identity });
  const told = await Promise.all(
    (['ours', 'node'] as const).map(async (name) => {
      const socket = clients[name]({ ...to(server.port, 'TLSv1.3'), rejectUnauthorized: false });
      await next(socket, 'secureConnect');
      const { authorized, authorizationError } = socket;
      const certificate = socket.getPeerCertificate();
      socket.destroy();
      return { authorized, authorizationError, certificate };
    }),
  );
  await server.close();
  expect(told[0]).toEqual(told[1]);
  return told[0];
}

test('where its issuer is to be found', async () => {
  const access = [
    'OCSP;URI:http://ocsp.example/',
    'caIssuers;URI:http://ca.example/1',
    'caIssuers;URI:http://ca.example/2',
  ];
  const extensions = [NAMED, `authorityInfoAccess = ${access.join(', ')}`];
  const identity = await issuer.issue({ name: 'access', issuer: pki.serverCa, extensions });
  expect(await seen(identity)).toMatchObject({
    authorized: true,
    certificate: {
      infoAccess: {
        'OCSP - URI': ['http://ocsp.example/'],
        'CA Issuers - URI': ['http://ca.example/1', 'http://ca.example/2'],
      },
    },
  });
});

test.each([
  ['CERT_NOT_YET_VALID', { from: '20480101000000Z' }],
  ['INVALID_PURPOSE', { extensions: [NAMED, 'extendedKeyUsage = clientAuth'] }],
])('%s', async (code, order) => {
  const extensions = [NAMED];
  const name = code.toLowerCase();
  const identity = await issuer.issue({ name, issuer: pki.serverCa, extensions, ...order });
  expect(await seen(identity)).toMatchObject({ authorized: false, authorizationError: code });
});

test('issued by a server', async () => {
  const order = {
    name: 'no-ca',
    issuer: pki.serverCa,
    extensions: ['basicConstraints = CA:FALSE'],
  };
  const between = await issuer.issue(order);
  const leaf = await issuer.issue({ name: 'under', issuer: between, extensions: [NAMED] });
  const identity = { ...leaf, cert: `${leaf.cert}\n${between.cert}` };
  expect(await seen(identity)).toMatchObject({
    authorized: false,
    authorizationError: 'INVALID_PURPOSE',
  });
});

describe('a server without a certificate', () => {
  const ciphers = 'AECDH-AES128-SHA:@SECLEVEL=0';
  let server: tls.Server;
  let options: object;
  const clientCertCallback = jest.fn();
  beforeAll(async () => {
    server = tls.createServer({ ciphers, maxVersion: 'TLSv1.2' });
    server.on('tlsClientError', () => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    options = { port, ciphers, maxVersion: 'TLSv1.2', clientCertCallback };
  });
  afterAll(() => server.close());

  test('is nobody, and refused', async () => {
    expect(await failure(connect(options))).toMatchObject({
      code: 'ERR_TLS_NO_SERVER_CERTIFICATE',
    });
    expect(clientCertCallback).not.toHaveBeenCalled();
  });

  test('is nobody, but let pass where anybody may be', async () => {
    const socket = connect({ ...options, rejectUnauthorized: false });
    await next(socket, 'secureConnect');
    expect(socket.authorized).toBe(false);
    expect(socket.authorizationError).toBe('ERR_TLS_NO_SERVER_CERTIFICATE');
    expect(socket.getPeerCertificate()).toEqual({});
    socket.destroy();
  });
});
