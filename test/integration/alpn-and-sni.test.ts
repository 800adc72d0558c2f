/** ALPN and the server name, as offered and as agreed on, beside node:tls. */
import net from 'node:net';
import tls from 'node:tls';
import { type ConnectionOptions, connect, createSecureContext } from '../../lib/index';
import { dial, failure, hangUp, PROTOCOLS, secured } from '../support/client';
import { captureHello } from '../support/client-hello';
import { startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';
import { startSServer } from '../support/s-server';

const pki = loadPki();
const quiet = () => {};
const secureContext = createSecureContext({ ca: pki.serverCa.cert });

const offer = (options: ConnectionOptions) =>
  captureHello((port) => connect({ port, secureContext, ...options }).on('error', quiet));

describe.each(PROTOCOLS)('ALPN, %s', (maxVersion) => {
  test.each<[string, ConnectionOptions['ALPNProtocols'], string[], string | false]>([
    ['a list of strings', ['h2', 'http/1.1'], ['h2', 'http/1.1'], 'h2'],
    ['its second is agreed on', ['postgresql', 'http/1.1'], ['postgresql', 'http/1.1'], 'http/1.1'],
    ['a list of bytes', [Buffer.from('h2')], ['h2'], 'h2'],
    ['wire form', Buffer.from('\x02h2\x08http/1.1'), ['h2', 'http/1.1'], 'h2'],
    ['an empty list', [], [], false],
    ['nothing', undefined, [], false],
  ])('%s', async (_what, ALPNProtocols, offered, agreed) => {
    expect((await offer({ ALPNProtocols })).alpnProtocols).toEqual(offered);
    const server = await startNodeServer({
      identity: pki.server,
      maxVersion,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    const socket = dial(server, { ALPNProtocols });
    expect(socket.alpnProtocol).toBeNull();
    await secured(socket);
    expect(socket.alpnProtocol).toBe(agreed);
    expect(await server.sawClient()).toMatchObject({ alpnProtocol: agreed || undefined });
    await hangUp(socket);
    await server.close();
  });

  test('nothing in common ends with the alert and code of node:tls', async () => {
    const server = await startNodeServer({
      identity: pki.server,
      maxVersion,
      ALPNProtocols: ['h2'],
    });
    const error = await failure(dial(server, { ALPNProtocols: ['other'] }));
    const node = tls.connect({
      port: server.port,
      ca: pki.serverCa.cert,
      servername: 'localhost',
      ALPNProtocols: ['other'],
    });
    const expected = await new Promise<NodeJS.ErrnoException>((resolve) =>
      node.once('error', resolve),
    );
    expect(error).toMatchObject({ code: expected.code, alert: 'no_application_protocol' });
    await server.close();
  });
});

test.each([[['']], [['x'.repeat(256)]], [[5]], ['h2'], [Buffer.from([5, 104, 50])]])(
  'ALPNProtocols %j is an argument error',
  (ALPNProtocols) => {
    const code = expect.stringMatching(/^ERR_INVALID_ARG_(TYPE|VALUE)$/);
    expect(() => dial({ port: 1 }, { ALPNProtocols: ALPNProtocols as never })).toThrow(
      expect.objectContaining({ code }),
    );
  },
);

describe('the server name', () => {
  test.each<[string, ConnectionOptions, string | undefined]>([
    ['given', { host: '127.0.0.1', servername: 'some.name' }, 'some.name'],
    ['the host by default', { host: 'localhost' }, 'localhost'],
    ['none for an IPv4 address', { host: '127.0.0.1' }, undefined],
    [
      'none for an address given as a name',
      { host: '127.0.0.1', servername: '127.0.0.1' },
      undefined,
    ],
    ['none for an IPv6 address as a name', { host: '127.0.0.1', servername: '::1' }, undefined],
    ['none when it is empty', { host: 'localhost', servername: '' }, undefined],
    ['none without a host', {}, undefined],
  ])('%s', async (_what, options, expected) => {
    const { servername } = await offer({ ...options, family: 4 } as ConnectionOptions);
    expect(servername).toBe(expected);
  });

  test('is what the socket says it sent, and what the server heard', async () => {
    const server = await startNodeServer({ identity: pki.server });
    const named = dial(server, { servername: 'localhost' });
    expect(named.servername).toBeNull();
    await secured(named);
    expect(named.servername).toBe('localhost');
    expect((await server.sawClient()).servername).toBe('localhost');
    await hangUp(named);

    const unnamed = await secured(dial(server, { host: 'localhost', servername: '', family: 4 }));
    expect(unnamed.servername).toBe(false);
    expect((await server.sawClient(2)).servername).toBeUndefined();
    await hangUp(unnamed);
    await server.close();
  });

  test.each([['a\0b'], ['x'.repeat(256)], [5]])('%j is an argument error', (servername) => {
    const code = expect.stringMatching(/^ERR_INVALID_ARG_(TYPE|VALUE)$/);
    const opened = jest.spyOn(net, 'connect');
    expect(() => dial({ port: 1 }, { servername: servername as string })).toThrow(
      expect.objectContaining({ code }),
    );
    expect(opened).not.toHaveBeenCalled();
    opened.mockRestore();
  });
});

test.each(PROTOCOLS)('a server that knows no such name says so, %s', async (protocol) => {
  const { certPath, keyPath } = pki.server;
  const names = ['-servername', 'other.example', '-servername_fatal'];
  const args = [...names, '-cert2', certPath, '-key2', keyPath];
  const server = await startSServer({ identity: pki.server, protocol, args });
  const error = await failure(connect({ port: server.port, host: 'localhost', secureContext }));
  await server.stop();
  expect(error).toMatchObject({
    code: 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
    alert: 'unrecognized_name',
  });
});
