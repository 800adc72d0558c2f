/** The argument forms of `tls.connect()`, each given to both. */
import { once } from 'node:events';
import { createServer as createPipeServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { connect } from '../../lib/index';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { type Client, failure, next, pki, within } from './stream-helpers';

type Form = readonly unknown[];
const open: Record<Client, (form: Form) => tls.TLSSocket> = {
  ours: (form) => (connect as (...form: Form) => unknown)(...form) as tls.TLSSocket,
  node: (form) => (tls.connect as (...form: Form) => tls.TLSSocket)(...form),
};
const BOTH = ['ours', 'node'] as const;

let server: NodeServer;
let paths: Record<'file' | 'abstract', string>;
const pipes: Server[] = [];
beforeAll(async () => {
  server = await startNodeServer({ identity: pki.server });
  const name = `tls-client-cert-${process.pid}-${server.port}`;
  paths = { file: join(tmpdir(), `${name}.sock`), abstract: `\0${name}` };
  for (const path of Object.values(paths)) {
    // The same TLS server, behind another door.
    const pipe = createPipeServer((socket) => server.server.emit('connection', socket));
    pipe.listen(path);
    await once(pipe, 'listening');
    pipes.push(pipe);
  }
});
afterAll(async () => {
  await server.close();
  for (const pipe of pipes) pipe.close();
});

const good = () => ({ ca: pki.serverCa.cert, servername: 'localhost' });
const PORT = () => server.port;

/** Each with a place for the listener, that of all of them. */
const FORMS: [string, (listener: () => void) => Form][] = [
  ['(options, cb)', (cb) => [{ port: PORT(), host: '127.0.0.1', ...good() }, cb]],
  ['(port, options, cb)', (cb) => [PORT(), good(), cb]],
  ['(digits, options, cb)', (cb) => [String(PORT()), good(), cb]],
  ['(" digits ", options, cb)', (cb) => [` ${PORT()} `, good(), cb]],
  ['(0x…, options, cb)', (cb) => [`0x${PORT().toString(16)}`, good(), cb]],
  ['(port, host, options, cb)', (cb) => [PORT(), '127.0.0.1', good(), cb]],
  ['(port, undefined, options, cb)', (cb) => [PORT(), undefined, good(), cb]],
  ['(port, null, options, cb)', (cb) => [PORT(), null, good(), cb]],
  ['(path, options, cb)', (cb) => [paths.file, good(), cb]],
  ['(abstract path, options, cb)', (cb) => [paths.abstract, good(), cb]],
  ['(options with path, cb)', (cb) => [{ path: paths.file, ...good() }, cb]],
  ['(options, options, cb)', (cb) => [{ port: 1, ...good() }, { port: PORT() }, cb]],
  [
    'options go before port and host',
    (cb) => [1, 'nowhere', { ...good(), port: PORT(), host: '127.0.0.1' }, cb],
  ],
  ['a path goes before host and port', (cb) => [{ port: 1, path: paths.file, ...good() }, cb]],
  ['the listener behind a gap', (cb) => [PORT(), good(), undefined, cb]],
];

test.each(FORMS)('%s connects, and calls the listener once', async (_, form) => {
  for (const client of BOTH) {
    let calls = 0;
    let self: unknown;
    const socket = open[client](
      form(function (this: unknown) {
        self = this;
        calls += 1;
      }),
    );
    await next(socket, 'secureConnect');
    expect([client, calls, socket.authorized, self === socket]).toEqual([client, 1, true, true]);
    socket.emit('secureConnect');
    expect(calls).toBe(1);
    socket.destroy();
  }
});

test.each<[string, () => Form]>([
  ['(port)', () => [PORT()]],
  ['(port, host)', () => [PORT(), '127.0.0.1']],
  ['(port, cb)', () => [PORT(), () => {}]],
  ['(port, host, cb)', () => [PORT(), '127.0.0.1', () => {}]],
  ['(path)', () => [paths.file]],
  ['(path, cb)', () => [paths.file, () => {}]],
])('%s connects: the certificate is looked at, and refused', async (_, form) => {
  const codes = [];
  for (const client of BOTH) codes.push((await failure(open[client](form()))).code);
  expect(codes).toEqual(Array(2).fill('UNABLE_TO_VERIFY_LEAF_SIGNATURE'));
});

test('over a path addresses are those of tls.connect(), and so is the identity', async () => {
  const seen: unknown[] = [];
  for (const client of BOTH) {
    const socket = open[client]([paths.file, good()]);
    await next(socket, 'secureConnect');
    seen.push([
      socket.remoteAddress,
      socket.remotePort,
      socket.remoteFamily,
      socket.localAddress,
      socket.address(),
      socket.getPeerCertificate().subject,
    ]);
    socket.destroy();
  }
  expect(seen[0]).toEqual(seen[1]);
});

/** What is thrown, or comes as an error. */
async function outcome(client: Client, form: Form): Promise<unknown[]> {
  try {
    const socket = open[client](form);
    const error = await within(failure(socket), 'failure');
    return ['error', error.code, error.message];
  } catch (error) {
    return ['thrown', (error as NodeJS.ErrnoException).code, (error as Error).message];
  }
}

test.each<[string, Form]>([
  ['nothing', []],
  ['undefined', [undefined]],
  ['null', [null]],
  ['an empty object', [{}]],
  ['an empty string', ['']],
  ['true', [true]],
  ['a symbol', [Symbol('x')]],
  ['a bigint', [443n]],
  ['a function', [() => {}]],
  ['a port below 0', [-1]],
  ['a port too high', [65_536]],
  ['a port that is none', [Number.NaN]],
  ['a broken port', [1.5]],
  ['a port of null', [{ port: null }]],
  ['a port of letters', [{ port: 'https' }]],
  ['a port too high, in words', ['65536']],
  ['a path where nobody listens', ['/nowhere/at/all.sock']],
])('%s is refused as there, in the same words', async (_, form) => {
  expect(await outcome('ours', form)).toEqual(await outcome('node', form));
});

test('the options are copied: what changes later has no effect, and nothing of ours is put there', async () => {
  const options = { port: PORT(), host: '127.0.0.1', ...good() };
  const before = { ...options };
  const socket = connect(options);
  expect(options).toEqual(before);
  options.ca = pki.clientCaA.cert;
  await next(socket, 'secureConnect');
  expect(socket.authorized).toBe(true);
  socket.destroy();
});

test('a listener that is none is refused, where tls.connect() passes it over', () => {
  const forms: Form[] = [
    [{ port: 1 }, 'listener'],
    [1, 'host', 'listener'],
    [1, {}, 5],
    [1, 5],
  ];
  for (const form of forms) {
    expect(() => open.ours(form)).toThrow(
      expect.objectContaining({
        code: 'ERR_INVALID_ARG_TYPE',
        message: expect.stringContaining('"listener"'),
      }),
    );
  }
  // What stands for none does no harm.
  const socket = connect({ port: 1, host: '127.0.0.1' }, undefined);
  socket.on('error', () => {});
  const other = open.ours([{ port: 1, host: '127.0.0.1' }, null]);
  other.on('error', () => {});
});
