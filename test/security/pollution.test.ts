/**
 * What somebody puts on `Object.prototype`, as faults in programs' JSON merging let strangers do, is nobody's option:
 * it neither switches a check off nor brings an identity.
 */
import { createPrivateKey } from 'node:crypto';
import https from 'node:https';
import net from 'node:net';
import { request, Agent as UndiciAgent } from 'undici';
import { createConnection } from '../../lib/agents/http2';
import { Agent } from '../../lib/agents/https';
import { connector } from '../../lib/agents/undici';
import {
  Connection,
  type ConnectionOptions,
  Credential,
  connect,
  createSecureContext,
  type ProtocolOptions,
} from '../../lib/index';
import { type AnyError, endedBy, failure, hangUp, secured, within } from '../support/client';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { createPair } from '../support/pair';
import { loadPki } from '../support/pki';
import { polluted } from '../support/polluted';

const pki = loadPki();
const ca = pki.serverCa.cert;
const { cert, key } = pki.clients.ec256;

let trusted: NodeServer;
let untrusted: NodeServer;
let wrongName: NodeServer;

beforeAll(async () => {
  trusted = await startNodeServer({ identity: pki.server });
  untrusted = await startNodeServer({ identity: pki.untrustedServer });
  wrongName = await startNodeServer({ identity: pki.wrongNameServer });
});
afterAll(() => Promise.all([trusted, untrusted, wrongName].map((server) => server.close())));

const place = (server: NodeServer): ConnectionOptions => ({ host: '127.0.0.1', port: server.port });

/** Runs the handshake over a socket; undefined when it is done. */
function driven(connection: Connection, lower: net.Socket): Promise<Error | undefined> {
  return within(
    'handshake',
    new Promise((resolve) => {
      const advance = () => {
        const result = connection.handshake();
        const bytes = connection.drain();
        if (bytes !== undefined) lower.write(bytes);
        if (result.status === 'failed') resolve(result.error);
        else if (result.status === 'done') resolve(undefined);
      };
      lower.on('data', (chunk) => {
        connection.receive(chunk);
        advance();
      });
      advance();
    }),
  );
}

/** The code of what a way of connecting fails with. */
const WAYS: Readonly<Record<string, (server: NodeServer) => Promise<string | undefined>>> = {
  connect: async (server) => (await failure(connect(place(server)))).code,
  'a context': async (server) => {
    const secureContext = createSecureContext({});
    return (await failure(connect({ ...place(server), secureContext }))).code;
  },
  'https.Agent': async (server) => {
    const agent = new Agent({ keepAlive: false });
    const asked = https.get({ host: '127.0.0.1', port: server.port, agent });
    const error = await within('error', new Promise((resolve) => asked.once('error', resolve)));
    return (error as AnyError).code;
  },
  http2: async (server) => {
    const { port } = server;
    const open = createConnection();
    return (await failure(open({ protocol: 'https:', hostname: '127.0.0.1', port }))).code;
  },
  'a Connection': async (server) => {
    const lower = net.connect(server.port, '127.0.0.1');
    const connection = new Connection({ host: '127.0.0.1' });
    const result = await driven(connection, lower);
    connection.destroy();
    lower.destroy();
    return (result as AnyError | undefined)?.code;
  },
  undici: async (server) => {
    const dispatcher = new UndiciAgent({ connect: connector({}) });
    const error = await request(`https://127.0.0.1:${server.port}/`, { dispatcher }).catch(
      (thrown) => thrown,
    );
    await dispatcher.destroy();
    return error.code;
  },
};

const SWITCHES: [string, Record<string, unknown>][] = [
  ['rejectUnauthorized', { rejectUnauthorized: false }],
  ['checkServerIdentity', { checkServerIdentity: () => undefined }],
  ['ca', { ca: pki.untrustedServer.cert }],
  ['allowPartialTrustChain', { allowPartialTrustChain: true, ca: pki.untrustedServer.cert }],
  ['secureContext', { secureContext: createSecureContext({ ca: pki.untrustedServer.cert }) }],
  ['all of them', { rejectUnauthorized: false, ca: pki.untrustedServer.cert, servername: '' }],
];

