/** `requireClientCert` fails every connection on which no client certificate was sent. */
import {
  type ClientCertCallback,
  type ConnectionOptions,
  Credential,
  SUSPEND,
} from '../../lib/index';
import {
  credentialOf,
  dial,
  expectIdentity,
  expectNothingRevealed,
  failure,
  hangUp,
  PROTOCOLS,
  secured,
  withSServer,
} from '../support/client';
import { loadPki } from '../support/pki';

const pki = loadPki();
const identity = pki.clients.rsa;
const { cert, key } = identity;
const credential = new Credential(credentialOf(identity));
const requireClientCert = true;

describe.each(PROTOCOLS)('%s', (protocol) => {
  test.each<[string, ConnectionOptions]>([
    ['a callback', { clientCertCallback: async () => credential }],
    ['a static certificate', { cert, key }],
  ])('is content with %s that is sent', async (_what, options) => {
    await withSServer({ protocol }, async (server) => {
      const socket = await secured(dial(server, { ...options, requireClientCert }));
      await expectIdentity(server, identity);
      await hangUp(socket);
    });
  });

  test.each<[string, ConnectionOptions]>([
    ['a callback', { clientCertCallback: async () => credential }],
    ['a static certificate', { cert, key }],
    ['nothing', {}],
  ])('refuses a server that asks for none, with %s', async (_what, options) => {
    await withSServer({ requestCert: 'no', protocol }, async (server) => {
      const error = await failure(dial(server, { ...options, requireClientCert }));
      expect(error.code).toBe('ERR_CLIENT_CERT_REQUIRED');
      expect(error.message).toContain('the server asked for none');
    });
  });

  test.each<[string, ClientCertCallback]>([
    ['at once', () => null],
    ['late', async () => undefined],
    ['by resume(null)', () => SUSPEND],
  ])('fails when the callback declines %s, and sends nothing', async (_when, callback) => {
    await withSServer({ protocol }, async (server) => {
      const socket = dial(server, { clientCertCallback: callback, requireClientCert });
      socket.on('suspend', (suspension) => suspension.resume(null));
      const error = await failure(socket);
      expect(error.code).toBe('ERR_CLIENT_CERT_REQUIRED');
      expect(error.message).toContain('declined');
      expect(socket.clientAuth).toMatchObject({ status: 'failed', error });
      await expectNothingRevealed(server);
    });
  });

  test('fails when nothing is configured', async () => {
    await withSServer({ protocol }, async (server) => {
      const socket = dial(server, { requireClientCert });
      const error = await failure(socket);
      expect(error.code).toBe('ERR_CLIENT_CERT_REQUIRED');
      expect(error.message).toContain('neither a callback nor a certificate is configured');
    });
  });
});
