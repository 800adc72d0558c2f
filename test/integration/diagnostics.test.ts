/** What a connection tells by `diagnostics_channel`, and by `NODE_DEBUG`. */
import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';
import { inspect, promisify } from 'node:util';
import {
  Connection,
  type ConnectionOptions,
  Credential,
  connect,
  type HandshakeMessage,
  SUSPEND,
} from '../../lib/index';
import { later, withSServer } from '../support/client';
import { plainEnvironment } from '../support/environment';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { lateSigner, signedBy, signer, signWith } from '../support/signers';
import { failure, next, pki, startRawServer, suspended, to } from './stream-helpers';

const CHANNELS = ['request', 'suspend', 'answer', 'sign', 'handshake'] as const;

/** Messages of all channels, with their channel's name, in order; taken off after the test. */
type Message = { channel: string; source: object } & Record<string, unknown>;
let stop: () => void = () => {};
function listen(names: readonly string[] = CHANNELS, heard: (message: Message) => void = () => {}) {
  const messages: Message[] = [];
  const undo = names.map((channel) => {
    const listener = (message: unknown) => {
      const told = { channel, ...(message as object) } as Message;
      messages.push(told);
      heard(told);
    };
    subscribe(`tls-client-cert:${channel}`, listener);
    return () => unsubscribe(`tls-client-cert:${channel}`, listener);
  });
  stop = () => {
    for (const off of undo) off();
  };
  return messages;
}
afterEach(() => stop());

let server: NodeServer;
beforeAll(async () => {
  server = await startNodeServer({ identity: pki.server });
});
afterAll(() => server.close());

const { cert, key } = pki.clients.ec256;
const names = (messages: readonly Message[]) => messages.map(({ channel }) => channel);

async function through(options: Partial<ConnectionOptions>) {
  const socket = connect({ ...to(server.port), ...options });
  await next(socket, 'secureConnect');
  socket.destroy();
  return socket;
}

test('an answer at once: request, answer, handshake, about one socket', async () => {
  const messages = listen();
  const credential = new Credential({ cert, key });
  const socket = await through({ clientCertCallback: () => credential });
  expect(messages).toEqual([
    { channel: 'request', source: socket, request: expect.anything() },
    {
      channel: 'answer',
      source: socket,
      request: messages[0]?.request,
      answer: 'credential',
      credential,
      error: null,
      duration: expect.any(Number),
    },
    {
      channel: 'handshake',
      source: socket,
      phase: 'handshake',
      hostname: 'localhost',
      error: null,
      protocol: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      alpnProtocol: false,
      resumed: false,
      authorized: true,
      authorizationError: null,
      clientAuth: expect.objectContaining({ status: 'sent', credential }),
      duration: expect.any(Number),
    },
  ]);
  expect(messages.every(({ source }) => source === socket)).toBe(true);
});

test('a promise, then SUSPEND, then a late signer: each wait is told, and how long it took', async () => {
  const messages = listen();
  const credential = signedBy(pki.clients.ec256, lateSigner(pki.clients.ec256, 20));
  const socket = connect({
    ...to(server.port),
    clientCertCallback: async ({ attempt }) => (attempt === 1 ? SUSPEND : credential),
  });
  socket.on('suspend', (suspension) => setTimeout(() => suspension.resume(), 20));
  await next(socket, 'secureConnect');
  socket.destroy();
  expect(messages.map(({ channel, waitingFor }) => [channel, waitingFor].join(' ').trim())).toEqual(
    [
      'request',
      'suspend promise',
      'suspend suspension',
      'request',
      'suspend promise',
      'answer',
      'suspend signature',
      'sign',
      'handshake',
    ],
  );
  const at = (channel: string) => messages.find((message) => message.channel === channel);
  expect(at('answer')?.duration).toBeGreaterThan(18);
  expect(at('sign')).toMatchObject({ scheme: 'ecdsa_secp256r1_sha256', error: null });
  expect(at('sign')?.duration).toBeGreaterThan(18);
  expect(at('handshake')?.duration).toBeGreaterThan(38);
});

