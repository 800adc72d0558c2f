/** How long contexts are kept for connections to come. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import tls from 'node:tls';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  Connection,
  Credential,
  type ProtocolOptions,
  type SecureContextOptions,
} from '../../lib/index';
import { madeDuring, madeObjects } from '../support/made';
import { loadPki } from '../support/pki';

const { cert, key } = loadPki().clients.ec256;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

beforeAll(() => void jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick'] }));
afterEach(() => void jest.advanceTimersByTime(120_000));

const open = (options: ProtocolOptions) =>
  new Connection({ host: 'localhost', ...options }).destroy();

const contextsFor = async (...list: ProtocolOptions[]) =>
  (await madeDuring(() => list.forEach(open))).contexts;

let counter = 0;
const unique = (): SecureContextOptions => ({
  ciphers: `${tls.DEFAULT_CIPHERS}:!NONE${++counter}`,
});

test('a context is kept for a minute since it was last asked for', async () => {
  const options = unique();
  const later = unique();
  expect(await contextsFor(options)).toBe(1);
  for (let i = 0; i < 5; i++) {
    jest.advanceTimersByTime(59_000);
    expect(await contextsFor(options)).toBe(0);
  }
  jest.advanceTimersByTime(30_000);
  expect(await contextsFor(later)).toBe(1);
  jest.advanceTimersByTime(30_000);
  expect(await contextsFor(later, options)).toBe(1);
});

/** What is still alive of it when nothing is left to be collected. */
async function left({ contexts, credentials }: Awaited<ReturnType<typeof madeObjects>>) {
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  const alive = (list: WeakRef<object>[]) => list.filter((ref) => ref.deref() !== undefined).length;
  return { contexts: alive(contexts), credentials: alive(credentials) };
}

const AUTHORITY = new X509Certificate(cert);

test.each([
  ['it', {}],
  ['it, though an object among the options stays,', { ca: AUTHORITY }],
])('%s is let go then, without another connection, and so is its key', async (_what, options) => {
  const made = await madeObjects(() => open({ ...unique(), ...options, cert, key }));
  const kept = { contexts: 1, credentials: 1 };
  expect(await left(made)).toEqual(kept);
  jest.advanceTimersByTime(59_999);
  expect(await left(made)).toEqual(kept);
  jest.advanceTimersByTime(1);
  expect(await left(made)).toEqual({ contexts: 0, credentials: 0 });
  expect(jest.getTimerCount()).toBe(0);
});

test.each<[string, () => ProtocolOptions]>([
  ['a signer', () => ({ cert, key: { sign: () => Buffer.of() } })],
  ['a Credential', () => ({ credential: new Credential({ cert, key }) })],
  ['a KeyObject', () => ({ cert, key: createPrivateKey(key) })],
])(
  '%s that its owner lets go of is not kept, and what was made with it neither',
  async (_what, options) => {
    const made = await madeObjects(() => {
      for (let i = 0; i < 5; i++) open(options());
    });
    expect(made.contexts).toHaveLength(5);
    expect(await left(made)).toEqual({ contexts: 0, credentials: 0 });
  },
);

test('no more than a hundred are kept', async () => {
  const list = Array.from({ length: 100 }, unique);
  expect(await contextsFor(...list, ...list)).toBe(100);
  const one = unique();
  expect(await contextsFor(one)).toBe(1);
  // The one that was asked for the longest ago had to go.
  expect(await contextsFor(...list.slice(1), one)).toBe(0);
  expect(await contextsFor(list[0] as ProtocolOptions)).toBe(1);
});
