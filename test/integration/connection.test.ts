/** The machine without I/O, driven by hand over a socket of the test's own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  Connection,
  type ConnectionListener,
  Credential,
  type ProtocolOptions,
  SUSPEND,
  type TLSClientCertError,
} from '../../lib/index';
import { deferred, PROTOCOLS, within, withSServer } from '../support/client';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { Wire } from '../support/wire';

const pki = loadPki();
const alice = new Credential(pki.clients.ec256);
const options = { host: 'localhost', ca: pki.serverCa.cert };

async function withWire(
  server: Parameters<typeof withSServer>[0],
  more: ProtocolOptions,
  use: (wire: Wire, server: Parameters<Parameters<typeof withSServer>[1]>[0]) => Promise<void>,
  listener?: ConnectionListener,
): Promise<void> {
  await withSServer(server, async (running) => {
    const wire = new Wire(running.port, more, listener);
    try {
      await use(wire, running);
    } finally {
      wire.close();
    }
  });
}

describe.each(PROTOCOLS)('a connection without I/O, %s', (protocol) => {
  it('hands over the suspension, and goes on where it was', async () => {
    let attempts = 0;
    const clientCertCallback = () => {
      attempts++;
      return SUSPEND;
    };
    await withWire({ protocol, args: ['-rev'] }, { clientCertCallback }, async (wire, server) => {
      const first = await wire.handshake();
      expect(first).toMatchObject({ status: 'suspended', suspension: { attempt: 1 } });
      if (first.status !== 'suspended') return;
      // Every operation says the same, with the same suspension; none reaches the callback.
      for (const operation of [
        () => wire.connection.handshake(),
        () => wire.connection.read(Buffer.alloc(9)),
        () => wire.connection.write(Buffer.from('x')),
        () => wire.connection.shutdown(),
      ]) {
        const again = operation();
        expect(again.status === 'suspended' && again.suspension).toBe(first.suspension);
        expect(wire.send()).toBe(0);
      }
      expect(attempts).toBe(1);
      first.suspension?.resume();
      const second = await wire.handshake();
      expect(second).toMatchObject({ status: 'suspended', suspension: { attempt: 2 } });
      if (second.status === 'suspended') second.suspension?.resume(alice);
      expect(await wire.handshake()).toEqual({ status: 'done', bytes: 0 });
      expect(wire.connection).toMatchObject({
        authorized: true,
        authorizationError: null,
        clientAuth: { status: 'sent', credential: alice },
        servername: 'localhost',
        alpnProtocol: false,
        destroyed: false,
      });
      expect(wire.connection.getProtocol()).toBe(protocol);
      expect(wire.connection.handshake()).toEqual({ status: 'done', bytes: 0 });
      expect(wire.connection.write(Buffer.from('olleh\n'))).toEqual({ status: 'done', bytes: 6 });
      expect(await wire.text()).toBe('hello\n');
      expect((await server.clientChain())[0]?.subject).toContain('client ec256');
      expect(wire.connection.shutdown()).toEqual({ status: 'done', bytes: 0 });
      expect(() => wire.connection.write(Buffer.from('late'))).toThrow(
        expect.objectContaining({ code: 'ERR_STREAM_WRITE_AFTER_END' }),
      );
      wire.send();
    });
  });

  it('tells when a promise is settled, never from within an operation', async () => {
    const answer = deferred<Credential>();
    let within_ = false;
    const resumed = deferred<boolean>();
    const listener = { resumed: () => resumed.resolve(within_) };
    const more = { clientCertCallback: () => answer.promise };
    const server = { protocol, args: ['-rev'] };
    await withWire(
      server,
      more,
      async (wire) => {
        const result = await wire.run(() => {
          within_ = true;
          const result = wire.connection.handshake();
          within_ = false;
          return result;
        });
        expect(result).toEqual({ status: 'suspended', suspension: null });
        answer.resolve(alice);
        expect(await within('resumed', resumed.promise)).toBe(false);
        expect((await wire.handshake()).status).toBe('done');
        expect(wire.connection.clientAuth.status).toBe('sent');
      },
      listener,
    );
  });

  it('does not announce an answer that came at once', async () => {
    let told = 0;
    const listener = { resumed: () => told++ };
    const more = { clientCertCallback: () => alice };
    await withWire(
      { protocol, args: ['-rev'] },
      more,
      async (wire) => {
        expect((await wire.handshake()).status).toBe('done');
        expect(told).toBe(0);
      },
      listener,
    );
  });

  it('fails with the error that the socket would have, and with its alert', async () => {
    await withWire(
      { protocol, clientCa: pki.clientCaA.certPath },
      { ca: pki.clientCaB.cert },
      async (wire, server) => {
        const result = await wire.handshake();
        expect(result).toMatchObject({
          status: 'failed',
          error: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' },
        });
        await server.waitFor('unknown ca');
        // It stays so.
        for (const operation of [
          () => wire.connection.handshake(),
          () => wire.connection.read(Buffer.alloc(9)),
          () => wire.connection.write(Buffer.from('x')),
          () => wire.connection.shutdown(),
        ]) {
          expect(operation()).toEqual(result);
        }
      },
    );
  });

  it('says that the server closed', async () => {
    const server = await startNodeServer({
      identity: pki.server,
      maxVersion: protocol,
      // Not within 'secureConnection': Node would forget close_notify.
      onConnection: (socket) => void setImmediate(() => socket.end('bye')),
    });
    const wire = new Wire(server.port, {});
    expect((await wire.handshake()).status).toBe('done');
    expect(await wire.text()).toBe('bye');
    expect(await wire.text()).toBe('closed');
    expect(await wire.text()).toBe('closed');
    const destroying = () => {
      wire.connection.destroy();
      return Buffer.alloc(9);
    };
    expect(wire.connection.read(destroying)).toMatchObject({
      status: 'failed',
      error: { code: 'ERR_TLS_CONNECTION_OVER' },
    });
    wire.close();
    await server.close();
  });

  it('names the alert that a server left behind over an open question', async () => {
    await withWire({ protocol }, { clientCertCallback: () => SUSPEND }, async (wire) => {
      const result = await wire.handshake();
      if (result.status !== 'suspended' || result.suspension === null) throw new Error('not asked');
      const { suspension } = result;
      // What is no record makes s_server send an alert and close.
      wire.socket.write('this is no TLS at all');
      while (!suspension.signal.aborted) await wire.receive();
      const ended = wire.connection.handshake();
      expect(ended.status).toBe('failed');
      const error = ended.status === 'failed' ? (ended.error as TLSClientCertError) : undefined;
      expect(error?.alert).toMatch(
        /^(protocol_version|record_overflow|bad_record_mac|unexpected_message)$/,
      );
      expect(suspension.signal.reason).toBe(error);
      expect(wire.send()).toBe(0);
      expect(() => suspension.resume(alice)).toThrow(
        expect.objectContaining({ code: 'ERR_SUSPENSION_SPENT' }),
      );
      expect(wire.connection.clientAuth).toMatchObject({ status: 'failed', error });
    });
  });

  it('is over with destroy(), and says why to whoever still waits', async () => {
    await withWire({ protocol }, { clientCertCallback: () => SUSPEND }, async (wire) => {
      const result = await wire.handshake();
      if (result.status !== 'suspended' || result.suspension === null) throw new Error('not asked');
      const reason = new Error('changed my mind');
      wire.connection.destroy(reason);
      expect(result.suspension.signal.reason).toBe(reason);
      expect(wire.connection.destroyed).toBe(true);
      expect(wire.connection.clientAuth).toMatchObject({ status: 'failed', error: reason });
      expect(wire.connection.handshake()).toMatchObject({
        status: 'failed',
        error: { code: 'ERR_TLS_CONNECTION_OVER' },
      });
      wire.connection.receive(Buffer.from('late'));
      wire.connection.receiveEnd();
      expect(wire.connection.drain()).toBeUndefined();
      wire.connection.destroy();
    });
  });

  it('gives sessions to who asks for them, and resumes one', async () => {
    const sessions: Buffer[] = [];
    const listener = { session: (session: Buffer) => void sessions.push(session) };
    await withSServer({ protocol, requestCert: 'no', args: ['-rev'] }, async (server) => {
      const wire = new Wire(server.port, {}, listener);
      await wire.handshake();
      wire.connection.write(Buffer.from('olleh\n'));
      expect(await wire.text()).toBe('hello\n');
      // What came together with data is told of by the next operation that reads.
      expect(wire.connection.read(Buffer.alloc(9)).status).toBe('want-read');
      wire.close();
      expect(sessions.length).toBeGreaterThan(0);
      const again = new Wire(server.port, { session: sessions[0] });
      expect((await again.handshake()).status).toBe('done');
      expect(again.connection.isSessionReused()).toBe(true);
      expect(again.connection.clientAuth).toEqual({
        status: 'resumed',
        requested: false,
        sent: false,
        credential: null,
      });
      again.close();
    });
  });
});

test('a renegotiation is told of once', async () => {
  let times = 0;
  const listener = { renegotiated: () => times++ };
  const server = { protocol: 'TLSv1.2', requestCert: 'no' } as const;
  await withWire(
    { ...server, args: ['-client_renegotiation', '-rev'] },
    {},
    async (wire) => {
      await wire.handshake();
      expect(wire.connection.renegotiate()).toBeUndefined();
      wire.send();
      // -rev answers lines: the first comes behind the handshake.
      const target = Buffer.alloc(100);
      while (times === 0) {
        expect(wire.connection.read(target).status).toBe('want-read');
        wire.send();
        if (times === 0) await wire.receive();
      }
      wire.connection.write(Buffer.from('olleh\n'));
      expect(await wire.text()).toBe('hello\n');
      expect(times).toBe(1);
    },
    listener,
  );
});

test.each(PROTOCOLS)(
  'a resumed server that is refused hears nothing more, %s',
  async (maxVersion) => {
    const sessions: Buffer[] = [];
    const listener = { session: (session: Buffer) => void sessions.push(session) };
    const server = await startNodeServer({ identity: pki.server, requestCert: false, maxVersion });
    const first = new Wire(server.port, {}, listener);
    await first.handshake();
    first.connection.write(Buffer.from('first'));
    expect(await first.text()).toBe('first');
    // What came together with data is told of by the next operation that reads.
    first.connection.read(Buffer.alloc(9));
    first.close();

    const checkServerIdentity = () => new Error('not this one');
    const wire = new Wire(server.port, { session: sessions[0], checkServerIdentity });
    let result = wire.connection.handshake();
    while (result.status === 'want-read') {
      wire.send();
      await wire.receive();
      result = wire.connection.handshake();
    }
    expect(result).toMatchObject({ status: 'failed', error: { message: 'not this one' } });
    expect(wire.connection.isSessionReused()).toBe(true);
    expect(wire.send()).toBe(0);
    wire.close();
    await server.close();
  },
);

test('no data passes before everything is judged', async () => {
  const sessions: Buffer[] = [];
  const listener = { session: (session: Buffer) => void sessions.push(session) };
  const server = await startNodeServer({ identity: pki.server, requestCert: false });
  const first = new Wire(server.port, {}, listener);
  await first.handshake();
  first.connection.write(Buffer.from('first'));
  expect(await first.text()).toBe('first');
  first.connection.read(Buffer.alloc(9));
  first.close();
  const [session] = sessions;
  for (const [more, code] of [
    [{ session, host: 'other.example' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [{ requireClientCert: true }, 'ERR_CLIENT_CERT_REQUIRED'],
  ] as const) {
    for (const operation of ['write', 'read'] as const) {
      const wire = new Wire(server.port, more);
      const result = await wire.run(() => wire.connection[operation](Buffer.from('secret')));
      expect(result).toMatchObject({ status: 'failed', error: { code } });
      wire.close();
    }
  }
  await server.close();
});

test('what is no ciphertext, and what is no option, is refused', () => {
  const connection = new Connection(options);
  expect(() => connection.receive('text' as never)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
  );
  for (const wrong of ['text', undefined, new DataView(new ArrayBuffer(3)), 5]) {
    expect(() => connection.write(wrong as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(() => connection.read(wrong as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  }
  expect(() => connection.renegotiate(null as never)).toThrow(
    expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
  );
  connection.destroy();
  for (const args of [[], [null], [options, null], [options, 'x']]) {
    expect(() => new (Connection as never as new (...args: unknown[]) => unknown)(...args)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  }
  for (const wrong of [
    { session: 'text' },
    { sessionCredential: {} },
    { postHandshakeAuth: 1 },
    { reselectClientCert: 'yes' },
  ]) {
    expect(() => new Connection({ ...options, ...(wrong as object) })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  }
});

test('the example drives a handshake by hand', async () => {
  await withSServer({ args: ['-rev'] }, async (server) => {
    const { ec256 } = pki.clients;
    const root = join(__dirname, '../..');
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [
        '--require',
        './tools/register-typescript.cjs',
        'examples/connection-by-hand.ts',
        'localhost',
        String(server.port),
        pki.serverCa.certPath,
        ec256.certPath,
        ec256.keyPath,
      ],
      { cwd: root, timeout: 10_000 },
    );
    expect(stdout).toBe('asked, in phase handshake\nTLSv1.3 sent\nolleh\n');
    expect((await server.clientChain())[0]?.subject).toContain('client ec256');
  });
});
