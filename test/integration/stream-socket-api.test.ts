/** Getters and events, each beside what `tls.connect` gives against the same server. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import tls, { type TLSSocket as NodeTLSSocket } from 'node:tls';
import { connect } from '../../lib/index';
import { type NodeServer, startNodeServer } from '../support/node-server';
import type { Identity } from '../support/pki';
import {
  type Client,
  clients,
  next,
  pki,
  record,
  suspended,
  to,
  VERSIONS,
  within,
} from './stream-helpers';

/** Opens one of each kind, looks at both in the same way, and closes them. */
async function both<T>(
  options: object,
  look: (socket: NodeTLSSocket) => T,
  event = 'secureConnect',
): Promise<Record<Client, T>> {
  const result = {} as Record<Client, T>;
  for (const client of ['ours', 'node'] as const) {
    const socket = clients[client](options);
    await next(socket, event);
    result[client] = look(socket);
    socket.destroy();
  }
  return result;
}

/** IPv6 only where the machine has it; what is link-local needs its interface. */
const LOCAL_ADDRESSES = Object.entries(networkInterfaces()).flatMap(([name, addresses = []]) =>
  addresses.map(({ address }) => (/^fe80/i.test(address) ? `${address}%${name}` : address)),
);

describe.each(VERSIONS)('socket API, %s', (version) => {
  let server: NodeServer;
  beforeAll(async () => {
    server = await startNodeServer({ identity: pki.server, ALPNProtocols: ['h2', 'other'] });
  });
  afterAll(() => server.close());
  const options = () => to(server.port, version);

  test('protocol, cipher and verdict are those of node:tls', async () => {
    const { ours, node } = await both(options(), (socket) => ({
      protocol: socket.getProtocol(),
      cipher: socket.getCipher(),
      authorized: socket.authorized,
      authorizationError: socket.authorizationError,
      encrypted: socket.encrypted,
      connecting: socket.connecting,
      pending: socket.pending,
      readyState: [socket.readable, socket.writable],
      servername: (socket as { servername?: unknown }).servername,
      alpnProtocol: socket.alpnProtocol,
    }));
    expect(ours).toEqual(node);
    expect(ours).toMatchObject({ protocol: version, authorized: true, servername: 'localhost' });
  });

  test('the certificate objects are those of node:tls', async () => {
    const withRoot = ({ cert, key }: Identity) => ({ cert: cert + pki.serverCa.cert, key });
    for (const identity of [
      withRoot(pki.server),
      withRoot(pki.serverRsa),
      withRoot(pki.wrongNameServer),
      pki.untrustedServer,
    ]) {
      const own = await startNodeServer({ identity });
      const unchecked = { ...to(own.port, version), rejectUnauthorized: false };
      const { ours, node } = await both(unchecked, (socket) => ({
        plain: socket.getPeerCertificate(),
        explicit: socket.getPeerCertificate(false),
        detailed: socket.getPeerCertificate(true),
        parsed: socket.getPeerX509Certificate()?.raw,
        authorized: socket.authorized,
      }));
      expect(ours).toEqual(node);
      expect(Object.keys(ours.plain)).toEqual(Object.keys(node.plain));
      const root = ours.detailed.issuerCertificate;
      if (ours.authorized) expect(root.issuerCertificate).toBe(root);
      await own.close();
    }
  });

  test('the root that the server did not send is linked, as in node:tls', async () => {
    const { ours, node } = await both(
      options(),
      (socket) => socket.getPeerCertificate(true).issuerCertificate?.fingerprint256,
    );
    expect(node).toBe(new X509Certificate(pki.serverCa.cert).fingerprint256);
    expect(ours).toBe(node);
  });

  test.each<[string, keyof typeof pki, object]>([
    ['untrusted', 'untrustedServer', {}],
    ['wrongly named', 'wrongNameServer', {}],
    ['expired', 'expiredServer', {}],
    ['revoked', 'revokedServer', { crl: pki.crl }],
  ])('a server that is %s: verdict and error as in node:tls', async (_, name, more) => {
    const own = await startNodeServer({ identity: pki[name] as Identity });
    const lax = { ...to(own.port, version), ...more, rejectUnauthorized: false };
    const verdicts = await both(lax, (socket) => [
      socket.authorized,
      // Node puts an Error there where the name is wrong, and types even its codes as one.
      (socket.authorizationError as { code?: string } | null)?.code ?? socket.authorizationError,
    ]);
    expect(verdicts.ours).toEqual(verdicts.node);
    const codes: unknown[] = [];
    for (const client of ['ours', 'node'] as const) {
      const socket = clients[client]({ ...to(own.port, version), ...more });
      codes.push(((await next(socket, 'error'))[0] as { code: string }).code);
    }
    expect(codes[0]).toBe(codes[1]);
    await own.close();
  });

  test('our own certificate is shown as node:tls shows it', async () => {
    const { cert, key } = pki.clients.rsa;
    const shown = await both({ ...options(), cert, key }, (socket) => ({
      legacy: socket.getCertificate(),
      parsed: socket.getX509Certificate()?.raw,
    }));
    expect(shown.ours).toEqual(shown.node);
    expect(shown.ours.parsed).toEqual(new X509Certificate(cert).raw);
    const none = await both(options(), (s) => [s.getCertificate(), s.getX509Certificate()]);
    expect(none.ours).toEqual(none.node);
    const { socket, asked, answer } = suspended(options());
    await asked;
    answer(pki.clientB);
    await next(socket, 'secureConnect');
    expect(socket.getX509Certificate()?.raw).toEqual(new X509Certificate(pki.clientB.cert).raw);
    socket.destroy();
  });

  test('ALPN agrees, or agrees on nothing, as in node:tls', async () => {
    for (const ALPNProtocols of [['other', 'h2'], ['h2'], undefined]) {
      const { ours, node } = await both({ ...options(), ALPNProtocols }, (s) => s.alpnProtocol);
      expect(ours).toBe(node);
    }
    const wireForm = Buffer.from('\x05other');
    const { ours } = await both({ ...options(), ALPNProtocols: wireForm }, (s) => s.alpnProtocol);
    expect(ours).toBe('other');
    const codes: unknown[] = [];
    for (const client of ['ours', 'node'] as const) {
      const socket = clients[client]({ ...options(), ALPNProtocols: ['unknown'] });
      codes.push(((await next(socket, 'error'))[0] as { code: string }).code);
    }
    expect(codes[0]).toBe(codes[1]);
  });

  test('the name sent: servername, else a host that is a name; never an address', async () => {
    const names = async (more: object) => {
      const before = server.connections.length;
      const socket = connect({ ...options(), ...more });
      await next(socket, 'secureConnect');
      const { servername } = await server.sawClient(before + 1);
      const ours = socket.servername;
      socket.destroy();
      return [ours, servername];
    };
    expect(await names({})).toEqual(['localhost', 'localhost']);
    expect(await names({ servername: undefined })).toEqual([false, undefined]);
    expect(await names({ servername: undefined, host: 'localhost', family: 4 })).toEqual([
      'localhost',
      'localhost',
    ]);
    expect(await names({ servername: '' })).toEqual([false, undefined]);
  });

  test.each(LOCAL_ADDRESSES)(
    'addresses are those of the socket below, and go with it (%s)',
    async (host) => {
      const look = (socket: NodeTLSSocket) => {
        const address = socket.address() as { address: string; port: number };
        expect(address.port).toBe(socket.localPort);
        return [
          { ...address, port: 0 },
          socket.remoteAddress,
          socket.remotePort,
          socket.remoteFamily,
          socket.localAddress,
          socket.localFamily,
          typeof socket.localPort,
        ];
      };
      const listener = tls.createServer({ cert: pki.server.cert, key: pki.server.key });
      listener.listen(0, host);
      await once(listener, 'listening');
      const { port } = listener.address() as AddressInfo;
      const { ours, node } = await both({ ...options(), host, port }, look);
      expect(ours).toEqual(node);
      listener.close();
    },
  );

  test('before and after the connection the getters answer as in node:tls', async () => {
    const look = (socket: NodeTLSSocket) => [
      socket.getPeerCertificate(),
      socket.getPeerX509Certificate(),
      socket.getCertificate(),
      socket.getX509Certificate(),
      socket.getCipher(),
      socket.alpnProtocol,
      socket.authorized,
      socket.authorizationError,
      socket.remoteAddress,
      socket.localPort,
      socket.destroyed,
      socket.connecting,
    ];
    const shown = async (client: Client) => {
      const socket = clients[client](options());
      const before = look(socket);
      await next(socket, 'secureConnect');
      const closed = next(socket, 'close');
      socket.end();
      socket.resume();
      await closed;
      return { before, after: look(socket), protocol: socket.getProtocol() };
    };
    expect(await shown('ours')).toEqual(await shown('node'));
  });

  test('events come in the order of node:tls, and the listener is for secureConnect', async () => {
    const order = async (client: Client) => {
      const socket = clients[client]({ ...options(), host: 'localhost', family: 4 });
      const seen = record(socket, ['lookup', 'connect', 'ready', 'secureConnect', 'close']);
      const closed = next(socket, 'close');
      await next(socket, 'secureConnect');
      socket.destroy();
      await closed;
      return seen;
    };
    const ours = await order('ours');
    expect(ours).toEqual(['lookup', 'connect', 'ready', 'secureConnect', 'close false']);
    expect(ours).toEqual(await order('node'));

    let calls = 0;
    let thisValue: unknown;
    const listened = new Promise<void>((resolve) => {
      const socket = connect(options(), function (this: unknown) {
        calls += 1;
        thisValue = this;
        expect(socket.secureConnecting).toBe(false);
        socket.emit('secureConnect');
        socket.destroy();
        resolve();
      });
      expect(socket.secureConnecting).toBe(true);
      expect(socket.connecting).toBe(true);
    });
    await within(listened, 'listener');
    expect(calls).toBe(1);
    expect(thisValue).toMatchObject({ encrypted: true });
    expect(() => connect(options(), 'no function' as never)).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
  });
});
