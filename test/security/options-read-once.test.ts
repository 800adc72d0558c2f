/** What is checked of the options is what is used: getters and proxies are asked once, and later changes count for nobody. */
import { Connection, type ConnectionOptions, connect, createSecureContext } from '../../lib/index';
import { CONTEXT_NAMES, PROTOCOL_NAMES } from '../../lib/option-names';
import { failure, hangUp, secured } from '../support/client';
import { type NodeServer, startNodeServer } from '../support/node-server';
import { loadPki } from '../support/pki';

const pki = loadPki();
const ca = pki.serverCa.cert;
const { ec256, rsa } = pki.clients;

let server: NodeServer;
beforeAll(async () => {
  server = await startNodeServer({ identity: pki.server });
});
afterAll(() => server.close());

/** Counts how often each option is read; what is read again is something else. */
function counting(values: Record<string, unknown>) {
  const reads = new Map<PropertyKey, number>();
  const options = new Proxy(values, {
    get(target, name) {
      const count = (reads.get(name) ?? 0) + 1;
      reads.set(name, count);
      return count === 1 ? target[String(name)] : rsa.cert;
    },
  });
  return { options, reads };
}

const values = () => ({
  host: 'localhost',
  servername: 'localhost',
  ca,
  cert: ec256.cert,
  key: ec256.key,
  rejectUnauthorized: true,
  ALPNProtocols: ['x'],
  minDHSize: 1024,
  clientCertTimeout: 5,
});

test.each([
  ['Connection', (options: object): void => new Connection(options).destroy(), PROTOCOL_NAMES],
  [
    'createSecureContext',
    (options: object): void => void createSecureContext(options),
    CONTEXT_NAMES,
  ],
] as const)('%s reads no option twice', (_name, use, names) => {
  const { options, reads } = counting(values());
  use(options);
  expect([...reads].filter(([, count]) => count > 1)).toEqual([]);
  expect([...names].filter((name) => !reads.has(name))).toEqual([]);
});

test('connect() reads no option twice', async () => {
  const { options, reads } = counting({ ...values(), host: '127.0.0.1', port: server.port });
  const socket = await secured(connect(options as ConnectionOptions));
  expect([...reads].filter(([, count]) => count > 1)).toEqual([]);
  expect((await server.sawClient()).subject).toContain('client ec256');
  await hangUp(socket);
});

test('what changes after connect() changes nothing', async () => {
  const nth = server.connections.length + 1;
  const key = Buffer.from(ec256.key);
  const options: ConnectionOptions = {
    host: '127.0.0.1',
    port: server.port,
    servername: 'elsewhere.example',
    ca,
    cert: ec256.cert,
    key,
  };
  const refused = failure(connect(options));
  Object.assign(options, { rejectUnauthorized: false, servername: 'localhost' });
  options.checkServerIdentity = () => undefined;
  expect((await refused).code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');

  const good: ConnectionOptions = { ...options, servername: 'localhost', rejectUnauthorized: true };
  delete good.checkServerIdentity;
  const socket = connect(good);
  Object.assign(good, { cert: rsa.cert, key: rsa.key, ca: [] });
  key.fill(0);
  await secured(socket);
  const last = await server.sawClient(nth);
  expect(last.subject).toContain('client ec256');
  await hangUp(socket);
});

test('a list that says something else the second time is read once', () => {
  let reads = 0;
  const list = new Proxy([ec256.cert], {
    get(target, name, receiver) {
      if (name === '0') reads++;
      return name === '0' && reads > 1 ? rsa.cert : Reflect.get(target, name, receiver);
    },
  });
  const context = createSecureContext({ ca, cert: list, key: [ec256.key] });
  expect(context.credentials[0]?.subject).toContain('client ec256');
  expect(reads).toBe(1);
});
