/**
 * Values, callbacks and errors of another realm, a `vm` context, in place of our own. Each case prints one
 * line. jest's own contexts would be a third realm: hence a process.
 */
import { once } from 'node:events';
import vm from 'node:vm';
import { Connection, connect, createSecureContext, type TLSSocket } from '../../../lib/index';
import { credential, to } from './client';

const port = Number(process.argv[2]);
const { ca, ...where } = to(port);

/** What a program in a context has: the package, as `require` would give it, and plain data. */
function realm(): vm.Context {
  return vm.createContext({ connect, createSecureContext, Connection, credential, where, ca });
}

const context = realm();
// biome-ignore lint/suspicious/noExplicitAny: what comes out is the other realm's
const run = (code: string): any => vm.runInContext(code, context);

run(`
  // Node has no TextEncoder in a bare context.
  const bytes = (text) => Uint8Array.from(text, (c) => c.charCodeAt(0));
  const promised = async (value) => { for (let i = 0; i < 3; i++) await null; return value; };
`);

/** How one connection came out: what was echoed, or the error. */
async function outcome(options: object): Promise<object> {
  const socket: TLSSocket = connect(options);
  let read = '';
  let failure: NodeJS.ErrnoException | undefined;
  socket.on('data', (chunk) => {
    read += chunk;
    if (read === 'hello') socket.end();
  });
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('suspend', () => {});
  socket.write(run(`bytes('hello')`));
  await new Promise((resolve) => socket.once('close', resolve));
  const { clientAuth, alpnProtocol } = socket;
  if (failure === undefined) return { read, status: clientAuth.status, alpnProtocol };
  const cause = failure.cause as Error | undefined;
  return {
    code: failure.code,
    message: failure.message,
    cause: cause?.message,
    isTheirs: cause instanceof run('Error'),
    isOurs: failure instanceof Error,
  };
}

/** Options of the realm: object, arrays and functions. */
const options = (more: string) => run(`({ ...where, ca, ${more} })`);

