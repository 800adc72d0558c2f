/** The machine without I/O while a signature is waited for. */
import type { ConnectionListener, ProtocolOptions } from '../../lib/index';
import { later, PROTOCOLS, withSServer } from '../support/client';
import { loadPki } from '../support/pki';
import type { SServer } from '../support/s-server';
import { type HeldSigner, heldSigner, signedBy, signerOf } from '../support/signers';
import { tlsRecords } from '../support/tap';
import { Wire } from '../support/wire';

const pki = loadPki();
const identity = pki.clients.ec256;
const SUSPENDED = { status: 'suspended', suspension: null };

describe.each(PROTOCOLS)('%s', (protocol) => {
  async function withWire(
    more: ProtocolOptions,
    use: (wire: Wire, server: SServer) => Promise<void>,
    listener?: ConnectionListener,
  ) {
    await withSServer({ protocol, args: ['-rev'] }, async (server) => {
      const wire = new Wire(server.port, more, listener);
      try {
        await use(wire, server);
      } finally {
        wire.close();
      }
    });
  }

  /** As far as the signer; what the listener was told is counted. */
  async function signing(
    use: (it: {
      wire: Wire;
      server: SServer;
      key: HeldSigner;
      told: { times: number; within: boolean[] };
    }) => Promise<void>,
  ) {
    const key = heldSigner(identity);
    const told = { times: 0, within: [] as boolean[] };
    let operating = false;
    const listener = {
      resumed: () => {
        told.times += 1;
        told.within.push(operating);
      },
    };
    await withWire(
      { clientCertCallback: () => signedBy(identity, key) },
      async (wire, server) => {
        const result = await wire.run(() => {
          operating = true;
          const result = wire.connection.handshake();
          operating = false;
          return result;
        });
        expect(result).toEqual(SUSPENDED);
        expect(key.asked).toHaveLength(1);
        await use({ wire, server, key, told });
      },
      listener,
    );
  }

  test('every operation is suspended, with no suspension, and nothing more is drained', async () => {
    await signing(async ({ wire, key, told }) => {
      const { connection } = wire;
      for (const operation of [
        () => connection.handshake(),
        () => connection.read(Buffer.alloc(9)),
        () => connection.write(Buffer.from('x')),
        () => connection.shutdown(),
      ]) {
        expect(operation()).toEqual(SUSPENDED);
        expect(connection.drain()).toBeUndefined();
      }
      expect(connection.waiting).toBe(true);
      expect(connection.clientAuth.status).toBe('pending');
      expect(key.asked).toHaveLength(1);
      expect(told.times).toBe(0);
    });
  });

  test('what was drained before holds no Certificate', async () => {
    const key = heldSigner(identity);
    await withWire({ clientCertCallback: () => signedBy(identity, key) }, async (wire) => {
      const sent: Buffer[] = [];
      while (wire.connection.handshake().status === 'want-read') {
        const ciphertext = wire.connection.drain();
        if (ciphertext !== undefined) {
          sent.push(ciphertext);
          wire.socket.write(ciphertext);
        }
        await wire.receive();
      }
      const last = wire.connection.drain();
      if (last !== undefined) sent.push(last);
      const records = tlsRecords(Buffer.concat(sent));
      // The ClientHello, and on TLS 1.3 perhaps the change_cipher_spec that means nothing.
      expect(records.filter(({ type }) => type === 'handshake')).toHaveLength(1);
      expect(records.filter(({ type }) => type === 'application_data')).toEqual([]);
      (await key.call()).give();
      await later(null, 5);
      const next = wire.connection.handshake().status;
      expect(next).toBe(protocol === 'TLSv1.2' ? 'want-read' : 'done');
      expect(wire.connection.drain()?.includes(Buffer.from('client ec256'))).toBe(
        protocol === 'TLSv1.2',
      );
    });
  });

  test('the listener is told once, when the signature is there', async () => {
    await signing(async ({ wire, server, key, told }) => {
      key.asked[0]?.give();
      await later(null, 5);
      expect(told).toEqual({ times: 1, within: [false] });
      expect(await wire.handshake()).toEqual({ status: 'done', bytes: 0 });
      expect(wire.connection.clientAuth.status).toBe('sent');
      expect(wire.connection.write(Buffer.from('olleh\n')).status).toBe('done');
      expect(await wire.text()).toBe('hello\n');
      expect((await server.clientChain())[0]?.subject).toContain('client ec256');
      expect(told.times).toBe(1);
    });
  });

  test('the listener is told once, when the signer has failed', async () => {
    await signing(async ({ wire, key, told }) => {
      key.asked[0]?.reject(new Error('no card'));
      await later(null, 5);
      expect(told.times).toBe(1);
      const result = wire.connection.handshake();
      expect(result).toMatchObject({ status: 'failed', error: { code: 'ERR_SIGNER_FAILED' } });
      expect(wire.connection.drain()).toBeUndefined();
      // It stays so.
      expect(wire.connection.read(Buffer.alloc(9))).toEqual(result);
      expect(wire.connection.waiting).toBe(false);
      expect(wire.connection.clientAuth).toMatchObject({ status: 'failed' });
    });
  });

  test('a wrong signature fails the next operation, and nothing is drained', async () => {
    await signing(async ({ wire, key }) => {
      key.asked[0]?.settle(new Uint8Array(70));
      await later(null, 5);
      const result = wire.connection.read(Buffer.alloc(9));
      expect(result).toMatchObject({ status: 'failed', error: { code: 'ERR_SIGNATURE_INVALID' } });
      expect(wire.connection.drain()).toBeUndefined();
      expect(wire.connection.clientAuth).toMatchObject({
        status: 'failed',
        error: result.status === 'failed' && result.error,
      });
    });
  });

  test('a signature given at once is not announced', async () => {
    let told = 0;
    await withWire(
      { clientCertCallback: () => signedBy(identity, signerOf(identity)) },
      async (wire) => {
        expect((await wire.handshake()).status).toBe('done');
        expect(told).toBe(0);
      },
      { resumed: () => told++ },
    );
  });

  test('destroy() tells the signer why', async () => {
    await signing(async ({ wire, key, told }) => {
      const reason = new Error('changed my mind');
      wire.connection.destroy(reason);
      expect(key.asked[0]?.signal.reason).toBe(reason);
      expect(wire.connection.clientAuth).toMatchObject({ status: 'failed', error: reason });
      expect(wire.connection.waiting).toBe(false);
      key.asked[0]?.give();
      await later(null, 5);
      expect(told.times).toBe(0);
      expect(wire.connection.handshake()).toMatchObject({
        status: 'failed',
        error: { code: 'ERR_TLS_CONNECTION_OVER' },
      });
      expect(wire.connection.drain()).toBeUndefined();
      wire.connection.destroy();
    });
  });

  test('destroy() from within sign() fails the operation that runs', async () => {
    const reason = new Error('changed my mind');
    const key = {
      sign: () => {
        wired.connection.destroy(reason);
        return new Uint8Array(0);
      },
    };
    let wired!: Wire;
    await withWire({ clientCertCallback: () => signedBy(identity, key) }, async (wire) => {
      wired = wire;
      expect((await wire.handshake()).status).toBe('failed');
      expect(wire.connection.clientAuth).toMatchObject({ status: 'failed', error: reason });
    });
  });

  test('operations from within sign() are suspended', async () => {
    const results: unknown[] = [];
    const key = {
      sign: (data: Uint8Array, scheme: never) => {
        const { connection } = wired;
        results.push(connection.handshake(), connection.read(Buffer.alloc(9)));
        results.push(connection.write(Buffer.from('x')), connection.shutdown());
        results.push(connection.drain()?.includes('ec256'), connection.waiting);
        return signerOf(identity).sign(data, scheme, { signal: new AbortController().signal });
      },
    };
    let wired!: Wire;
    await withWire({ clientCertCallback: () => signedBy(identity, key) }, async (wire) => {
      wired = wire;
      expect((await wire.handshake()).status).toBe('done');
      expect(results.slice(0, 4)).toEqual(Array(4).fill(SUSPENDED));
      expect(results[4]).not.toBe(true);
      expect(results[5]).toBe(true);
    });
  });

  test('receiveEnd() has it fail, and tells the listener and the signer', async () => {
    await signing(async ({ wire, key, told }) => {
      wire.connection.receiveEnd();
      const { signal } = key.asked[0] as { signal: AbortSignal };
      expect(signal.aborted).toBe(true);
      expect(told.times).toBe(1);
      const result = wire.connection.handshake();
      expect(result).toMatchObject({ status: 'failed', error: { code: 'ECONNRESET' } });
      expect(signal.reason).toBe(result.status === 'failed' && result.error);
      expect(wire.connection.drain()).toBeUndefined();
      expect(wire.connection.clientAuth).toMatchObject({ status: 'failed' });
      key.asked[0]?.give();
      await later(null, 5);
      expect(wire.connection.handshake()).toEqual(result);
      expect(wire.connection.drain()).toBeUndefined();
    });
  });

  test('what arrives while it is signed is kept, whatever it is', async () => {
    await signing(async ({ wire, key }) => {
      wire.connection.receive(Buffer.from('this is no TLS at all'));
      expect(wire.connection.handshake()).toEqual(SUSPENDED);
      expect(wire.connection.unread).toBeGreaterThan(0);
      key.asked[0]?.give();
      await later(null, 5);
      const result = wire.connection.read(Buffer.alloc(9));
      expect(result.status).toBe('failed');
    });
  });
});