describe.each(Object.entries(WAYS))('by %s', (_way, fails) => {
  test.each(SWITCHES)('%s lets no server in', async (_name, names) => {
    const before = untrusted.connections.length;
    expect(await polluted(names, () => fails(untrusted))).toBe('DEPTH_ZERO_SELF_SIGNED_CERT');
    expect(untrusted.connections.slice(before).filter(({ subject }) => subject)).toEqual([]);
  });
});

const nameOnly: [string, Record<string, unknown>][] = [
  ['servername', { servername: 'wrong.example' }],
  ['host', { host: 'wrong.example' }],
  ['_host', { _host: 'wrong.example' }],
  ['checkServerIdentity', { checkServerIdentity: () => undefined }],
  ['rejectUnauthorized', { rejectUnauthorized: false }],
];

test.each(nameOnly)('%s makes no server another', async (_name, names) => {
  const { port } = wrongName;
  const ways: (() => ConnectionOptions)[] = [
    () => ({ host: '127.0.0.1', port }),
    // A stream whose `_host` could say whom it was opened for; a net.Socket has one of its own.
    () => {
      const { client, server } = createPair();
      wrongName.server.emit('connection', server);
      return { socket: client };
    },
  ];
  for (const way of ways) {
    const error = await polluted(names, () => failure(connect({ ...way(), ca })));
    expect(error.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  }
});

test('rejectUnauthorized does not let the server of a renegotiation in', async () => {
  const server = await startNodeServer({ identity: pki.server, maxVersion: 'TLSv1.2' });
  const verdicts = [undefined, new Error('another by now')];
  const checkServerIdentity = () => verdicts.shift();
  const socket = await secured(connect({ ...place(server), ca, checkServerIdentity }));
  const error = await polluted({ rejectUnauthorized: false }, () => {
    const ended = endedBy(socket);
    expect(socket.renegotiate({})).toBe(true);
    return ended;
  });
  expect(error.message).toBe('another by now');
  await server.close();
});

const credential = new Credential({ cert, key });
const IDENTITIES: [string, Record<string, unknown>][] = [
  ['cert and key', { cert, key }],
  ['pfx', { pfx: pki.encodings.pfx, passphrase: pki.encodings.passphrase }],
  ['credential', { credential }],
  ['clientCertCallback', { clientCertCallback: () => credential }],
  ['secureContext', { secureContext: createSecureContext({ ca, cert, key }) }],
];

test.each(IDENTITIES)('%s is sent by nobody who did not give it', async (_name, names) => {
  const nth = trusted.connections.length + 1;
  await polluted(names, async () => {
    const socket = await secured(connect({ ...place(trusted), ca }));
    expect(socket.clientAuth.status).toBe('declined');
    await trusted.sawClient(nth);
    await hangUp(socket);
    const secureContext = createSecureContext({ ca });
    const another = await secured(connect({ ...place(trusted), secureContext }));
    expect(another.clientAuth.status).toBe('declined');
    await trusted.sawClient(nth + 1);
    await hangUp(another);
  });
  const seen = trusted.connections.slice(nth - 1).map(({ subject }) => subject);
  expect(seen).toEqual([undefined, undefined]);
});

const psk = Buffer.alloc(16, 7);
test.each<[string, object, Record<string, unknown>]>([
  ['psk', { identity: 'me' }, { psk }],
  ['identity', { psk }, { identity: 'me' }],
])('%s is shared with no server by an answer without it', async (_name, answer, names) => {
  const pskCallback = () => answer as never;
  const asked = () => failure(connect({ ...place(trusted), ca, pskCallback }));
  expect((await polluted(names, asked)).code).toBe('ERR_INVALID_ARG_TYPE');
});

test('parts of inputs are not taken from there either', async () => {
  const { rsa } = pki.clients;
  const shown = (options: ProtocolOptions) => {
    const connection = new Connection({ host: 'localhost', ...options });
    const subject = connection.getX509Certificate()?.subject;
    connection.destroy();
    return subject;
  };
  await polluted(
    { pem: rsa.key, buf: pki.encodings.pfx, sign: () => {}, schemes: ['x'] },
    async () => {
      expect(shown({ cert, key: [Buffer.from(key)] })).toContain('client ec256');
      expect(shown({ credential: { cert, key } })).toContain('client ec256');
    },
  );
  const keyObject = createPrivateKey(key);
  await polluted({ passphrase: 'x', cipher: 'aes-256-cbc' }, async () => {
    expect(shown({ cert, key: keyObject })).toContain('client ec256');
  });
  await polluted({ cert, key, chain: 'no certificate', passphrase: 'x' }, async () => {
    expect(() => new Credential({} as never)).toThrow();
    expect(shown({ credential: { cert, key } })).toContain('client ec256');
    expect(new Credential({ cert: rsa.cert, key: rsa.key }).subject).toContain('client rsa');
  });
});

test("names of our own, between TypeScript and the addon, are nobody's either", async () => {
  const names = { system: true, base: {}, schemes: ['x'], keys: [], providers: ['x'] };
  await polluted(names, async () => {
    // Not the one that connections of earlier tests have left.
    const fresh = { ciphers: 'TLS_AES_128_GCM_SHA256' };
    const socket = await secured(connect({ ...place(trusted), ...fresh, ca, cert, key }));
    expect(socket.clientAuth.status).toBe('sent');
    await hangUp(socket);
  });
});

test('an answer that is no credential stays none, and a thenable is one of its own', async () => {
  /** Text and not the error: an object could settle no promise while `then` is everybody's. */
  const outcome = (answer: object) => {
    const clientCertCallback = () => answer as never;
    const socket = connect({ ...place(trusted), ca, clientCertCallback });
    const settled = new Promise<string>((resolve) => {
      socket.once('error', ({ code }: AnyError) => resolve(String(code)));
      socket.once('secureConnect', () => {
        resolve(socket.clientAuth.status);
        socket.destroy();
      });
    });
    return within('outcome', settled);
  };
  type Settle = (value: unknown) => void;
  const declines = (settle: Settle) => settle(null);
  expect(await polluted({ cert, key }, () => outcome({}))).toBe('ERR_CLIENT_CERT_ANSWER');
  // biome-ignore lint/suspicious/noThenProperty: it is what is tested.
  const everybodys = { then: declines };
  expect(await polluted(everybodys, () => outcome({}))).toBe('ERR_CLIENT_CERT_ANSWER');
  // biome-ignore lint/suspicious/noThenProperty: it is what is tested.
  const another = { then: (settle: Settle) => settle('nobody') };
  class Thenable {
    // biome-ignore lint/suspicious/noThenProperty: it is what is tested.
    readonly then = declines;
  }
  expect(await polluted(another, () => outcome(new Thenable()))).toBe('declined');
});

describe('options of a class are options', () => {
  class Base {
    get ca() {
      return ca;
    }
  }
  class Options extends Base {
    readonly host = 'localhost';
    get cert() {
      return cert;
    }
    get key() {
      return key;
    }
  }

  test('for a connection, a context, a credential', () => {
    const connection = new Connection(new Options());
    expect(connection.getX509Certificate()?.subject).toContain('client ec256');
    connection.destroy();
    expect(createSecureContext(new Options()).credentials).toHaveLength(1);
    expect(new Credential(new Options()).subject).toContain('client ec256');
  });

  test('and so is what a proxy answers with, and what has no prototype', () => {
    const all: Record<string, unknown> = { cert, key };
    const proxy = new Proxy({}, { get: (_, name) => all[String(name)] }) as {
      cert: string;
      key: string;
    };
    expect(new Credential(proxy).subject).toContain('client ec256');
    const bare = Object.assign(Object.create(null), { cert, key });
    expect(createSecureContext(bare).credentials).toHaveLength(1);
  });
});