const CASES: Readonly<Record<string, () => Promise<unknown>>> = {
  'options, and a callback that is async there': () =>
    outcome(options('clientCertCallback: async () => promised({ ...credential })')),
  'a credential at once': () => outcome(options('clientCertCallback: () => ({ ...credential })')),
  'a thenable': () =>
    outcome(options('clientCertCallback: () => ({ then: (done) => done({ ...credential }) })')),
  'bytes and lists': () =>
    outcome(
      run(`({
        ...where,
        ca: [bytes(ca)],
        ALPNProtocols: ['none', bytes('echo')],
        clientCertCallback: () => ({
          cert: bytes(credential.cert),
          key: new DataView(bytes(credential.key).buffer),
          chain: [bytes(credential.cert)],
        }),
      })`),
    ),
  'ALPN in its wire form': () =>
    outcome(
      options(`ALPNProtocols: bytes('\\x04echo'), cert: credential.cert, key: credential.key`),
    ),
  'credentials in advance': () =>
    outcome(options('credential: [{ cert: bytes(credential.cert), key: bytes(credential.key) }]')),
  'a secure context': () =>
    outcome({ ...where, ...run('({ secureContext: createSecureContext({ ca: [bytes(ca)] }) })') }),
  'an error thrown': () =>
    outcome(options(`clientCertCallback: () => { throw new RangeError('from there'); }`)),
  'an error as rejection': () =>
    outcome(options(`clientCertCallback: async () => { throw new RangeError('from there'); }`)),
  'an error of checkServerIdentity': () =>
    outcome(options(`checkServerIdentity: () => new Error('not for them')`)),
  'an answer that is none': () =>
    outcome(options('clientCertCallback: async () => new Map([["cert", "key"]])')),
  'a date and an expression as answers': () =>
    outcome(options('clientCertCallback: async () => [new Date(0), /x/]')),
  'a signer, its promise and its signature': () => {
    const { sign } = require('node:crypto') as typeof import('node:crypto');
    context.signed = (data: Uint8Array) => [...sign('sha256', data, credential.key)];
    return outcome(
      options(`clientCertCallback: async () => ({
        cert: credential.cert,
        key: { schemes: ['ecdsa_secp256r1_sha256'], sign: async (data) => new Uint8Array(signed(data)) },
      })`),
    );
  },
  'a signer that throws': () =>
    outcome(
      options(`clientCertCallback: () => ({
        cert: credential.cert,
        key: { sign: async () => { throw new TypeError('no card'); } },
      })`),
    ),
  'a listener, and a Suspension answered there': async () => {
    const { SUSPEND } = require('../../../lib/index') as typeof import('../../../lib/index');
    context.SUSPEND = SUSPEND;
    const socket: TLSSocket = run(`
      const socket = connect({ ...where, ca, clientCertCallback: () => SUSPEND });
      socket.on('suspend', (suspension) => promised().then(() => suspension.resume({ ...credential })));
      socket
    `);
    socket.end('x').resume();
    await once(socket, 'close');
    return socket.clientAuth.status;
  },
  'an error for destroy()': async () => {
    const socket: TLSSocket = connect(options(''));
    const error = run(`new Error('enough')`);
    socket.destroy(error);
    return (await once(socket, 'error'))[0] === error;
  },
  'a session': async () => {
    const first = connect({ ...where, ca: ca as string });
    first.resume();
    const [session] = (await once(first, 'session')) as [Buffer];
    first.end();
    await once(first, 'close');
    context.session = [...session];
    const second: TLSSocket = connect(options('session: Uint8Array.from(session)'));
    await once(second, 'secureConnect');
    const reused = second.isSessionReused();
    second.destroy();
    return reused;
  },
  onread: async () => {
    const socket: TLSSocket = run(`
      var got = '';
      connect({ ...where, ca, onread: {
        buffer: new Uint8Array(1000),
        callback: (count, buffer) => {
          got += String.fromCharCode(...buffer.subarray(0, count));
          return true;
        },
      } })
    `);
    socket.write('hello');
    socket.end();
    await once(socket, 'close');
    return run('got');
  },
  'Connection without a socket': async () => {
    const connection: Connection = run(
      `var bare = new Connection({ host: 'localhost', ca }); bare`,
    );
    connection.handshake();
    const said = [];
    for (const code of [
      `bare.receive(new Uint8Array(0))`,
      `bare.read(new Uint8Array(10)).status`,
      `bare.write(new Uint8Array(10)).status`,
      `bare.write([1, 2])`,
    ]) {
      try {
        said.push(run(code) ?? 'done');
      } catch (error) {
        said.push((error as NodeJS.ErrnoException).code);
      }
    }
    connection.destroy();
    return said;
  },
  'a realm that is dropped while its callback is waited for': droppedRealm,
};

/** A connection asks in a realm of its own, of which nothing else is kept: only whether it is there. */
async function askedInRealm(): Promise<{ socket: TLSSocket; gone: WeakRef<vm.Context> }> {
  const own = realm();
  let asked = () => {};
  const question = new Promise<void>((resolve) => {
    asked = resolve;
  });
  own.asked = asked;
  const socket: TLSSocket = vm.runInContext(
    `connect({ ...where, ca, clientCertCallback: () => (asked(), new Promise(() => {})) })`,
    own,
  );
  await question;
  return { socket, gone: new WeakRef(own) };
}

async function collected(gone: WeakRef<object>, tries: number): Promise<boolean> {
  for (let i = 0; i < tries && gone.deref() !== undefined; i += 1) {
    // In another turn than deref(), which keeps its object for the rest of its own.
    await new Promise((resolve) => setTimeout(resolve, 10));
    globalThis.gc?.();
  }
  return gone.deref() === undefined;
}

async function closed(socket: TLSSocket): Promise<void> {
  socket.destroy();
  await once(socket, 'close');
}

async function droppedRealm(): Promise<object> {
  const held: { socket?: TLSSocket; gone: WeakRef<vm.Context> } = await askedInRealm();
  const { gone } = held;
  const whileAsked = await collected(gone, 5);
  await closed(held.socket as TLSSocket);
  // The socket, as those of node:tls, knows its options for as long as it is there itself.
  delete held.socket;
  return { whileAsked, after: await collected(gone, 200) };
}

async function main(): Promise<void> {
  for (const [name, one] of Object.entries(CASES)) {
    const came = await one().catch((error: unknown) => String(error));
    console.log(JSON.stringify([name, came]));
  }
}

void main();
