/** Objects that pass for others: by their prototype, by a proxy, or by the text that they become. */
import { Agent } from '../../lib/agents/https';
import { Connection, Credential, createSecureContext, SUSPEND } from '../../lib/index';
import { firstMatch } from '../../lib/select';
import { credentialOf, dial, failure, later } from '../support/client';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';

const pki = loadPki();
const alice = new Credential(credentialOf(pki.clients.ec256));

let server: NodeServer;
beforeAll(async () => {
  server = await startNodeServer({ identity: pki.server });
});
afterAll(() => server.close());

const IMPOSTORS: [string, Credential][] = [
  ['has its prototype', Object.create(Credential.prototype)],
  ['inherits from one', Object.create(alice)],
  ['is a proxy of one', new Proxy(alice, {})],
];

describe.each(IMPOSTORS)('what %s is no credential', (_what, impostor) => {
  test.each([
    ['at once', () => impostor],
    ['by a promise', () => later(impostor)],
    ['by a suspension', () => SUSPEND],
  ] as const)('answered %s', async (_how, clientCertCallback) => {
    const socket = dial(server, { clientCertCallback });
    socket.on('suspend', (suspension) => suspension.resume(impostor));
    expect((await failure(socket)).code).toBe('ERR_CLIENT_CERT_ANSWER');
  });

  test('found by firstMatch()', async () => {
    const { code, cause } = await failure(
      dial(server, { clientCertCallback: firstMatch([() => impostor]) }),
    );
    expect([code, (cause as Error).name]).toEqual(['ERR_CLIENT_CERT_CALLBACK', 'TypeError']);
  });

  test('as sessionCredential', () => {
    const make = () => new Connection({ host: 'localhost', sessionCredential: impostor });
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  });
});

test.each([
  ['at once', (answer: never) => answer],
  ['by a promise', (answer: never) => later(answer)],
] as const)('what throws when it is looked at is none either, answered %s', async (_how, given) => {
  const refuse = () => {
    throw new Error('nobody may look');
  };
  // Not `get`: what has no `then` that can be looked at is no answer of a promise's.
  const answer = new Proxy({}, { has: refuse, getPrototypeOf: refuse }) as never;
  const socket = dial(server, { clientCertCallback: () => given(answer) });
  expect((await failure(socket)).code).toBe('ERR_CLIENT_CERT_ANSWER');
});

test('nor is such an object a context', () => {
  const context = createSecureContext();
  for (const impostor of [Object.create(context), new Proxy(context, {})]) {
    const make = () => new Connection({ host: 'localhost', secureContext: impostor });
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
  }
});

test("an agent's names do not run into each other", () => {
  class Callback {
    toString() {
      return 'the same';
    }
  }
  const agent = new Agent();
  const inText = () => Object.assign(() => null, { toString: () => 'the same' });
  const requests = [
    { socketPath: '/a', servername: 'b:c' },
    { socketPath: '/a:b', servername: 'c' },
    { servername: 'b:', cert: 'x' },
    { servername: 'b', cert: 'x' },
    { servername: 'b%3A', cert: 'x' },
    { clientCertCallback: inText() },
    { clientCertCallback: inText() },
    { credential: new Callback() },
    { credential: new Callback() },
    { cert: ['a', 'b'] },
    { cert: 'a,b' },
    { cert: ['a,b'] },
    { cert: 'a', key: 'b' },
    { cert: 'as1:b' },
    { pfx: { buf: 'a', passphrase: 'b' } },
    { pfx: ['buf', 'a', 'passphrase', 'b'] },
  ];
  const names = requests.map((options) => agent.getName({ host: 'h', ...options } as object));
  expect(new Set(names).size).toBe(requests.length);
});