test('a decline, and a failure with the error that the socket fails with', async () => {
  const messages = listen();
  await through({ clientCertCallback: () => null });
  expect(messages[1]).toMatchObject({ channel: 'answer', answer: 'declined', credential: null });
  messages.length = 0;
  const error = await failure(
    connect({ ...to(server.port), clientCertCallback: () => Promise.reject(new Error('no card')) }),
  );
  expect(names(messages)).toEqual(['request', 'suspend', 'answer', 'handshake']);
  expect(messages[2]).toMatchObject({ answer: 'failed', credential: null });
  expect(messages[2]?.error).toBe(error);
  expect(messages[3]?.error).toBe(error);
  expect((messages[3] as unknown as HandshakeMessage).clientAuth.status).toBe('failed');
});

test('an answer of no use is told as failed, with the error that the socket fails with', async () => {
  const own = await startNodeServer({ identity: pki.server, sigalgs: 'ECDSA+SHA256' });
  const messages = listen();
  const { rsa } = pki.clients;
  const error = await failure(connect({ ...to(own.port), clientCertCallback: () => rsa }));
  expect(error).toMatchObject({ code: 'ERR_CREDENTIAL_UNUSABLE' });
  expect(names(messages)).toEqual(['request', 'answer', 'handshake']);
  expect(messages[1]).toMatchObject({ answer: 'failed', credential: null });
  expect(messages[1]?.error).toBe(error);
  await own.close();
});

test('a signer that fails', async () => {
  const messages = listen(['sign', 'handshake']);
  const broken = signer(() => {
    throw new Error('the card was pulled');
  });
  const error = await failure(
    connect({ ...to(server.port), clientCertCallback: () => signedBy(pki.clients.ec256, broken) }),
  );
  expect(names(messages)).toEqual(['sign', 'handshake']);
  expect(messages[0]?.error).toBe(error);
});

test('a question that nobody answers any more is told as failed, once', async () => {
  const messages = listen();
  const { socket, asked } = suspended(to(server.port));
  await asked;
  socket.destroy();
  await next(socket, 'close');
  expect(names(messages)).toEqual(['request', 'suspend', 'answer', 'handshake']);
  expect(messages[2]).toMatchObject({
    answer: 'failed',
    error: { code: 'ERR_TLS_CONNECTION_OVER' },
  });
});

