/** What upgrade() is given: what it refuses, what it does without, and what becomes of the socket. */
import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import { createInterface } from 'node:readline';
import { type StartTlsProtocol, type UpgradeOptions, upgrade } from '../../lib/starttls';
import { deferred, within } from '../support/client';

const servers = new Set<net.Server>();
const sockets = new Set<net.Socket>();
afterEach(() => {
  jest.restoreAllMocks();
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  sockets.clear();
  servers.clear();
});

async function dial(serve: (socket: net.Socket) => void): Promise<net.Socket> {
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  servers.add(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  sockets.add(socket);
  return socket;
}

/** An SMTP server, as far as STARTTLS; and what it heard first. */
async function dialSmtp() {
  const heard = deferred<string>();
  const socket = await dial((served) => {
    served.write('220 hello\r\n');
    createInterface(served).on('line', (line) => {
      heard.resolve(line);
      served.write(line === 'STARTTLS' ? '220 go\r\n' : '250 STARTTLS\r\n');
    });
  });
  return { socket, heard: heard.promise };
}

test.each<[unknown, unknown, string]>([
  ['pop3', {}, 'ERR_INVALID_ARG_VALUE'],
  ['toString', {}, 'ERR_INVALID_ARG_VALUE'],
  [1, {}, 'ERR_INVALID_ARG_TYPE'],
  ['smtp', null, 'ERR_INVALID_ARG_TYPE'],
  ['smtp', { timeout: '1' }, 'ERR_INVALID_ARG_TYPE'],
  ['smtp', { timeout: 0 }, 'ERR_OUT_OF_RANGE'],
  ['smtp', { timeout: 2 ** 31 }, 'ERR_OUT_OF_RANGE'],
  ['smtp', { signal: {} }, 'ERR_INVALID_ARG_TYPE'],
  ['smtp', { onGreeting: 'hello' }, 'ERR_INVALID_ARG_TYPE'],
  ['smtp', { name: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ['smtp', { name: 'me\r\nQUIT' }, 'ERR_INVALID_ARG_VALUE'],
  ['smtp', { name: '' }, 'ERR_INVALID_ARG_VALUE'],
])('wrong ones: %s, %j; the socket is destroyed', async (protocol, options, code) => {
  const { socket } = await dialSmtp();
  const upgraded = upgrade(protocol as StartTlsProtocol, socket, options as UpgradeOptions);
  await expect(upgraded).rejects.toMatchObject({ code });
  expect(socket.destroyed).toBe(true);
  expect(socket.listenerCount('data')).toBe(0);
});

test.each([undefined, null, {}])('no socket: %j', async (socket) => {
  await expect(upgrade('ldap', socket as never)).rejects.toMatchObject({
    code: 'ERR_INVALID_ARG_TYPE',
  });
});

describe('a socket that gives text in place of bytes', () => {
  const refusal = {
    code: 'ERR_INVALID_ARG_VALUE',
    message: expect.stringContaining('setEncoding'),
  };

  test('from the beginning', async () => {
    const { socket } = await dialSmtp();
    await expect(
      within('rejection', upgrade('smtp', socket.setEncoding('utf8'))),
    ).rejects.toMatchObject(refusal);
    expect(socket.destroyed).toBe(true);
  });

  test('all at once', async () => {
    const { socket } = await dialSmtp();
    const onGreeting = () => void socket.setEncoding('utf8');
    await expect(upgrade('smtp', socket, { name: 'me', onGreeting })).rejects.toMatchObject(
      refusal,
    );
    expect(socket.destroyed).toBe(true);
  });
});

describe('a name that no server would take', () => {
  test('is nothing to a protocol without one', async () => {
    const socket = await dial((served) => served.once('data', () => served.write('S')));
    await within('TLS', upgrade('postgres', socket, { name: 'my host' }));
  });

  test('is not sent where it is that of this host', async () => {
    jest.spyOn(os, 'hostname').mockReturnValue('Bücher auf Rädern');
    const { socket, heard } = await dialSmtp();
    await within('TLS', upgrade('smtp', socket));
    expect(await heard).toBe('EHLO [127.0.0.1]');
  });
});
