/** Servers that pass for good only by accident: none of them may see the client's certificate. */
import tls from 'node:tls';
import type { ConnectionOptions } from '../../lib/index';
import { Credential } from '../../lib/index';
import { dial, failure, hangUp, secured, withSServer } from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';

const pki = loadPki();
const credential = new Credential(pki.clients.ec256);

describe('a server whose key exchange is RSA, which proves nothing before it is answered', () => {
  const rsaOnly = {
    identity: pki.serverRsa,
    protocol: 'TLSv1.2',
    requestCert: 'required',
    args: ['-cipher', 'AES256-GCM-SHA384'],
  } as const;

  test('is not spoken to by default, and nobody is asked', async () => {
    await withSServer(rsaOnly, async (server) => {
      const clientCertCallback = jest.fn(() => credential);
      const error = await failure(dial(server, { clientCertCallback }));
      expect(error).toMatchObject({ alert: 'handshake_failure' });
      expect(clientCertCallback).not.toHaveBeenCalled();
      expect(server.clientCertificateMessageCount).toBe(0);
    });
  });

  test('is spoken to by who names such a cipher', async () => {
    await withSServer(rsaOnly, async (server) => {
      const options = { ciphers: 'AES256-GCM-SHA384', clientCertCallback: () => credential };
      const socket = await secured(dial(server, options));
      expect(socket.clientAuth.status).toBe('sent');
      await hangUp(socket);
    });
  });
});

describe('rejectUnauthorized', () => {
  test.each([[0], [''], [Number.NaN], [null], [undefined], ['false'], [true]])(
    '%p does not turn it off',
    async (rejectUnauthorized) => {
      const server = await startNodeServer({ identity: pki.untrustedServer });
      const clientCertCallback = jest.fn(() => credential);
      const options = { rejectUnauthorized, clientCertCallback } as unknown as ConnectionOptions;
      expect(await failure(dial(server, options))).toMatchObject({
        code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
      });
      expect(clientCertCallback).not.toHaveBeenCalled();
      await server.close();
    },
  );
});

describe('checkServerIdentity', () => {
  test('that a program put in place of the default one is asked every time', async () => {
    const server = await startNodeServer({ identity: pki.server });
    await hangUp(await secured(dial(server)));
    const roots: unknown[] = [];
    const replaced = jest.spyOn(tls, 'checkServerIdentity').mockImplementation((_name, leaf) => {
      // As a policy that pins an authority would.
      roots.push((leaf as tls.DetailedPeerCertificate).issuerCertificate?.subject.CN);
      return roots.length === 1 ? undefined : new Error('the policy says no');
    });
    try {
      await hangUp(await secured(dial(server)));
      expect((await failure(dial(server))).message).toBe('the policy says no');
      expect(roots).toEqual([expect.any(String), expect.any(String)]);
    } finally {
      replaced.mockRestore();
      await server.close();
    }
  });

  test('that changes what it is given changes it for nobody else', async () => {
    const server = await startNodeServer({ identity: pki.server });
    const original = tls.checkServerIdentity;
    const meddling = jest.spyOn(tls, 'checkServerIdentity').mockImplementation((name, leaf) => {
      const error = original(name, leaf);
      leaf.subjectaltname = 'DNS:wrong.example';
      leaf.subject.CN = 'wrong.example';
      return error;
    });
    try {
      await hangUp(await secured(dial(server)));
      await hangUp(await secured(dial(server)));
      expect(meddling).toHaveBeenCalledTimes(2);
    } finally {
      meddling.mockRestore();
      await server.close();
    }
  });

  test('that answers late is refused, with what it should do', async () => {
    const server = await startNodeServer({ identity: pki.server });
    const checkServerIdentity = (async () => undefined) as never;
    expect(await failure(dial(server, { checkServerIdentity }))).toMatchObject({
      code: 'ERR_TLS_CHECK_SERVER_IDENTITY',
      message: expect.stringContaining('at once'),
    });
    await server.close();
  });
});