test.each<[string, object, object]>([
  [
    'not trusted',
    { ca: pki.clientCaA.cert },
    { authorized: false, clientAuth: { status: 'failed' } },
  ],
  [
    'not spoken to in its version',
    { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
    { protocol: null, cipher: null },
  ],
])('a server that is %s: one handshake, with its error', async (_, options, expected) => {
  const own = await startNodeServer({ identity: pki.server, minVersion: 'TLSv1.3' });
  const messages = listen();
  const error = await failure(connect({ ...to(own.port), ...options }));
  expect(names(messages)).toEqual(['handshake']);
  expect(messages[0]).toMatchObject({ ...expected, error });
  await own.close();
});

test('nothing is told of what never came to a handshake; a cut is told', async () => {
  const messages = listen();
  const raw = await startRawServer((socket) => socket.destroy());
  await failure(connect(to(raw.port)));
  expect(names(messages)).toEqual(['handshake']);
  await raw.close();
  messages.length = 0;
  expect(await failure(connect(to(raw.port)))).toMatchObject({ code: 'ECONNREFUSED' });
  expect(messages).toEqual([]);
});

test('a resumed session, and a certificate set in advance', async () => {
  const messages = listen(['request', 'handshake']);
  const socket = connect({ ...to(server.port), cert, key });
  const [session] = (await next(socket, 'session')) as [Buffer];
  socket.destroy();
  await through({ cert, key, session });
  expect(messages).toMatchObject([
    { channel: 'handshake', resumed: false, clientAuth: { status: 'sent' } },
    { channel: 'handshake', resumed: true, clientAuth: { status: 'resumed' } },
  ]);
});

test('a renegotiation', async () => {
  const args = ['-client_renegotiation'];
  await withSServer({ protocol: 'TLSv1.2', args }, async (tls12) => {
    const messages = listen(['handshake']);
    const socket = connect({ ...to(tls12.port), clientCertCallback: () => ({ cert, key }) });
    await next(socket, 'secureConnect');
    await new Promise((resolve) => socket.renegotiate({}, resolve));
    socket.destroy();
    expect(messages).toMatchObject([
      { source: socket, phase: 'handshake' },
      { source: socket, phase: 'renegotiation', duration: null, error: null },
    ]);
  });
});

test('a connection without a socket names itself', async () => {
  const messages = listen();
  const connection = new Connection({ ca: pki.serverCa.cert, host: 'localhost' });
  connection.handshake();
  connection.receive(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
  expect(connection.handshake()).toMatchObject({ status: 'failed' });
  connection.destroy();
  expect(messages).toMatchObject([{ channel: 'handshake', error: { code: /WRONG_VERSION/ } }]);
  expect(messages[0]?.source).toBe(connection);
});

test.each(['request', 'suspend', 'answer', 'sign', 'handshake'])(
  'a listener that destroys the socket at %s',
  async (channel) => {
    const reason = new Error('not this one');
    listen([channel], ({ source }) => (source as ReturnType<typeof connect>).destroy(reason));
    const credential = signedBy(pki.clients.ec256, lateSigner(pki.clients.ec256, 1));
    const socket = connect({ ...to(server.port), clientCertCallback: async () => credential });
    socket.on('secureConnect', () => {
      throw new Error('it is destroyed');
    });
    expect(await failure(socket)).toBe(reason);
  },
);

/** What the beginning of bytes looks like where they are printed. */
const formsOf = (bytes: Uint8Array): string[] => {
  const first = Buffer.from(bytes.subarray(0, 24));
  const hex = first.toString('hex');
  return [
    ...[hex, first.toString('base64'), first.toString('base64url')],
    // In a Buffer, a Uint8Array, and JSON.
    ...[hex.replace(/..(?=.)/g, '$& '), [...first].join(', '), [...first].join()],
  ];
};

test('no key, passphrase or signature is in any message', async () => {
  const messages = listen();
  const passphrase = 'a passphrase that nobody sees';
  const { encryptedPkcs8Pem } = pki.encodings;
  await failure(
    connect({
      ...to(server.port),
      clientCertCallback: () => ({ cert, key: encryptedPkcs8Pem, passphrase }),
    }),
  );
  await through({ clientCertCallback: async () => ({ cert, key }) });
  const signatures: Uint8Array[] = [];
  const signing = (how: (signature: Buffer) => Uint8Array | Promise<Uint8Array>, by = key) => {
    const noting = signer(({ data, scheme }) => {
      const signature = signWith(by, data, scheme);
      signatures.push(signature);
      return how(signature);
    });
    return { clientCertCallback: () => signedBy(pki.clients.ec256, noting) };
  };
  await through(signing((signature) => signature));
  await through(signing((signature) => later(signature, 1)));
  const wrong = signing((signature) => signature, pki.otherEcClient.key);
  expect((await failure(connect({ ...to(server.port), ...wrong }))).code).toBe(
    'ERR_SIGNATURE_INVALID',
  );
  expect(names(messages)).toEqual(expect.arrayContaining(['answer', 'sign']));
  const text = messages
    .map(({ source, ...told }) =>
      inspect(told, {
        depth: 20,
        showHidden: true,
        maxStringLength: null,
        maxArrayLength: null,
        // Numbers of a list not in columns.
        compact: true,
        breakLength: Infinity,
      }),
    )
    .join('\n');
  expect(text).toContain('client ec256');
  expect(text).not.toContain(passphrase);
  expect(text).not.toContain('PRIVATE KEY');
  expect(text).not.toContain(key.split('\n')[1]);
  expect(signatures).toHaveLength(3);
  for (const form of signatures.flatMap(formsOf)) expect(text).not.toContain(form);
});

describe('in a process of its own, NODE_DEBUG', () => {
  const run = promisify(execFile);
  const PREPARED = `
    const { connect } = require('./lib/index.ts');
    const { readFileSync } = require('node:fs');
    const [port, folder] = process.argv.slice(1);
    const read = (name) => readFileSync(folder + '/' + name, 'utf8');
    const go = (more, then) => {
      const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: read('server-ca.crt'), ...more });
      socket.on('error', then).on('secureConnect', () => { socket.destroy(); then(); });
    };
    const answer = { cert: read('client-ec256.crt'), key: read('client-ec256.key') };
  `;
  const CHILD = `${PREPARED}
    go({ clientCertCallback: async () => answer }, () => go({ ca: [] }, () => {}));
  `;
  const debugged = async (value: string, before = '', program = CHILD) => {
    const args = ['--require', './tools/register-typescript.cjs', '-e', before + program];
    const { stderr } = await run(process.execPath, [...args, String(server.port), pki.dir], {
      cwd: join(__dirname, '../..'),
      env: { ...plainEnvironment(), NODE_DEBUG: value, NODE_OPTIONS: '' },
      timeout: 10_000,
    });
    return stderr.trim().split('\n');
  };

  test('prints a line for each, with the number of the connection', async () => {
    const lines = (await debugged('tls-client-cert')).map((line) =>
      line.replace(/^TLS-CLIENT-CERT \d+: /, '').replace(/[\d.]+ ms/g, 'N ms'),
    );
    expect(lines).toEqual([
      '#1 request (handshake, TLSv1.3) of localhost, attempt 1, acceptable authorities: 0',
      '#1 suspended, waiting for the promise',
      '#1 answer after N ms: credential (CN=client ec256,O=tls-client-cert tests)',
      '#1 handshake with localhost after N ms complete: TLSv1.3, TLS_AES_256_GCM_SHA384, client certificate sent',
      expect.stringMatching(/^#2 handshake with localhost after N ms failed: [A-Z_]+: /),
    ]);
  });

  test('a listener that throws is an uncaught exception, and the connection goes on', async () => {
    const listening = `
      const thrown = [];
      process.on('uncaughtException', (error) => thrown.push(error.message));
      for (const name of ['request', 'suspend', 'answer', 'handshake']) {
        require('node:diagnostics_channel').subscribe('tls-client-cert:' + name, () => {
          throw new Error(name);
        });
      }
      process.on('exit', () => console.error(...thrown));
    `;
    const [first] = await debugged('', listening);
    // The second connection fails, and that is told as well.
    expect(first).toBe('request suspend answer handshake handshake');
  });

  test('prints of a signature that it was made, and not what it is', async () => {
    const signing = `
      const { sign } = require('node:crypto');
      const { cert, key } = answer;
      const signer = { sign: (data) => {
        const signature = sign('sha256', data, key);
        console.error(JSON.stringify([...signature]));
        return signature;
      } };
      go({ clientCertCallback: () => ({ cert, key: signer }) }, () => {});
    `;
    const lines = await debugged('tls-client-cert', '', PREPARED + signing);
    const at = lines.findIndex((line) => line.startsWith('['));
    const signature = Buffer.from(JSON.parse(lines[at] as string) as number[]);
    const printed = lines.toSpliced(at, 1).join('\n');
    expect(printed).toMatch(/ signature \(ecdsa_secp256r1_sha256\) of CN=client ec256.*: signed$/m);
    for (const form of formsOf(signature)) expect(printed).not.toContain(form);
  });

  test('prints nothing for other sections', async () => {
    expect(await debugged('')).toEqual(['']);
  });
});
