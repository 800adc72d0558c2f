/** Who waits for whom when stores are opened: a device may take one client at a time. */
import { binding, type NativeStoreContents } from '../../lib/binding';
import { Credential } from '../../lib/index';

const opened: { providers: string; end: () => void }[] = [];
const nothing: NativeStoreContents = { keys: [], certificates: [] };

beforeEach(() => {
  opened.length = 0;
  jest.spyOn(binding, 'openStore').mockImplementation(
    ({ providers }) =>
      new Promise((resolve) => {
        opened.push({ providers: providers.join(' '), end: () => resolve(nothing) });
      }),
  );
});
afterEach(() => {
  jest.restoreAllMocks();
});

const turn = () => new Promise(setImmediate);

/** Opens a store; that nothing is in it says that its turn came. */
const open = (...providers: string[]) =>
  expect(Credential.fromStore('handle:1', { providers })).rejects.toMatchObject({
    reason: 'no-private-key',
  });

test.each([
  [['tpm2'], ['/usr/lib/ossl-modules/tpm2.so']],
  [['tpm2'], ['./tpm2.so']],
  [['tpm2'], ['default', 'tpm2']],
  [
    ['tpm2', 'pkcs11'],
    ['pkcs11', 'tpm2'],
  ],
])('%j and %j wait for each other', async (one, other) => {
  const both = [open(...one), open(...other)];
  await turn();
  expect(opened.map(({ providers }) => providers)).toEqual([one.join(' ')]);
  opened[0]?.end();
  await turn();
  expect(opened.map(({ providers }) => providers)).toEqual([one.join(' '), other.join(' ')]);
  opened[1]?.end();
  await Promise.all(both);
});

test.each([
  [['tpm2'], ['pkcs11']],
  [['default'], ['default']],
  [
    ['legacy', 'tpm2'],
    ['legacy', 'pkcs11'],
  ],
  [[], []],
])('%j and %j do not', async (one, other) => {
  const both = [open(...one), open(...other)];
  await turn();
  expect(opened).toHaveLength(2);
  for (const { end } of opened) end();
  await Promise.all(both);
});
